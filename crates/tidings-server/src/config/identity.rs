//! Who the bot is, and how it proves it: what the settings make of it together.

use std::path::Path;

use secrecy::SecretString;
use tidings_connector::{AppRegistration, AppType};

use super::{Config, ConfigError};

/// How the bot proves to the identity provider who it is (protocol, section 3.3).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum AppCredential<'a> {
    /// A client secret: `MicrosoftAppPassword`.
    Password(&'a SecretString),
    /// A certificate, with whose key an assertion is signed.
    Certificate {
        /// The certificate, PEM; `None` if only its thumbprint is known.
        file: Option<&'a Path>,
        /// The SHA-1 thumbprint in hexadecimal; `None` if it is to be computed from the certificate.
        thumbprint: Option<&'a str>,
        /// Where the private key is.
        key: CertificateKey<'a>,
    },
    /// A token of another issuer, which the registration trusts, as the assertion.
    Federated {
        /// The managed identity whose token is used.
        client_id: Option<&'a str>,
        /// A file with the token, as Kubernetes renews it.
        token_file: Option<&'a Path>,
    },
    /// The managed identity of the machine; nothing is kept here.
    ManagedIdentity,
}

/// Where the private key of a certificate is.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum CertificateKey<'a> {
    /// In the settings, PEM: `CertificatePrivateKey`.
    Inline(&'a SecretString),
    /// In a file of its own, PEM.
    File(&'a Path),
    /// In the certificate's file, behind the certificate.
    WithCertificate,
}

impl Config {
    /// The bot's registration; `None` in local mode.
    #[must_use]
    pub fn registration(&self) -> Option<AppRegistration> {
        Some(AppRegistration {
            app_id: self.app_id.clone()?,
            app_type: self.app_type,
            tenant_id: self.app_tenant_id.clone(),
        })
    }

    /// How the bot proves who it is. Of several that are set, a certificate counts before a federated credential, and
    /// that before the password; a managed identity needs nothing. `None` if nothing is set.
    #[must_use]
    pub fn credential(&self) -> Option<AppCredential<'_>> {
        if self.app_type == AppType::UserAssignedMsi {
            return Some(AppCredential::ManagedIdentity);
        }
        if self.certificate_file.is_some() || self.certificate_thumbprint.is_some() {
            let key = match (&self.certificate_key, &self.certificate_key_file) {
                (Some(key), _) => Some(CertificateKey::Inline(key)),
                (None, Some(file)) => Some(CertificateKey::File(file)),
                (None, None) => self
                    .certificate_file
                    .is_some()
                    .then_some(CertificateKey::WithCertificate),
            };
            if let Some(key) = key {
                return Some(AppCredential::Certificate {
                    file: self.certificate_file.as_deref(),
                    thumbprint: self.certificate_thumbprint.as_deref(),
                    key,
                });
            }
        }
        if self.federated_client_id.is_some() || self.federated_token_file.is_some() {
            return Some(AppCredential::Federated {
                client_id: self.federated_client_id.as_deref(),
                token_file: self.federated_token_file.as_deref(),
            });
        }
        self.app_password
            .as_ref()
            .map(|password| AppCredential::Password(password))
    }

    /// Whether the local channel is served: as set, else in local mode only.
    #[must_use]
    pub fn local_channel_is_on(&self) -> bool {
        self.local_channel.unwrap_or(self.app_id.is_none())
    }
}

/// What the settings must be together.
pub(crate) fn check(config: &Config) -> Result<(), ConfigError> {
    let incomplete = |problem: String| Err(ConfigError::Incomplete(problem));
    let Some(app_id) = &config.app_id else {
        if config.app_password.is_some() {
            return incomplete(
                "MicrosoftAppPassword is set, but MicrosoftAppId is not: set both, or neither for local mode"
                    .to_owned(),
            );
        }
        return Ok(());
    };
    let kind = config.app_type;
    if kind != AppType::MultiTenant && config.app_tenant_id.is_none() {
        return incomplete(format!(
            "MicrosoftAppType is {}, but MicrosoftAppTenantId is not set: set it to the id of the tenant that the bot \
             is registered in",
            kind.as_str()
        ));
    }
    let has_key = config.certificate_key.is_some() || config.certificate_key_file.is_some();
    if config.certificate_key.is_some() && config.certificate_key_file.is_some() {
        return incomplete(
            "both CertificatePrivateKey and TIDINGS_CERTIFICATE_KEY_FILE are set: keep one of them"
                .to_owned(),
        );
    }
    if has_key && config.certificate_file.is_none() && config.certificate_thumbprint.is_none() {
        return incomplete(
            "the private key of a certificate is set, but not which certificate: set TIDINGS_CERTIFICATE_FILE or \
             CertificateThumbprint"
                .to_owned(),
        );
    }
    if config.certificate_thumbprint.is_some() && config.certificate_file.is_none() && !has_key {
        return incomplete(
            "CertificateThumbprint is set, but not the private key: set CertificatePrivateKey, \
             TIDINGS_CERTIFICATE_KEY_FILE, or TIDINGS_CERTIFICATE_FILE with both in it"
                .to_owned(),
        );
    }
    if config.credential().is_none() {
        return incomplete(format!(
            "MicrosoftAppId is {app_id:?}, but nothing proves that this is it: set MicrosoftAppPassword, a certificate \
             (TIDINGS_CERTIFICATE_FILE, or CertificateThumbprint with CertificatePrivateKey), a federated credential \
             (TIDINGS_FEDERATED_CLIENT_ID or TIDINGS_FEDERATED_TOKEN_FILE), or MicrosoftAppType=UserAssignedMsi; \
             without MicrosoftAppId the server runs in local mode"
        ));
    }
    if config.local_channel == Some(true) && config.direct_line_secret.is_none() {
        return incomplete(
            "the local channel is switched on beside an app id, where it is open to the network: set \
             TIDINGS_DIRECT_LINE_SECRET, which its clients must know"
                .to_owned(),
        );
    }
    Ok(())
}
