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
