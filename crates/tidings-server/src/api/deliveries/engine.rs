//! The door, as the engine opens it.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::value::RawValue;
use tidings_bot::Conversation;
use tidings_proactive::{Enqueue, Proactive, ProactiveError};

use super::intake::{Intake, NotTaken, Taken, Why};
use super::order::{Order, OrderContent};

/// What whoever finds a conversation's backlog full is asked to wait: some of it will have ended by then, if anything
/// ends there.
const BACKLOG_PAUSE: Duration = Duration::from_secs(5);

#[async_trait]
impl Intake for Proactive {
    async fn take(&self, orders: Vec<Order>) -> Result<Taken, NotTaken> {
        let mut known = HashMap::new();
        let mut all = Vec::with_capacity(orders.len());
        for (order, wanted) in orders.into_iter().enumerate() {
            let refused = |error| NotTaken {
                order,
                why: why(error),
            };
            let place = (wanted.channel_id.clone(), wanted.conversation_id.clone());
            let conversation: Conversation = match known.get(&place) {
                Some(conversation) => Conversation::clone(conversation),
                None => {
                    let conversation = self
                        .conversation(place.0.as_deref(), &place.1)
                        .await
                        .map_err(refused)?;
                    known.insert(place, conversation.clone());
                    conversation
                }
            };
            all.push(enqueue(self, conversation, wanted).map_err(refused)?);
        }
        let accepted = self.enqueue_all(all).await.map_err(|refused| NotTaken {
            order: refused.index,
            why: why(refused.error),
        })?;
        let predicted_finish = self
            .predicted_finish(known.values())
            .await
            .unwrap_or_else(|error| {
                tracing::warn!(%error, "the end of a batch cannot be predicted");
                None
            });
        Ok(Taken {
            deliveries: accepted.into_iter().map(|one| (one.id, one.state)).collect(),
            predicted_finish,
        })
    }
}

fn enqueue(engine: &Proactive, conversation: Conversation, order: Order) -> Result<Enqueue, ProactiveError> {
    let mut enqueue = match order.content {
        OrderContent::Activity(activity) => Enqueue::new(engine, conversation, &activity)?,
        OrderContent::Handler { name, payload } => {
            let payload = RawValue::from_string(payload).map_err(|source| ProactiveError::Unwritable {
                what: "payload",
                source,
            })?;
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
        ProactiveError::BacklogFull => Why::BacklogFull {
            retry_after: BACKLOG_PAUSE,
        },
        ProactiveError::ExpiresBeforeDue { .. } => Why::Expired,
        ProactiveError::CannotReconcile { .. } => Why::NoReconcile,
        error @ (ProactiveError::NoConversation
        | ProactiveError::BadName { .. }
        | ProactiveError::Unwritable { .. }) => Why::Invalid(error.to_string()),
        error => Why::Failed(error.to_string()),
    }
}
