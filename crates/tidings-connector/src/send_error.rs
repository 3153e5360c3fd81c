//! The one error of all calls to a connector.

use std::fmt;
use std::time::Duration;

/// How far a request came before it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// We did not try: the serviceUrl is not allowed, or the request cannot be built.
    Refused,
    /// Proved: no byte of the body left this process, and none will. To send again cannot repeat anything.
    BeforeBody,
    /// The body had begun to leave, or it cannot be proved that it had not. Without a
    /// [`status`](SendError::status) the outcome is unknown.
    ///
    /// A request that has no body (`GET`, `DELETE`) counts as left as soon as there is a connection.
    AfterBody,
}

/// A call to a connector that did not succeed.
///
/// `Display` says everything a person needs, the cause included. [`source`](Self::source) is there for downcasting
/// and is therefore not repeated in `std::error::Error::source`.
#[derive(Debug)]
#[non_exhaustive]
pub struct SendError {
    /// How far the request came.
    pub phase: Phase,
    /// The connector's HTTP status, if it answered. May be a 2xx status: then the connector has accepted the request
    /// and only its answer is of no use.
    pub status: Option<u16>,
    /// The connector's error code (`error.code`), see [`code`](crate::code).
    pub code: Option<String>,
    /// How long the connector asks us to wait (`Retry-After`), at most a day.
    pub retry_after: Option<Duration>,
    /// The connector's own words, or ours if it did not answer; at most about a thousand characters.
    pub message: String,
    /// The connector's `X-Correlating-OperationId`, by which its operator finds the call.
    pub operation_id: Option<String>,
    /// What it was caused by, if not by an answer.
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl SendError {
    /// An error of which nothing more is known. Also for those who play the connector in tests.
    pub fn new(phase: Phase, message: impl Into<String>) -> Self {
        Self {
            phase,
            status: None,
            code: None,
            retry_after: None,
            message: message.into(),
            operation_id: None,
            source: None,
        }
    }

    /// The same with the connector's status and, if it gave one, its error code.
    #[must_use]
    pub fn with_status(mut self, status: u16, code: Option<String>) -> Self {
        self.status = Some(status);
        self.code = code;
        self
    }

    /// The same with what the connector asks us to wait.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// The same with its cause, for downcasting.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Whether the connector accepted the request all the same: it answered 2xx, but with something we cannot use.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }

    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::new(Phase::Refused, message)
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.status, &self.code) {
            (Some(status), Some(code)) => {
                write!(f, "the connector answered {status} ({code}): {}", self.message)?;
            }
            (Some(status), None) => write!(f, "the connector answered {status}: {}", self.message)?,
            (None, _) => f.write_str(&self.message)?,
        }
        match &self.operation_id {
            Some(id) => write!(f, " (operation {id})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for SendError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_status_code_and_words() {
        let error = SendError::new(Phase::AfterBody, "User blocked the conversation.")
            .with_status(403, Some("ConversationBlockedByUser".to_owned()));
        assert_eq!(
            error.to_string(),
            "the connector answered 403 (ConversationBlockedByUser): User blocked the conversation."
        );
        let error = SendError::new(Phase::AfterBody, "oops").with_status(502, None);
        assert_eq!(error.to_string(), "the connector answered 502: oops");
        let error = SendError {
            operation_id: Some("o-1".to_owned()),
            ..error
        };
        assert_eq!(
            error.to_string(),
            "the connector answered 502: oops (operation o-1)"
        );
        assert_eq!(
            SendError::new(Phase::BeforeBody, "no connection").to_string(),
            "no connection"
        );
    }

    #[test]
    fn accepted_means_2xx() {
        let status = |status| {
            SendError::new(Phase::AfterBody, "")
                .with_status(status, None)
                .is_accepted()
        };
        assert!(!status(199) && status(200) && status(299) && !status(300));
        assert!(!SendError::new(Phase::AfterBody, "").is_accepted());
    }
}
