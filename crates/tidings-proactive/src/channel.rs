//! The way out: whoever brings an activity to its channel.

use async_trait::async_trait;
use tidings_activity::Activity;
use tidings_bot::Conversation;
use tidings_connector::SendError;

/// Brings one activity to one conversation. The server implements it with the adapter's gate and the connector.
///
/// The engine calls `send` for at most one activity of a conversation at a time, in the order in which they
/// were enqueued, and for different conversations at once. It sets no time limit: an implementation may wait
/// until a running turn of the conversation is over, and must bound the waiting for the channel itself.
#[async_trait]
pub trait Channel: Send + Sync + 'static {
    /// Sends `activity`, to which the reference of `conversation` has been applied already, and returns the id the
    /// channel gave it. Its token is for the [audience](tidings_bot::Identity::audience) of the conversation's
    /// identity.
    ///
    /// # Errors
    /// What the channel said, or how far the request came. The engine decides from it whether to try again.
    async fn send(
        &self,
        conversation: &Conversation,
        activity: &Activity,
    ) -> Result<Option<String>, SendError>;
}
