//! What the doctor asks the network through.

use async_trait::async_trait;
use jiff::Timestamp;

/// The answer to a probe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answered {
    /// The time by the answer's `Date` header, and the time by this machine's clock when it arrived.
    pub date: Option<(Timestamp, Timestamp)>,
}

/// Why a probe has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProbeError {
    /// Nobody answered, or what answered made no sense.
    #[error("{0}")]
    Unreachable(String),
    /// The other side said no; its words, without secrets.
    #[error("{0}")]
    Refused(String),
}

/// Asks for a token as the server would.
#[async_trait]
pub trait TokenProbe: Send + Sync {
    /// Asks the identity provider for a token for the channels, past every cache.
    ///
    /// # Errors
    ///
    /// None can be had.
    async fn token(&self) -> Result<Answered, ProbeError>;
}

/// Fetches the metadata of signing keys as the server would.
#[async_trait]
pub trait MetadataProbe: Send + Sync {
    /// Fetches the metadata of keys at `url`, and those keys.
    ///
    /// # Errors
    ///
    /// They cannot be had.
    async fn metadata(&self, url: &str) -> Result<Answered, ProbeError>;
}
