//! What an authenticator has to know.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::Uri;

use super::metadata_url::metadata_url;
use super::rules::AllowedCallers;
use crate::{AppRegistration, AppType, Cloud};

/// How long both documents of an issuer may take, name, connection and TLS included: well below the 15 s after which
/// a channel gives up.
const METADATA_TIMEOUT: Duration = Duration::from_secs(5);

/// The present moment, from wherever it is taken.
#[derive(Clone)]
pub(super) struct Clock(Arc<dyn Fn() -> SystemTime + Send + Sync>);

impl Clock {
    pub(super) fn now(&self) -> SystemTime {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// Whose tokens are accepted, for whom, and where the keys are.
///
/// ```
/// use tidings_connector::jwt::AuthenticatorOptions;
/// use tidings_connector::{AppRegistration, AppType, Cloud};
///
/// let registration = AppRegistration {
///     app_id: "11111111-2222-4333-8444-555555555555".to_owned(),
///     app_type: AppType::MultiTenant,
///     tenant_id: None,
/// };
/// let options = AuthenticatorOptions::new(&registration, &Cloud::public())?
///     .allowed_callers(["99999999-8888-4777-8666-555555555555"]);
/// # let _ = options;
///
/// let mut cloud = Cloud::public();
/// cloud.channel_metadata_url = "http://keys.example.com/openidconfiguration".to_owned();
/// let error = AuthenticatorOptions::new(&registration, &cloud).unwrap_err();
/// assert!(error.to_string().starts_with("ToBotFromChannelOpenIdMetadataUrl must be https"));
/// # Ok::<(), tidings_connector::jwt::AuthenticatorOptionsError>(())
/// ```
#[derive(Clone, Debug)]
pub struct AuthenticatorOptions {
    pub(super) app_id: String,
    pub(super) own_tenant: Option<String>,
    pub(super) channel_issuer: String,
    pub(super) caller_id: Option<String>,
    pub(super) channel_metadata: Uri,
    pub(super) directory_metadata: Uri,
    pub(super) callers: AllowedCallers,
    pub(super) timeout: Duration,
    pub(super) clock: Clock,
}

/// Options that make no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthenticatorOptionsError {
    /// Something that is needed is blank.
    #[error("{setting} is missing: {why}")]
    Missing {
        /// The setting's name.
        setting: &'static str,
        /// What it is needed for.
        why: &'static str,
    },
    /// Keys must not be taken from there.
    #[error("{setting} {fault}")]
    MetadataUrl {
        /// The setting's name.
        setting: &'static str,
        /// What is wrong with it.
        fault: &'static str,
    },
}

impl AuthenticatorOptions {
    /// The options of a bot in a cloud, without callers among other bots.
    ///
    /// A single-tenant bot and a managed identity also accept the issuers of their own tenant.
    ///
    /// # Errors
    ///
    /// If the app id or the channel's issuer is blank, if a tenant is needed and not there, or if a metadata URL is
    /// neither `https` nor `http` to this machine. The error names the setting.
    pub fn new(registration: &AppRegistration, cloud: &Cloud) -> Result<Self, AuthenticatorOptionsError> {
        let app_id = needed(
            "MicrosoftAppId",
            "a token is accepted if it is for this app",
            &registration.app_id,
        )?;
        let channel_issuer = needed(
            "ToBotFromChannelTokenIssuer",
            "it says whose tokens a channel has",
            &cloud.channel_issuer,
        )?;
        let own_tenant = match registration.app_type {
            AppType::MultiTenant => None,
            AppType::SingleTenant | AppType::UserAssignedMsi => Some(needed(
                "MicrosoftAppTenantId",
                "a bot of one tenant accepts that tenant's tokens",
                registration.tenant_id.as_deref().unwrap_or_default(),
            )?),
        };
        Ok(Self {
            app_id,
            own_tenant,
            channel_issuer,
            caller_id: Some(cloud.caller_id.clone()).filter(|caller_id| !caller_id.is_empty()),
            channel_metadata: checked("ToBotFromChannelOpenIdMetadataUrl", &cloud.channel_metadata_url)?,
            directory_metadata: checked("ToBotFromEmulatorOpenIdMetadataUrl", &cloud.emulator_metadata_url)?,
            callers: AllowedCallers::nobody(),
            timeout: METADATA_TIMEOUT,
            clock: Clock(Arc::new(SystemTime::now)),
        })
    }

