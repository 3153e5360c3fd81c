//! The engine behind the API's door.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::value::RawValue;
use tidings_bot::Conversation;
use tidings_proactive::{Enqueue, Proactive, ProactiveError};
use tidings_store::StoreErrorKind;

use super::intake::{Intake, NotTaken, Taken, Why};
use super::order::{Order, OrderContent};

/// When a caller may try again whose conversation or tenant has too much waiting.
const BACKLOG_EASES: Duration = Duration::from_secs(10);

#[async_trait]
impl Intake for Proactive {
    async fn take(&self, orders: Vec<Order>) -> Result<Taken, NotTaken> {
        let wanted = orders
            .iter()
            .map(|order| (order.channel_id.clone(), order.conversation_id.clone()))
            .collect();
        let conversations = self.conversations(wanted).await.map_err(|error| NotTaken {
            order: 0,
            why: why(error),
        })?;
        let mut all = Vec::with_capacity(orders.len());
        for (place, (order, conversation)) in orders.into_iter().zip(conversations).enumerate() {
            let refused = |why| NotTaken { order: place, why };
            let conversation = conversation.ok_or_else(|| refused(Why::UnknownConversation))?;
            all.push(enqueue(self, order, conversation).map_err(|error| refused(why(error)))?);
        }
        let accepted = self.enqueue_all(all).await.map_err(|refused| NotTaken {
            order: refused.index,
            why: why(refused.error),
        })?;
        let ids: Vec<_> = accepted.iter().map(|one| one.id).collect();
        let predicted_finish = match ids.len() {
            1 => None,
            _ => self.deliveries().predicted_finish(ids).await.unwrap_or(None),
        };
        Ok(Taken {
            deliveries: accepted.into_iter().map(|one| (one.id, one.state)).collect(),
            predicted_finish,
        })
    }
}

fn enqueue(engine: &Proactive, order: Order, conversation: Conversation) -> Result<Enqueue, ProactiveError> {
    let mut enqueue = match order.content {
        OrderContent::Activity(activity) => Enqueue::new(engine, conversation, &activity)?,
        OrderContent::Handler { name, payload } => {
            // It was cut out of the body, so it is JSON.
            let payload = RawValue::from_string(payload).ok();
            Enqueue::handler(engine, conversation, name, &payload)?
        }
    };
    if let Some(class) = order.class {
        enqueue = enqueue.class(class);
    }
    if let Some(key) = order.dedupe_key {
        enqueue = enqueue.dedupe_key(key);
    }
    if let Some(at) = order.not_before {
        enqueue = enqueue.not_before(at);
    }
    if let Some(at) = order.expires_at {
        enqueue = enqueue.expires_at(at);
    }
    if let Some(policy) = order.policy {
        enqueue = enqueue.policy(policy);
    }
    Ok(enqueue)
}

fn why(error: ProactiveError) -> Why {
    match error {
        ProactiveError::UnknownConversation { .. } => Why::UnknownConversation,
        ProactiveError::DedupeConflict { id } => Why::DedupeConflict(id),
        ProactiveError::TooLarge { limit, .. } => Why::TooLarge { limit },
        error @ ProactiveError::NotOwed { .. } => Why::BadContent("activity.type", error.to_string()),
        error @ ProactiveError::BadChange { .. } => Why::BadContent("payload", error.to_string()),
        ProactiveError::PayloadTooLarge { limit, .. } => Why::PayloadTooLarge { limit },
        ProactiveError::Store(error) if error.kind() == StoreErrorKind::Full => Why::DatabaseFull,
        ProactiveError::BacklogFull => Why::BacklogFull {
            retry_after: BACKLOG_EASES,
        },
        ProactiveError::TenantBacklogFull { tenant } => Why::TenantBacklogFull {
            tenant,
            retry_after: BACKLOG_EASES,
        },
        ProactiveError::ExpiresBeforeDue { .. } => Why::Expired,
        ProactiveError::CannotReconcile { .. } => Why::NoReconcile,
        error @ (ProactiveError::BadName { .. }
        | ProactiveError::NulCharacter { .. }
        | ProactiveError::NoConversation) => Why::Invalid(error.to_string()),
        error => Why::Failed(error),
    }
}
