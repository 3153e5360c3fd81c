//! What can go wrong in the engine's own calls. A delivery that fails is not an error here: it is recorded
//! with the delivery.

use tidings_store::StoreError;

/// Why a call to [`Jobs`](crate::Jobs) or [`Proactive`](crate::Proactive) failed. Nothing was kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProactiveError {
    /// The reference does not say which conversation it means.
    #[error(
        "the conversation reference has no conversation.id; take it from an activity of the conversation"
    )]
    NoConversation,
    /// A reference or an activity cannot be written as JSON.
    #[error("the {what} cannot be written as JSON")]
    Unwritable {
        /// Which of the two.
        what: &'static str,
        /// What the encoder says.
        source: serde_json::Error,
    },
    /// A stored row does not decode.
    #[error("the stored {what} cannot be read")]
    Unreadable {
        /// The row and the column.
        what: String,
        /// What the decoder says.
        source: serde_json::Error,
    },
    /// [`Proactive::run`](crate::Proactive::run) is running already.
    #[error("the delivery worker is running already; one per database is enough")]
    AlreadyRunning,
    /// The runtime went away before the commit was answered. It may have happened.
    #[error("the runtime is shutting down; whether the change was kept will show after the next start")]
    Interrupted,
    /// The database refused.
    #[error(transparent)]
    Store(#[from] StoreError),
}
