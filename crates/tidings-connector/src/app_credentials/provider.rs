//! Asks the identity provider for a token.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};
use secrecy::{ExposeSecret, SecretString};
use tokio::io::AsyncReadExt;
use url::Url;
use url::form_urlencoded::Serializer;

use super::authority::token_endpoint;
use super::builder::Now;
use super::grant::{Grant, access_token};
use super::refusal::refusal;
use super::{AppProof, FederatedAssertion, ManagedIdentity};
use crate::transport::{Answer, Deadline, Transport};
use crate::{AppRegistration, Cloud, CredentialsError};

/// What is read of an answer, and of a token file, at most. Tokens are a few kilobytes.
const LIMIT: usize = 64 * 1024;

/// What passes by itself is tried so often, with these pauses between.
const PAUSES: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(250)];

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The identity provider of one app.
pub(super) struct Provider {
    app_id: String,
    endpoint: Url,
    channel_scope: String,
    exchange: &'static str,
    proof: AppProof,
    transport: Transport,
    timeout: Duration,
    now: Now,
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider")
            .field("app_id", &self.app_id)
            .field("endpoint", &self.endpoint.as_str())
            .field("proof", &self.proof)
            .finish_non_exhaustive()
    }
}

impl Provider {
    pub(super) fn new(
        registration: &AppRegistration,
        cloud: &Cloud,
        proof: AppProof,
        timeout: Duration,
        now: Now,
    ) -> Result<Self, CredentialsError> {
        let app_id = registration.app_id.trim();
        if !is_audience(app_id) {
            return Err(CredentialsError::configuration(
                "MicrosoftAppId is missing or not an app id",
            ));
        }
        let channel_scope = cloud.oauth_scope.trim().trim_end_matches('/');
        if !is_audience(channel_scope) {
            return Err(CredentialsError::configuration(
                "ToChannelFromBotOAuthScope is missing or not one scope",
            ));
        }
        let endpoint = match &proof {
            AppProof::ManagedIdentity(identity) => identity.endpoint()?,
            AppProof::ClientSecret(secret) if secret.expose_secret().is_empty() => {
                return Err(CredentialsError::configuration(
                    "MicrosoftAppPassword is empty: set it to the value of the app's client secret",
                ));
            }
            AppProof::Federated(FederatedAssertion::ManagedIdentity { identity, .. }) => {
                identity.endpoint()?;
                token_endpoint(registration, cloud)?
            }
            AppProof::ClientSecret(_) | AppProof::Certificate(_) | AppProof::Federated(_) => {
                token_endpoint(registration, cloud)?
            }
        };
        Ok(Self {
            app_id: app_id.to_owned(),
            exchange: exchange(&cloud.login_url),
            endpoint,
            channel_scope: channel_scope.trim_end_matches("/.default").to_owned(),
            proof,
            transport: Transport::new(timeout),
            timeout,
            now,
        })
    }

    pub(super) fn endpoint(&self) -> &str {
        self.endpoint.as_str()
    }

    /// A token for a bot, or for the channels. What passes by itself is tried again at once, a few times.
    pub(super) async fn token(&self, audience: Option<&str>) -> Result<Grant, CredentialsError> {
        let audience = audience.unwrap_or(&self.channel_scope);
        let mut pauses = PAUSES.iter();
        loop {
            let error = match self.ask(audience).await {
                Ok(grant) => return Ok(grant),
                Err(error) => error,
            };
            match pauses.next() {
                // Who says when to come back is not asked before.
                Some(pause) if !error.is_configuration() && error.retry_after.is_none() => {
                    tokio::time::sleep(*pause).await;
                }
                _ => return Err(error),
            }
        }
    }

    async fn ask(&self, audience: &str) -> Result<Grant, CredentialsError> {
        let now = (self.now)();
        let answer = match &self.proof {
            AppProof::ManagedIdentity(identity) => {
                self.identity_token(identity, Some(&self.app_id), audience)
                    .await?
            }
            AppProof::ClientSecret(secret) => self.form("client_secret", secret, audience).await?,
            AppProof::Certificate(certificate) => {
                let assertion = certificate.assertion(&self.app_id, self.endpoint(), now)?;
                self.form("client_assertion", &assertion.into(), audience).await?
            }
            AppProof::Federated(assertion) => {
                let assertion = self.federated(assertion).await?;
                self.form("client_assertion", &assertion, audience).await?
            }
        };
        let endpoint = self.endpoint();
        Grant::read(&answer.body, now).map_err(|reason| {
            CredentialsError::new(format!("{endpoint} granted a token that is of no use: {reason}"))
        })
    }

    /// `POST {authority}/oauth2/v2.0/token` (protocol, section 3.3).
    async fn form(
        &self,
        proof: &str,
        secret: &SecretString,
        audience: &str,
    ) -> Result<Answer, CredentialsError> {
        let form = {
            let mut form = Serializer::new(String::new());
            form.append_pair("grant_type", "client_credentials")
                .append_pair("client_id", &self.app_id)
                .append_pair("scope", &format!("{audience}/.default"))
                .append_pair(proof, secret.expose_secret());
            if proof == "client_assertion" {
                form.append_pair("client_assertion_type", ASSERTION_TYPE);
            }
            form.finish()
        };
        let request =
            Request::post(self.endpoint()).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let body = Some(Bytes::from(form));
        self.send(self.endpoint(), request, body, &[secret.expose_secret()], false)
            .await
    }

    async fn identity_token(
        &self,
        identity: &ManagedIdentity,
        client_id: Option<&str>,
        resource: &str,
    ) -> Result<Answer, CredentialsError> {
        let endpoint = identity.endpoint()?;
        let request = identity.request(client_id, resource)?;
        let secrets = identity.secret();
        self.send(endpoint.as_str(), request, None, secrets.as_slice(), true)
            .await
    }

