//! How the engine's deliveries leave: behind the running turn of their conversation, through the connector.

use async_trait::async_trait;
use tidings_activity::{Activity, ConversationReference};
use tidings_bot::{Adapter, ConversationKey};
use tidings_connector::{ConnectorClient, Phase, SendError};
use tidings_proactive::Channel;

/// Sends what the engine owes.
pub(crate) struct ProactiveChannel {
    pub(crate) adapter: Adapter,
    pub(crate) connector: ConnectorClient,
}

#[async_trait]
impl Channel for ProactiveChannel {
    async fn send(
        &self,
        reference: &ConversationReference,
        activity: &Activity,
    ) -> Result<Option<String>, SendError> {
        let refused = |what: &str| SendError::new(Phase::Refused, format!("the reference has no {what}"));
        let service_url = reference
            .service_url
            .as_deref()
            .ok_or_else(|| refused("serviceUrl"))?;
        let conversation = reference
            .conversation_id()
            .ok_or_else(|| refused("conversation.id"))?;
        let key = ConversationKey::new(reference.channel_id.as_deref().unwrap_or_default(), conversation);
        // The worker is outside of every turn, so entering only waits and is never refused.
        let entered = self.adapter.gate().enter(&key).await;
        let _inside = entered.map_err(|error| SendError::new(Phase::Refused, error.to_string()))?;
        let sent = self
            .connector
            .send_to_conversation(service_url, conversation, activity)
            .await?;
        Ok(Some(sent.id).filter(|id| !id.is_empty()))
    }
}
