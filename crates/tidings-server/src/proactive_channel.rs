//! How the engine's deliveries leave: behind the running turn of their conversation, through the connector.

use async_trait::async_trait;
use tidings_activity::ConversationReference;
use tidings_bot::{Adapter, ConversationKey, GateGuard};
use tidings_connector::{ConnectorClient, Phase, SendError};
use tidings_proactive::{Channel, Outgoing};

/// Sends what the engine owes.
pub(crate) struct ProactiveChannel {
    pub(crate) adapter: Adapter,
    pub(crate) connector: ConnectorClient,
    /// The serviceUrl of the local channel, which recognises repeats; `None` where it is off.
    pub(crate) local: Option<String>,
}

/// The way to a conversation, with the place in it.
struct Way<'a> {
    service_url: &'a str,
    conversation_id: &'a str,
    connector: ConnectorClient,
    _inside: GateGuard,
}

impl ProactiveChannel {
    async fn way<'a>(&self, outgoing: &Outgoing<'a>) -> Result<Way<'a>, SendError> {
        let conversation = outgoing.conversation;
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
        let inside = entered.map_err(|error| SendError::new(Phase::Refused, error.to_string()))?;
        let connector = self.connector.for_audience(conversation.identity.audience());
        let connector = match u64::try_from(outgoing.delivery.get()) {
            Ok(delivery) if outgoing.reconcile => connector.for_delivery(delivery),
            _ => connector,
        };
        Ok(Way {
            service_url,
            conversation_id,
            connector,
            _inside: inside,
        })
    }
}

#[async_trait]
impl Channel for ProactiveChannel {
    async fn send(&self, outgoing: Outgoing<'_>) -> Result<Option<String>, SendError> {
        let way = self.way(&outgoing).await?;
        let sent = way
            .connector
            .send_to_conversation(way.service_url, way.conversation_id, outgoing.activity)
            .await?;
        Ok(Some(sent.id).filter(|id| !id.is_empty()))
    }

    async fn update(&self, outgoing: Outgoing<'_>) -> Result<(), SendError> {
        let way = self.way(&outgoing).await?;
        let id = outgoing.activity.id.as_deref().unwrap_or_default();
        way.connector
            .update_activity(way.service_url, way.conversation_id, id, outgoing.activity)
            .await
            .map(drop)
    }

    async fn delete(&self, outgoing: Outgoing<'_>) -> Result<(), SendError> {
        let way = self.way(&outgoing).await?;
        let id = outgoing.activity.id.as_deref().unwrap_or_default();
        way.connector
            .delete_activity(way.service_url, way.conversation_id, id)
            .await
    }

    fn reconciles(&self, conversation: &ConversationReference) -> bool {
        self.local.is_some() && conversation.service_url == self.local
    }

    fn adapter(&self) -> Option<&Adapter> {
        Some(&self.adapter)
    }
}
