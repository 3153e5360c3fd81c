//! The way out: whoever brings an activity to its channel.

use async_trait::async_trait;
use tidings_activity::{Activity, ConversationReference};
use tidings_bot::{Adapter, Conversation};
use tidings_connector::{Phase, SendError};

use crate::delivery::DeliveryId;

/// Brings one activity to one conversation. The server implements it with the adapter's gate and the connector.
///
/// The engine calls `send` for at most one activity of a conversation at a time, in the order in which they
/// were enqueued, and for different conversations at once. It sets no time limit: an implementation may wait
/// until a running turn of the conversation is over, and must bound the waiting for the channel itself.
#[async_trait]
pub trait Channel: Send + Sync + 'static {
    /// Sends what is going out and returns the id the channel gave it. Its token is for the
    /// [audience](tidings_bot::Identity::audience) of the conversation's identity.
    ///
    /// # Errors
    /// What the channel said, or how far the request came. The engine decides from it whether to try again.
    async fn send(&self, outgoing: Outgoing<'_>) -> Result<Option<String>, SendError>;

    /// Replaces the activity that the channel knows by the `id` of what is going out. Of a channel that does not say
    /// otherwise it is refused.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    async fn update(&self, outgoing: Outgoing<'_>) -> Result<(), SendError> {
        let _ = outgoing;
        Err(unsupported())
    }

    /// Deletes that activity; there is nothing else in what is going out. Of a channel that does not say otherwise it is
    /// refused.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    async fn delete(&self, outgoing: Outgoing<'_>) -> Result<(), SendError> {
        let _ = outgoing;
        Err(unsupported())
    }

    /// Whether the channel of this conversation recognises a repeat by the delivery's id, so that
    /// [`UnknownPolicy::Reconcile`](crate::UnknownPolicy::Reconcile) can be had there. Most cannot.
    fn reconciles(&self, conversation: &ConversationReference) -> bool {
        let _ = conversation;
        false
    }

    /// The adapter that runs the turns of named handlers; `None` where there are none.
    fn adapter(&self) -> Option<&Adapter> {
        None
    }
}

/// What a channel answers that does not know the operation.
fn unsupported() -> SendError {
    SendError::new(Phase::Refused, "this channel neither updates nor deletes").with_status(405, None)
}

/// One activity on its way out.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Outgoing<'a> {
    /// The delivery. A repeat of it has the same.
    pub delivery: DeliveryId,
    /// Where it goes to, and as whom.
    pub conversation: &'a Conversation,
    /// What goes there. The reference of the conversation has been applied to it. It has an `id` if it is updated or
    /// deleted.
    pub activity: &'a Activity,
    /// Whether the channel has to be told the delivery's id, so that it recognises a repeat.
    pub reconcile: bool,
}