    /// The app ids of the bots that may call this one, in upper or lower case, or `*` for every bot that the listed
    /// tenants know. Blank entries are left out; an empty list allows none.
    #[must_use]
    pub fn allowed_callers<I>(mut self, app_ids: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let ids: std::collections::HashSet<_> = app_ids
            .into_iter()
            .map(|id| id.as_ref().trim().to_ascii_lowercase())
            .filter(|id| !id.is_empty())
            .collect();
        self.callers = if ids.contains("*") {
            AllowedCallers::Everybody
        } else {
            AllowedCallers::Listed(ids)
        };
        self
    }

    /// How long looking up an issuer's keys may take; 5 s by default.
    #[must_use]
    pub fn metadata_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Where the time comes from, by which tokens expire and keys grow old. By default it is the machine's.
    #[must_use]
    pub fn clock(mut self, now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Clock(Arc::new(now));
        self
    }
}

fn needed(
    setting: &'static str,
    why: &'static str,
    value: &str,
) -> Result<String, AuthenticatorOptionsError> {
    let value = value.trim();
    if value.is_empty() {
        return Err(AuthenticatorOptionsError::Missing { setting, why });
    }
    Ok(value.to_owned())
}

fn checked(setting: &'static str, url: &str) -> Result<Uri, AuthenticatorOptionsError> {
    metadata_url(url.trim()).map_err(|fault| AuthenticatorOptionsError::MetadataUrl { setting, fault })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registration(app_type: AppType, tenant_id: Option<&str>) -> AppRegistration {
        AppRegistration {
            app_id: "app".to_owned(),
            app_type,
            tenant_id: tenant_id.map(str::to_owned),
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let nameless = AppRegistration {
            app_id: "  ".to_owned(),
            ..registration(AppType::MultiTenant, None)
        };
        let error = AuthenticatorOptions::new(&nameless, &Cloud::public()).expect_err("no app id");
        assert!(
            error.to_string().starts_with("MicrosoftAppId is missing"),
            "{error}"
        );
        for (app_type, tenant, is_fine) in [
            (AppType::MultiTenant, None, true),
            (AppType::SingleTenant, None, false),
            (AppType::SingleTenant, Some(" "), false),
            (AppType::SingleTenant, Some("t"), true),
            (AppType::UserAssignedMsi, None, false),
            (AppType::UserAssignedMsi, Some("t"), true),
        ] {
            match AuthenticatorOptions::new(&registration(app_type, tenant), &Cloud::public()) {
                Ok(options) => assert!(is_fine && options.own_tenant.as_deref() == tenant),
                Err(error) => {
                    assert!(!is_fine);
                    assert!(
                        error.to_string().starts_with("MicrosoftAppTenantId is missing"),
                        "{error}"
                    );
                }
            }
        }
        let mut cloud = Cloud::public();
        cloud.channel_issuer.clear();
        let error = AuthenticatorOptions::new(&registration(AppType::MultiTenant, None), &cloud)
            .expect_err("no issuer");
        assert!(
            error
                .to_string()
                .starts_with("ToBotFromChannelTokenIssuer is missing"),
            "{error}"
        );
    }

    #[test]
    fn keys_are_not_taken_over_plain_http_from_elsewhere() {
        let registration = registration(AppType::MultiTenant, None);
        let mut cloud = Cloud::public();
        cloud.emulator_metadata_url = "http://login.example.com/".to_owned();
        let error = AuthenticatorOptions::new(&registration, &cloud).expect_err("plain http");
        assert_eq!(
            error.to_string(),
            "ToBotFromEmulatorOpenIdMetadataUrl must be https (http is for 127.0.0.1, [::1] and localhost only)"
        );
        cloud.emulator_metadata_url = "http://127.0.0.1:5555/".to_owned();
        assert!(AuthenticatorOptions::new(&registration, &cloud).is_ok());
    }

    #[test]
    fn every_cloud_of_ours_makes_sense() {
        for cloud in [Cloud::public(), Cloud::us_government(), Cloud::china()] {
            assert!(AuthenticatorOptions::new(&registration(AppType::MultiTenant, None), &cloud).is_ok());
        }
    }
}