    /// Somebody else's token, with which the app proves who it is.
    async fn federated(&self, assertion: &FederatedAssertion) -> Result<SecretString, CredentialsError> {
        match assertion {
            FederatedAssertion::ManagedIdentity { identity, client_id } => {
                let answer = self
                    .identity_token(identity, client_id.as_deref(), self.exchange)
                    .await?;
                let (token, _) = access_token(&answer.body).map_err(|reason| {
                    CredentialsError::new(format!(
                        "the managed identity granted a token that is of no use: {reason}"
                    ))
                })?;
                Ok(token.into())
            }
            FederatedAssertion::TokenFile(path) => read_file(path).await,
        }
    }

    async fn send(
        &self,
        endpoint: &str,
        request: http::request::Builder,
        body: Option<Bytes>,
        secrets: &[&str],
        is_identity: bool,
    ) -> Result<Answer, CredentialsError> {
        let request = request
            .header(ACCEPT, "application/json")
            .header(USER_AGENT, concat!("tidings/", env!("CARGO_PKG_VERSION")))
            .body(body)
            .map_err(|_| CredentialsError::configuration(format!("{endpoint} cannot be called")))?;
        let answer = self
            .transport
            .exchange(request, Deadline::after(self.timeout), LIMIT)
            .await
            .map_err(|error| {
                CredentialsError::new(format!("{endpoint} cannot be reached: {error}")).with_source(error)
            })?;
        if let Some(fault) = &answer.fault {
            return Err(CredentialsError::new(format!(
                "{endpoint} answered {}, but {fault}",
                answer.status.as_u16()
            )));
        }
        if answer.status.is_success() {
            return Ok(answer);
        }
        Err(refusal(endpoint, &answer, secrets, is_identity, (self.now)()))
    }
}

async fn read_file(path: &Path) -> Result<SecretString, CredentialsError> {
    let wrong = |why: &str| {
        CredentialsError::configuration(format!("the federated token file `{}` {why}", path.display()))
    };
    let read = async {
        let mut bytes = Vec::new();
        let file = tokio::fs::File::open(path).await?;
        file.take(LIMIT as u64 + 1).read_to_end(&mut bytes).await?;
        Ok::<_, std::io::Error>(bytes)
    };
    let bytes = read
        .await
        .map_err(|error| wrong(&format!("cannot be read: {error}")))?;
    if bytes.len() > LIMIT {
        return Err(wrong("is longer than 64 KiB"));
    }
    match String::from_utf8(bytes) {
        Ok(text) if !text.trim().is_empty() => Ok(text.trim().into()),
        Ok(_) => Err(wrong("is empty")),
        Err(_) => Err(wrong("is not text")),
    }
}

/// Whether it can stand for one audience in a scope, which a blank would end.
pub(super) fn is_audience(text: &str) -> bool {
    (1..=LONGEST_AUDIENCE).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

const LONGEST_AUDIENCE: usize = 256;

/// For whom a managed identity's token must be, to be exchanged in the cloud of this authority.
fn exchange(login_url: &str) -> &'static str {
    let host = Url::parse(login_url)
        .ok()
        .and_then(|url| url.host_str().map(str::to_owned))
        .unwrap_or_default();
    match host.rsplit('.').next() {
        Some("us") => "api://AzureADTokenExchangeUSGov",
        Some("cn") => "api://AzureADTokenExchangeChina",
        _ => "api://AzureADTokenExchange",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_audience_is_one_word() {
        let longest = "a".repeat(LONGEST_AUDIENCE);
        for audience in ["a", "6f1c7e2a-0d53-4b0e-9d6f-1c5b2b6f8a10", "api://app", &longest] {
            assert!(is_audience(audience), "{audience}");
        }
        for audience in ["", " ", "a b", "a\n", "\u{e4}", &format!("{longest}a")] {
            assert!(!is_audience(audience), "{audience}");
        }
    }

    #[test]
    fn the_exchange_is_that_of_the_cloud() {
        for (cloud, expected) in [
            (Cloud::public(), "api://AzureADTokenExchange"),
            (Cloud::us_government(), "api://AzureADTokenExchangeUSGov"),
            (Cloud::china(), "api://AzureADTokenExchangeChina"),
        ] {
            assert_eq!(exchange(&cloud.login_url), expected);
        }
        assert_eq!(exchange("http://127.0.0.1:1/x"), "api://AzureADTokenExchange");
    }

    #[tokio::test]
    async fn a_token_file_is_read_up_to_its_limit() {
        let folder = std::env::temp_dir().join(format!("tidings-token-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&folder).expect("a folder");
        let path = folder.join("token");
        for (length, fits) in [(1, true), (LIMIT - 1, true), (LIMIT, true), (LIMIT + 1, false)] {
            std::fs::write(&path, "t".repeat(length)).expect("written");
            assert_eq!(read_file(&path).await.is_ok(), fits, "{length}");
        }
        std::fs::write(&path, " token\n").expect("written");
        assert_eq!(read_file(&path).await.expect("a token").expose_secret(), "token");
        for bytes in [&b""[..], b" \n", b"\xff\xfe"] {
            std::fs::write(&path, bytes).expect("written");
            let error = read_file(&path).await.expect_err("no token");
            assert!(
                error.is_configuration() && error.message.contains("token file"),
                "{error}"
            );
        }
        std::fs::remove_dir_all(&folder).expect("removed");
        assert!(read_file(&path).await.expect_err("no file").is_configuration());
    }
}
