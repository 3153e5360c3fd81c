//! Why an inbound activity was not answered by the bot.

use std::time::Duration;

use tidings_connector::ServiceUrlError;
use tidings_store::{StoreError, StoreErrorKind};

use crate::error::Error;
use crate::in_flight::NotAdmitted;

/// Why [`Adapter::process`](crate::Adapter::process) gives no answer of the bot. [`status`](Self::status) is
/// the HTTP status for it.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ProcessError {
    /// A field that every turn needs is missing or empty. 400.
    #[error("{field}: {problem}")]
    BadActivity {
        /// The field by its JSON path, such as `conversation.id`.
        field: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The activity asks for answers to an address that this bot does not talk to. 403.
    #[error("serviceUrl: {0}")]
    ServiceUrl(#[source] std::sync::Arc<ServiceUrlError>),
    /// As many turns run or wait as are allowed at once, in all or in this conversation: see
    /// [`AdapterBuilder::max_turns`](crate::AdapterBuilder::max_turns). 503, worth another try.
    #[error("too many turns are running or waiting; try again in a moment")]
    Overloaded,
    /// The process is about to end and takes nothing new. 503, worth another try elsewhere.
    #[error("the bot is shutting down")]
    ShuttingDown,
    /// The bot failed and its `on_turn_error` did not settle it. 500; 503 if the database did not answer, so that nothing
    /// of the turn was kept.
    #[error("the turn failed: {0}")]
    Turn(Error),
    /// The turn ran longer than the adapter allows. 500.
    #[error("the turn took longer than {} s and was ended", limit.as_secs_f64())]
    TimedOut {
        /// The adapter's limit.
        limit: Duration,
    },
    /// A handler panicked. Its message is in the log, not here. 500.
    #[error("the turn panicked")]
    Panicked,
}

impl ProcessError {
    /// The HTTP status to answer with.
    pub fn status(&self) -> u16 {
        match self {
            Self::BadActivity { .. } => 400,
            Self::ServiceUrl(_) => 403,
            Self::Overloaded | Self::ShuttingDown => 503,
            Self::Turn(error) if wants_another_try(error) => 503,
            Self::Turn(_) | Self::TimedOut { .. } | Self::Panicked => 500,
        }
    }

    /// A stable word for the kind of error, in the style of the Bot Framework's error codes.
    pub fn code(&self) -> &'static str {
        match self {
            Self::BadActivity { .. } => "MissingProperty",
            Self::ServiceUrl(_) => "ForbiddenServiceUrl",
            Self::Overloaded => "Overloaded",
            Self::ShuttingDown => "ShuttingDown",
            Self::Turn(error) if wants_another_try(error) => "DatabaseUnavailable",
            Self::Turn(_) => "BotError",
            Self::TimedOut { .. } => "BotTimeout",
            Self::Panicked => "BotPanicked",
        }
    }

    /// The JSON path of the activity's field that the error is about, if it is about one.
    pub fn field(&self) -> Option<&'static str> {
        match self {
            Self::BadActivity { field, .. } => Some(field),
            Self::ServiceUrl(_) => Some("serviceUrl"),
            Self::Overloaded
            | Self::ShuttingDown
            | Self::Turn(_)
            | Self::TimedOut { .. }
            | Self::Panicked => None,
        }
    }

    /// How long the caller should wait before it tries again, where that makes sense.
    pub fn retry_after(&self) -> Option<Duration> {
        (self.status() == 503).then_some(Duration::from_secs(1))
    }
}

/// Whether a turn failed because its database did not answer, or gave way to others.
fn wants_another_try(error: &Error) -> bool {
    error
        .downcast_ref::<StoreError>()
        .is_some_and(|error| matches!(error.kind(), StoreErrorKind::Busy | StoreErrorKind::Retry))
}

impl From<NotAdmitted> for ProcessError {
    fn from(reason: NotAdmitted) -> Self {
        match reason {
            NotAdmitted::Full => Self::Overloaded,
            NotAdmitted::Closing => Self::ShuttingDown,
        }
    }
}

/// How a turn ended without an answer of its handler; given to `on_turn_error` inside an [`Error`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TurnFailure {
    /// The turn ran longer than the adapter allows and was cut off at its last `await`.
    #[error("the turn took longer than {} s and was ended", limit.as_secs_f64())]
    TimedOut {
        /// The adapter's limit.
        limit: Duration,
    },
    /// A handler, middleware or hook panicked.
    #[error("the turn panicked: {message}")]
    Panicked {
        /// What the panic said.
        message: String,
    },
}
