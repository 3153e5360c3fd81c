//! How the engine's deliveries leave: behind the running turn of their conversation, through the connector.

use async_trait::async_trait;
use tidings_activity::ConversationReference;
use tidings_bot::{Adapter, ConversationKey};
use tidings_connector::{ConnectorClient, Phase, SendError};
use tidings_proactive::{Channel, Outgoing};

/// Sends what the engine owes.
pub(crate) struct ProactiveChannel {
    pub(crate) adapter: Adapter,
    pub(crate) connector: ConnectorClient,
    /// The serviceUrl of the local channel, which recognises repeats; `None` where it is off.
    pub(crate) local: Option<String>,
}

#[async_trait]
impl Channel for ProactiveChannel {
    async fn send(&self, outgoing: Outgoing<'_>) -> Result<Option<String>, SendError> {
        let Outgoing {
            conversation,
            activity,
            delivery,
            reconcile,
            ..
        } = outgoing;
        let refused = |what: &str| SendError::new(Phase::Refused, format!("the reference has no {what}"));
        let service_url = conversation
            .service_url
            .as_deref()
            .ok_or_else(|| refused("serviceUrl"))?;
        let conversation_id = conversation
            .conversation_id()
            .ok_or_else(|| refused("conversation.id"))?;
        let key = ConversationKey::new(
            conversation.channel_id.as_deref().unwrap_or_default(),
            conversation_id,
        );
        // The worker is outside of every turn, so entering only waits and is never refused.
        let entered = self.adapter.gate().enter(&key).await;
        let _inside = entered.map_err(|error| SendError::new(Phase::Refused, error.to_string()))?;
        let connector = self.connector.for_audience(conversation.identity.audience());
        let connector = match u64::try_from(delivery.get()) {
            Ok(delivery) if reconcile => connector.for_delivery(delivery),
            _ => connector,
        };
        let sent = connector
            .send_to_conversation(service_url, conversation_id, activity)
            .await?;
        Ok(Some(sent.id).filter(|id| !id.is_empty()))
    }

    fn reconciles(&self, conversation: &ConversationReference) -> bool {
        self.local.is_some() && conversation.service_url == self.local
    }

    fn adapter(&self) -> Option<&Adapter> {
        Some(&self.adapter)
    }
}
