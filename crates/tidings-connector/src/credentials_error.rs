//! Why there is no token.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Whether it helps to ask for a token again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CredentialsErrorKind {
    /// A setting is wrong: it stays so until somebody changes it, here or at the identity provider. Not worth a retry.
    Configuration,
    /// The provider cannot be reached, is busy or makes no sense just now.
    Temporary,
}

/// Why there is no token.
///
/// Neither `Display` nor `Debug` ever hold a secret, an assertion or a token. In a
/// [`SendError`](crate::SendError) it is the `source`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CredentialsError {
    /// What went wrong and, where it is known, what to do; for a person.
    pub message: String,
    /// Whether it helps to ask again.
    pub kind: CredentialsErrorKind,
    /// The provider's code: `AADSTS700016`, or the `error` of OAuth (`invalid_client`) if there is none.
    pub code: Option<String>,
    /// How long the provider asks us to wait (`Retry-After`).
    pub retry_after: Option<Duration>,
    /// What it was caused by.
    pub source: Option<Arc<dyn Error + Send + Sync>>,
}

impl CredentialsError {
    /// An error that says `message` and may pass by itself.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            kind: CredentialsErrorKind::Temporary,
            code: None,
            retry_after: None,
            source: None,
        }
    }

    /// An error that says which setting is wrong.
    pub fn configuration(message: impl Into<String>) -> Self {
        Self {
            kind: CredentialsErrorKind::Configuration,
            ..Self::new(message)
        }
    }

    /// The same with its cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// Whether a setting has to be changed first.
    #[must_use]
    pub fn is_configuration(&self) -> bool {
        self.kind == CredentialsErrorKind::Configuration
    }
}

impl fmt::Display for CredentialsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no token for the connector: {}", self.message)
    }
}

impl Error for CredentialsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn Error + 'static))
    }
}
