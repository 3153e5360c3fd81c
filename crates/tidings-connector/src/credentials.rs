//! The seam behind which tokens for outgoing calls are made.

use async_trait::async_trait;
use http::HeaderValue;

use crate::CredentialsError;

/// What a token is asked for.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct TokenRequest<'a> {
    /// The connector that is about to be called, as the activity spelled it. It has passed the
    /// [`ServiceUrlPolicy`](crate::ServiceUrlPolicy).
    pub service_url: &'a str,
    /// Whom the token is for: `None` for a channel, else the app id of the bot that called this one as a skill
    /// (protocol, section 3.4).
    pub audience: Option<&'a str>,
}

impl<'a> TokenRequest<'a> {
    /// A request for a token that the channel's connector at `service_url` accepts.
    #[must_use]
    pub fn new(service_url: &'a str) -> Self {
        Self {
            service_url,
            audience: None,
        }
    }

    /// The same for the bot with the app id `audience`, if there is one.
    #[must_use]
    pub fn for_audience(mut self, audience: Option<&'a str>) -> Self {
        self.audience = audience;
        self
    }
}

/// Makes the `Authorization` header of a call to a connector.
///
/// It is asked before each call, within the call's time limit: implementations cache.
#[async_trait]
pub trait Credentials: Send + Sync + 'static {
    /// The header's whole value (`Bearer ...`), or `None` to call without one.
    ///
    /// # Errors
    ///
    /// When no token can be had. Nothing is sent then.
    async fn authorization(
        &self,
        request: &TokenRequest<'_>,
    ) -> Result<Option<HeaderValue>, CredentialsError>;

    /// The connector has answered 401 to the value `refused`: it must not be used again. Returns whether it is worth
    /// asking for another; the call is then repeated once with that.
    ///
    /// A 401 proves that the activity was not accepted, so the repetition cannot double it.
    fn drop_refused(&self, _request: &TokenRequest<'_>, _refused: &HeaderValue) -> bool {
        false
    }
}

/// No authentication, as in local mode: no header is sent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Anonymous;

#[async_trait]
impl Credentials for Anonymous {
    async fn authorization(
        &self,
        _request: &TokenRequest<'_>,
    ) -> Result<Option<HeaderValue>, CredentialsError> {
        Ok(None)
    }
}
