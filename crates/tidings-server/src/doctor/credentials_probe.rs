//! The probe of the bot's credential, with the credentials the server sends with.

use std::sync::Arc;

use async_trait::async_trait;
use tidings_connector::{Credentials, TokenRequest};

use super::{Answered, ProbeError, TokenProbe};
use crate::config::Config;

/// Asks the server's own [`Credentials`], which must be new: what they have kept is no proof.
#[derive(Clone)]
pub struct CredentialsProbe {
    credentials: Arc<dyn Credentials>,
}

impl CredentialsProbe {
    /// A probe of what `config` proves the bot with; `None` in local mode.
    pub(super) fn of(config: &Config) -> Option<Arc<dyn TokenProbe>> {
        match config.app_credentials() {
            Ok(None) => None,
            Ok(Some(credentials)) => Some(Arc::new(Self::new(Arc::new(credentials)))),
            Err(error) => Some(Arc::new(Unusable(error.to_string()))),
        }
    }

    /// A probe of `credentials`.
    #[must_use]
    pub fn new(credentials: Arc<dyn Credentials>) -> Self {
        Self { credentials }
    }
}

#[async_trait]
impl TokenProbe for CredentialsProbe {
    async fn token(&self) -> Result<Answered, ProbeError> {
        // A token for the channels; which of their connectors it goes to makes no difference.
        let request = TokenRequest::new("https://smba.trafficmanager.net/");
        match self.credentials.authorization(&request).await {
            Ok(Some(_)) => Ok(Answered::default()),
            Ok(None) => Err(ProbeError::Unreachable("there are no credentials".to_owned())),
            Err(error) if error.is_configuration() => Err(ProbeError::Refused(error.message)),
            Err(error) => Err(ProbeError::Unreachable(error.message)),
        }
    }
}

/// A credential that cannot even be asked with.
struct Unusable(String);

#[async_trait]
impl TokenProbe for Unusable {
    async fn token(&self) -> Result<Answered, ProbeError> {
        Err(ProbeError::Refused(self.0.clone()))
    }
}
