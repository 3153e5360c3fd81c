//! The time between the signal to stop and the end: nothing new begins, what runs may finish.

use tokio_util::sync::CancellationToken;

use crate::api_error::ApiError;

/// Whether the server is draining.
///
/// While it drains it still serves the local connector: a running turn must be able to send its replies.
#[derive(Clone, Default)]
pub(crate) struct Drain(CancellationToken);

impl Drain {
    pub(crate) fn begin(&self) {
        self.0.cancel();
    }

    pub(crate) fn begun(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Cancelled when draining begins, for workers.
    pub(crate) fn token(&self) -> CancellationToken {
        self.0.clone()
    }

    pub(crate) fn admit(&self, path: &str) -> Result<(), ApiError> {
        let is_connector = ["/v3/conversations/", "/v3/attachments/", "/local/"]
            .iter()
            .any(|start| path.starts_with(start));
        if is_connector || !self.begun() {
            return Ok(());
        }
        Err(ApiError::shutting_down())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_local_connector_is_served_while_draining() {
        let drain = Drain::default();
        assert!(drain.admit("/api/messages").is_ok());
        drain.begin();
        assert!(drain.admit("/v3/conversations/c/activities").is_ok());
        assert!(drain.admit("/v3/attachments/a").is_ok());
        assert!(drain.admit("/local/key/v3/conversations/c/activities").is_ok());
        for path in ["/api/messages", "/v3/directline/conversations", "/", "/readyz"] {
            assert_eq!(drain.admit(path), Err(ApiError::shutting_down()), "{path}");
        }
    }
}
