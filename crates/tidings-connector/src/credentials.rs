//! The seam behind which tokens for outgoing calls are made.

use async_trait::async_trait;
use http::HeaderValue;

/// What a token is asked for.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct TokenRequest<'a> {
    /// The connector that is about to be called, as the activity spelled it. It has passed the
    /// [`ServiceUrlPolicy`](crate::ServiceUrlPolicy).
    pub service_url: &'a str,
}

impl<'a> TokenRequest<'a> {
    /// A request for a token that the connector at `service_url` accepts.
    #[must_use]
    pub fn new(service_url: &'a str) -> Self {
        Self { service_url }
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

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
#[error("no token for the connector: {message}")]
pub struct CredentialsError {
    /// What went wrong, for a person.
    pub message: String,
    /// What it was caused by.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl CredentialsError {
    /// An error that says `message`.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            source: None,
        }
    }
}
