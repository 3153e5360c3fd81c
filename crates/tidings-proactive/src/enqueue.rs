//! Putting an activity on record as a delivery.

use std::sync::Arc;

use tidings_activity::Activity;
use tidings_bot::Conversation;
use tidings_store::{Step, StoreError};

use crate::delivery::DeliveryId;
use crate::error::ProactiveError;
use crate::ledger::{self, NewDelivery};
use crate::proactive::Proactive;
use crate::worker::Worker;

/// An activity to be owed to a conversation, as a step of somebody else's commit.
///
/// Stage it in a turn and it is kept exactly if the turn's state is kept; the worker sends it after that commit.
pub struct Enqueue {
    worker: Arc<Worker>,
    delivery: NewDelivery,
}

impl Enqueue {
    /// Owes `activity` to `conversation`, a [`Conversation`] or a bare
    /// [`ConversationReference`](tidings_activity::ConversationReference), owned or borrowed.
    ///
    /// # Errors
    /// The reference names no conversation, or one of the two cannot be written as JSON.
    pub fn new(
        proactive: &Proactive,
        conversation: impl Into<Conversation>,
        activity: &Activity,
    ) -> Result<Self, ProactiveError> {
        let worker = Arc::clone(&proactive.worker);
        let lane = Lane::of(&conversation.into())?;
        let delivery = NewDelivery {
            channel_id: lane.channel_id,
            conversation_id: lane.conversation_id,
            class: "message",
            reference: lane.reference,
            identity: lane.identity,
            activity: write("activity", activity)?,
            dedupe_key: None,
            expires_at: worker.expiry(),
        };
        Ok(Enqueue { worker, delivery })
    }

    /// Owes it once: a second delivery with the same key is not put on record. The key is kept with the
    /// delivery, for as long as that is kept.
    #[must_use]
    pub fn dedupe_key(mut self, key: impl Into<String>) -> Self {
        self.delivery.dedupe_key = Some(key.into());
        self
    }

    /// Puts it on record in a commit of its own and returns its id; for a known dedupe key the id of the first.
    ///
    /// # Errors
    /// The database refused; then nothing is owed.
    pub async fn commit(self) -> Result<DeliveryId, ProactiveError> {
        let now = self.worker.clock.now();
        let delivery = self.delivery;
        self.worker
            .commit(move |tx, claim| {
                let inserted = ledger::insert(tx, delivery, now, claim)?;
                Ok((inserted.id, inserted.claimed))
            })
            .await
    }
}

impl Step for Enqueue {
    fn write(self: Box<Self>, tx: &tidings_store::Tx<'_>) -> Result<(), StoreError> {
        let now = self.worker.clock.now();
        ledger::insert(tx, self.delivery, now, false)?;
        self.worker.wake();
        Ok(())
    }
}

/// Which conversation a reference means, and the reference and the identity as JSON.
pub(crate) struct Lane {
    pub(crate) channel_id: String,
    pub(crate) conversation_id: String,
    pub(crate) reference: String,
    pub(crate) identity: Option<String>,
}

impl Lane {
    pub(crate) fn of(conversation: &Conversation) -> Result<Self, ProactiveError> {
        let Conversation { reference, identity } = conversation;
        let conversation_id = reference.conversation_id().filter(|id| !id.is_empty());
        Ok(Lane {
            conversation_id: conversation_id.ok_or(ProactiveError::NoConversation)?.to_owned(),
            channel_id: reference.channel_id.clone().unwrap_or_default(),
            reference: write("reference", reference)?,
            identity: identity.to_json().map_err(|source| ProactiveError::Unwritable {
                what: "identity",
                source,
            })?,
        })
    }
}

pub(crate) fn write<T: serde::Serialize>(what: &'static str, value: &T) -> Result<String, ProactiveError> {
    serde_json::to_string(value).map_err(|source| ProactiveError::Unwritable { what, source })
}
