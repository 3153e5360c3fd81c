//! Whom the bot believes, whom it may call, and how it proves who it is: what the settings make of that.

use std::path::Path;

use secrecy::SecretString;
use tidings_connector::jwt::{Authenticator, AuthenticatorOptions};
use tidings_connector::{
    AppCredentials, AppProof, ClientCertificate, CredentialsError, FederatedAssertion, ManagedIdentity,
    ServiceUrlPolicy,
};

use crate::config::{AppCredential, CertificateKey, Config, ConfigError};
use crate::start_error::StartError;

impl Config {
    /// Which connectors the bot may call: in local mode this machine's, with an app id Microsoft's channels; in both
    /// the listed hosts (`TIDINGS_ALLOWED_SERVICE_HOSTS`).
    #[must_use]
    pub fn service_urls(&self) -> ServiceUrlPolicy {
        let policy = match self.app_id {
            None => ServiceUrlPolicy::local(),
            Some(_) => ServiceUrlPolicy::microsoft(),
        };
        policy.allow_all(&self.allowed_service_hosts)
    }

    /// The tokens for calls to channels; `None` in local mode. Nothing is asked for yet, but the files of a certificate
    /// are read.
    ///
    /// # Errors
    ///
    /// A file cannot be read, or what the settings hold is no credential; the message names the setting.
    pub fn app_credentials(&self) -> Result<Option<AppCredentials>, StartError> {
        let (Some(registration), Some(credential)) = (self.registration(), self.credential()) else {
            return Ok(None);
        };
        let credentials = AppCredentials::builder(&registration, &self.cloud, proof(credential)?)
            .timeout(self.send_timeout)
            .build()?;
        Ok(Some(credentials))
    }

    /// Who judges the tokens that come in; `None` in local mode.
    pub(crate) fn authenticator(&self) -> Result<Option<Authenticator>, StartError> {
        let Some(registration) = self.registration() else {
            return Ok(None);
        };
        let options =
            AuthenticatorOptions::new(&registration, &self.cloud)?.allowed_callers(&self.allowed_callers);
        Ok(Some(Authenticator::new(options)))
    }
}

fn proof(credential: AppCredential<'_>) -> Result<AppProof, StartError> {
    Ok(match credential {
        AppCredential::Password(password) => AppProof::ClientSecret(password.clone()),
        AppCredential::Certificate {
            file,
            thumbprint,
            key,
        } => AppProof::Certificate(certificate(file, thumbprint, key)?),
        AppCredential::Federated {
            token_file: Some(file),
            ..
        } => AppProof::Federated(FederatedAssertion::TokenFile(file.to_owned())),
        AppCredential::Federated { client_id, .. } => {
            AppProof::Federated(FederatedAssertion::ManagedIdentity {
                identity: this_machine(),
                client_id: client_id.map(str::to_owned),
            })
        }
        AppCredential::ManagedIdentity => AppProof::ManagedIdentity(this_machine()),
    })
}

fn this_machine() -> ManagedIdentity {
    ManagedIdentity::detect(|name| std::env::var(name).ok())
}

fn certificate(
    file: Option<&Path>,
    thumbprint: Option<&str>,
    key: CertificateKey<'_>,
) -> Result<ClientCertificate, StartError> {
    let certificate = file.map(read).transpose()?;
    let key: SecretString = match (key, file) {
        (CertificateKey::Inline(key), _) => key.clone(),
        (CertificateKey::File(file), _) | (CertificateKey::WithCertificate, Some(file)) => read(file)?.into(),
        (CertificateKey::WithCertificate, None) => {
            let message = "the certificate's private key is not set; set CertificatePrivateKey";
            return Err(CredentialsError::configuration(message).into());
        }
    };
    let certificate = match (&certificate, thumbprint) {
        (Some(certificate), _) => ClientCertificate::from_pem(certificate, &key),
        (None, thumbprint) => ClientCertificate::from_thumbprint(thumbprint.unwrap_or_default(), &key),
    };
    Ok(certificate?)
}

fn read(file: &Path) -> Result<String, StartError> {
    std::fs::read_to_string(file).map_err(|source| {
        ConfigError::Unreadable {
            path: file.to_owned(),
            source,
        }
        .into()
    })
}

#[cfg(test)]
mod tests {
    use tidings_connector::AppType;

    use super::*;

    const CERTIFICATE: &str = include_str!("../../tidings-connector/tests/it/keys/certificate.pem");
    const KEY: &str = include_str!("../../tidings-connector/tests/it/keys/certificate_key.pem");

    fn bot() -> Config {
        Config {
            app_id: Some("11111111-2222-4333-8444-555555555555".to_owned()),
            ..Config::default()
        }
    }

    #[test]
    fn each_credential_of_the_settings_is_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            Some(path)
        };
        let thumbprint = Some("00112233445566778899AABBCCDDEEFF00112233".to_owned());
        for (name, config) in [
            (
                "password",
                Config {
                    app_password: Some("sesame".into()),
                    ..bot()
                },
            ),
            (
                "both in one file",
                Config {
                    certificate_file: file("both.pem", &format!("{CERTIFICATE}{KEY}")),
                    ..bot()
                },
            ),
            (
                "two files",
                Config {
                    certificate_file: file("certificate.pem", CERTIFICATE),
                    certificate_key_file: file("key.pem", KEY),
                    ..bot()
                },
            ),
            (
                "thumbprint",
                Config {
                    certificate_thumbprint: thumbprint,
                    certificate_key: Some(KEY.into()),
                    ..bot()
                },
            ),
            (
                "token file",
                Config {
                    federated_token_file: file("token", "assertion"),
                    ..bot()
                },
            ),
            (
                "federated identity",
                Config {
                    federated_client_id: Some("identity".to_owned()),
                    ..bot()
                },
            ),
            (
                "managed identity",
                Config {
                    app_type: AppType::UserAssignedMsi,
                    app_tenant_id: Some("22222222-3333-4444-8555-666666666666".to_owned()),
                    ..bot()
                },
            ),
        ] {
            let credentials = config.app_credentials();
            assert!(matches!(credentials, Ok(Some(_))), "{name}: {credentials:?}");
            assert!(matches!(config.authenticator(), Ok(Some(_))), "{name}");
        }
        assert!(matches!(Config::default().app_credentials(), Ok(None)));
        assert!(matches!(Config::default().authenticator(), Ok(None)));
    }

    #[test]
    fn what_is_no_credential_is_said_without_its_secret() {
        let folder = tempfile::tempdir().unwrap();
        let missing = Config {
            certificate_file: Some(folder.path().join("nowhere.pem")),
            ..bot()
        };
        let nonsense = Config {
            certificate_thumbprint: Some("00112233445566778899AABBCCDDEEFF00112233".to_owned()),
            certificate_key: Some("open sesame".into()),
            ..bot()
        };
        for (config, says) in [(missing, "nowhere.pem cannot be read"), (nonsense, "private key")] {
            let error = config.app_credentials().unwrap_err();
            assert_eq!(error.exit_code(), 78);
            let error = format!("{error} {error:?}");
            assert!(error.contains(says) && !error.contains("sesame"), "{error}");
        }
    }
}
