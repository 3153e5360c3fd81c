//! Where the activities of a turn go.

use std::sync::Arc;

use async_trait::async_trait;
use tidings_activity::{
    Activity, ConversationParameters, ConversationReference, ConversationResourceResponse, ResourceResponse,
};

use crate::error::{Error, Result};

mod collector;
mod connector;

pub use collector::Collector;
pub use connector::ConnectorOutbound;

/// Where the activities of a turn go: to the channel through its connector ([`ConnectorOutbound`]), or into a
/// [`Collector`].
///
/// Activities come addressed: `serviceUrl`, `conversation` and, for replies, `replyToId` are set.
#[async_trait]
pub trait Outbound: Send + Sync + 'static {
    /// Sends `activity`; the answer has the id that the channel gave it, or an empty one if it gave none.
    async fn send(&self, activity: &Activity) -> Result<ResourceResponse>;

    /// Replaces the activity that the channel knows by `activity.id`.
    async fn update(&self, activity: &Activity) -> Result<ResourceResponse>;

    /// Deletes the activity that `reference` names.
    async fn delete(&self, reference: &ConversationReference) -> Result<()>;

    /// The same way out for an audience of its own: the app id of another bot, whose connector takes only tokens
    /// that are meant for it. `None` where no tokens are sent.
    fn for_audience(&self, _audience: &str) -> Option<Arc<dyn Outbound>> {
        None
    }

    /// Opens a new conversation at the channel behind `service_url`.
    async fn create_conversation(
        &self,
        _service_url: &str,
        _parameters: &ConversationParameters,
    ) -> Result<ConversationResourceResponse> {
        Err(Error::msg("conversations cannot be created here"))
    }
}
