//! The probe of metadata, over the network.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tidings_connector::jwt::PublishedKeys;

use super::{Answered, MetadataProbe, ProbeError};

/// Fetches metadata and keys over the network. What does not come, and what are no keys, is
/// [`ProbeError::Unreachable`].
#[derive(Clone, Copy, Debug)]
pub struct KeyProbe {
    timeout: Duration,
}

impl KeyProbe {
    /// A probe that waits for so long.
    #[must_use]
    pub fn new(timeout: Duration) -> Self {
        Self { timeout }
    }
}

#[async_trait]
impl MetadataProbe for KeyProbe {
    async fn metadata(&self, url: &str) -> Result<Answered, ProbeError> {
        let keys = PublishedKeys::look_up(url, self.timeout)
            .await
            .map_err(ProbeError::Unreachable)?;
        let date = keys
            .date
            .and_then(|theirs| Some((Timestamp::try_from(theirs).ok()?, Timestamp::now())));
        Ok(Answered { date })
    }
}
