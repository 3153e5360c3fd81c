//! The probe of the bot's credential, with the credentials the server sends with.

use std::sync::Arc;

use async_trait::async_trait;
use tidings_connector::{Credentials, TokenRequest};

use super::{Answered, ProbeError, TokenProbe};

/// What stands in the words of an identity provider that says no, in place of not answering.
const REFUSALS: &[&str] = &[
    "AADSTS",
    "invalid_client",
    "unauthorized_client",
    "invalid_request",
    "invalid_scope",
];

/// Asks the server's own [`Credentials`], which must be new: what they have kept is no proof.
#[derive(Clone)]
pub struct CredentialsProbe {
    credentials: Arc<dyn Credentials>,
}

impl CredentialsProbe {
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
            Err(error) if REFUSALS.iter().any(|word| error.message.contains(word)) => {
                Err(ProbeError::Refused(error.message))
            }
            Err(error) => Err(ProbeError::Unreachable(error.message)),
        }
    }
}
