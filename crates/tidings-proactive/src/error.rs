//! What can go wrong in the engine's own calls. A delivery that fails is not an error here: it is recorded
//! with the delivery.

use jiff::Timestamp;
use tidings_activity::ActivityType;
use tidings_store::StoreError;

use crate::delivery::DeliveryId;
use crate::ledger::Refusal;

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
    /// It would expire before it may be sent.
    #[error("it expires at {expires_at}, before it may be sent at {due_at}: choose a later expiresAt")]
    ExpiresBeforeDue {
        /// When it would expire.
        expires_at: Timestamp,
        /// When it may be sent.
        due_at: Timestamp,
    },
    /// The activity is larger than its channel takes.
    #[error("the activity has {size} bytes in UTF-16, and the channel takes {limit}: shorten or split it")]
    TooLarge {
        /// Its size in bytes, in UTF-16.
        size: usize,
        /// The most its channel takes.
        limit: usize,
    },
    /// The activity means something in a running turn only.
    #[error(
        "activity.type: an activity of type {kind} cannot be owed, it means something in a running turn only; send it from there"
    )]
    NotOwed {
        /// Its type: `delay`, `invokeResponse` or `trace`.
        kind: ActivityType,
    },
    /// The payload is not what `activity.update` or `activity.delete` takes.
    #[error("payload: {problem}")]
    BadChange {
        /// What is wrong with it.
        problem: String,
    },
    /// The payload of a handler is larger than it may be.
    #[error(
        "the payload has {size} bytes of JSON, and may have {limit}: store what is large elsewhere and pass its id"
    )]
    PayloadTooLarge {
        /// Its size in bytes, as JSON.
        size: usize,
        /// The most it may have.
        limit: usize,
    },
    /// A class, a handler's name or a dedupe key is empty, too long, or holds a NUL character.
    #[error("the {what} must have 1 to {limit} bytes and no NUL character")]
    BadName {
        /// Which of them.
        what: &'static str,
        /// The most bytes.
        limit: usize,
    },
    /// The id of a conversation or channel holds a NUL character, which no database keeps.
    #[error(
        "the {what} holds a NUL character, so it is no id that a channel gave: name the conversation as the channel does"
    )]
    NulCharacter {
        /// Which id.
        what: &'static str,
    },
    /// The channel recognises no repeats.
    #[error(
        "channel {channel_id:?} does not recognise repeats, so a delivery there cannot be reconciled: choose at_least_once or at_most_once"
    )]
    CannotReconcile {
        /// The channel.
        channel_id: String,
    },
    /// The dedupe key belongs to a delivery with another content.
    #[error("the dedupe key belongs to delivery {id}, which is another: use a key of its own")]
    DedupeConflict {
        /// The delivery that has the key.
        id: DeliveryId,
    },
    /// The conversation has as many open deliveries as it may.
    #[error("the conversation has as many open deliveries as it may: try again when some of them have ended")]
    BacklogFull,
    /// The conversations of the tenant have as many open deliveries as they may.
    #[error(
        "the conversations of tenant {tenant:?} have as many open deliveries as they may: try again when some of them have ended"
    )]
    TenantBacklogFull {
        /// The tenant; empty for conversations without one.
        tenant: String,
    },
    /// Nothing was ever owed to the conversation, and no job started there.
    #[error(
        "conversation {conversation_id:?} is not known here: a bot can write only where it was spoken to"
    )]
    UnknownConversation {
        /// The conversation's id.
        conversation_id: String,
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

impl ProactiveError {
    pub(crate) fn from_refusal(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::OtherBody { id } => ProactiveError::DedupeConflict { id: *id },
            Refusal::BacklogFull => ProactiveError::BacklogFull,
            Refusal::TenantFull { tenant } => ProactiveError::TenantBacklogFull {
                tenant: tenant.clone(),
            },
        }
    }
}
