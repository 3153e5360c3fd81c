//! The identities that Azure gives to its machines.

use std::net::{Ipv4Addr, Ipv6Addr};

use http::Request;
use http::header::HeaderName;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::authority::{address, https_or};
use crate::CredentialsError;
use crate::service_url::is_this_machine;

/// Who hands out the tokens of this machine's managed identities: App Service and its kin, or the instance metadata
/// service (IMDS) of virtual machines.
#[derive(Debug, Clone)]
pub struct ManagedIdentity {
    host: Host,
}

#[derive(Debug, Clone)]
enum Host {
    AppService { endpoint: String, header: SecretString },
    Imds { endpoint: String },
}

const IMDS: &str = "http://169.254.169.254/metadata/identity/oauth2/token";

impl ManagedIdentity {
    /// App Service, Functions, Container Apps: `IDENTITY_ENDPOINT` and `IDENTITY_HEADER`.
    #[must_use]
    pub fn app_service(endpoint: impl Into<String>, header: SecretString) -> Self {
        Self {
            host: Host::AppService {
                endpoint: endpoint.into(),
                header,
            },
        }
    }

    /// A virtual machine or a container on one, which asks 169.254.169.254.
    #[must_use]
    pub fn imds() -> Self {
        Self::imds_at(IMDS)
    }

    /// The same at another address, with the whole path.
    #[must_use]
    pub fn imds_at(endpoint: impl Into<String>) -> Self {
        Self {
            host: Host::Imds {
                endpoint: endpoint.into(),
            },
        }
    }

    /// What the environment says: App Service if `IDENTITY_ENDPOINT` and `IDENTITY_HEADER` are set, else IMDS.
    ///
    /// ```
    /// use tidings_connector::ManagedIdentity;
    ///
    /// let identity = ManagedIdentity::detect(|name| std::env::var(name).ok());
    /// # let _ = identity;
    /// ```
    #[must_use]
    pub fn detect(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name| variable(name).filter(|value| !value.trim().is_empty());
        match (set("IDENTITY_ENDPOINT"), set("IDENTITY_HEADER")) {
            (Some(endpoint), Some(header)) => Self::app_service(endpoint, header.into()),
            _ => Self::imds(),
        }
    }

    /// Where it is asked, if that can be.
    pub(super) fn endpoint(&self) -> Result<Url, CredentialsError> {
        let (setting, endpoint) = match &self.host {
            Host::AppService { endpoint, .. } => ("IDENTITY_ENDPOINT", endpoint),
            Host::Imds { endpoint } => ("the address of the instance metadata service", endpoint),
        };
        let url = address(setting, endpoint)?;
        // Azure serves both by plain http, within the machine.
        https_or(|host| is_this_machine(host) || is_link_local(host), setting, &url)?;
        Ok(url)
    }

    /// The request for a token: who is meant, and for what.
    pub(super) fn request(
        &self,
        client_id: Option<&str>,
        resource: &str,
    ) -> Result<http::request::Builder, CredentialsError> {
        let mut url = self.endpoint()?;
        let (version, name, value) = match &self.host {
            Host::AppService { header, .. } => ("2019-08-01", "x-identity-header", header.expose_secret()),
            Host::Imds { .. } => ("2018-02-01", "metadata", "true"),
        };
        url.query_pairs_mut()
            .append_pair("api-version", version)
            .append_pair("resource", resource)
            .extend_pairs(client_id.map(|id| ("client_id", id)));
        let mut value = http::HeaderValue::from_str(value)
            .map_err(|_| CredentialsError::configuration("IDENTITY_HEADER cannot stand in a header"))?;
        value.set_sensitive(true);
        Ok(Request::get(url.as_str()).header(HeaderName::from_static(name), value))
    }

    /// What must not be in an error.
    pub(super) fn secret(&self) -> Option<&str> {
        match &self.host {
            Host::AppService { header, .. } => Some(header.expose_secret()),
            Host::Imds { .. } => None,
        }
    }
}

fn is_link_local(host: &str) -> bool {
    host.parse::<Ipv4Addr>()
        .is_ok_and(|address| address.is_link_local())
        || host
            .trim_matches(['[', ']'])
            .parse::<Ipv6Addr>()
            .is_ok_and(|address| address.is_unicast_link_local())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_says_which_it_is() {
        let detect = |endpoint: Option<&str>, header: Option<&str>| {
            let identity = ManagedIdentity::detect(|name| {
                let value = match name {
                    "IDENTITY_ENDPOINT" => endpoint,
                    "IDENTITY_HEADER" => header,
                    _ => None,
                };
                value.map(str::to_owned)
            });
            identity.endpoint().map(String::from)
        };
        let here = "http://127.0.0.1:41001/msi/token";
        assert_eq!(detect(Some(here), Some("h")).expect("an address"), here);
        for (endpoint, header) in [
            (None, None),
            (Some(here), None),
            (None, Some("h")),
            (Some(here), Some(" ")),
        ] {
            assert_eq!(detect(endpoint, header).expect("an address"), IMDS);
        }
    }

    #[test]
    fn plain_http_stays_on_the_machine() {
        let check = |endpoint: &str| ManagedIdentity::app_service(endpoint, "h".into()).endpoint();
        for endpoint in [
            "http://localhost:1/x",
            "http://169.254.129.5:8081/x",
            "http://[fe80::1]/x",
            "https://id.example/x",
        ] {
            assert!(check(endpoint).is_ok(), "{endpoint}");
        }
        for endpoint in [
            "http://id.example/x",
            "http://10.0.0.1/x",
            "http://169.255.0.1/",
            "nonsense",
        ] {
            let error = check(endpoint).expect_err(endpoint);
            assert!(
                error.is_configuration() && error.message.starts_with("IDENTITY_ENDPOINT "),
                "{error}"
            );
        }
    }

    #[test]
    fn a_header_that_cannot_be_sent_is_named_and_not_shown() {
        let identity = ManagedIdentity::app_service("http://127.0.0.1/", "bad\nsecret".into());
        let error = identity.request(None, "r").expect_err("a line break");
        assert!(error.message.contains("IDENTITY_HEADER") && !error.message.contains("secret"));
        assert!(!format!("{identity:?}").contains("secret\""));
    }
}
