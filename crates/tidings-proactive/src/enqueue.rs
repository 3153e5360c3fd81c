//! Putting something on record as a delivery.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tidings_activity::{Activity, ActivityType};
use tidings_bot::Conversation;
use tidings_store::{Step, StoreError, Tx};

use crate::change::Change;
use crate::delivery::DeliveryId;
use crate::error::ProactiveError;
use crate::ledger::{self, Allowance, Content, Dedupe, Enqueued, Insist, NewDelivery, Refusal};
use crate::proactive::Proactive;
use crate::state::DeliveryState;
use crate::unknown_policy::UnknownPolicy;
use crate::worker::Worker;

/// The longest class, name of a handler and dedupe key, in bytes.
const MAX_NAME_BYTES: usize = 256;

/// The largest activity that any channel takes, in bytes of UTF-16 (protocol section 9).
pub(crate) const MAX_ACTIVITY_BYTES: usize = 256 * 1024;

/// The longest payload of a handler, in bytes of JSON. No channel bounds it, since it stays here; it is as long as the
/// activities that most channels take.
const MAX_PAYLOAD_BYTES: usize = 256 * 1024;

/// Something to be owed to a conversation: an activity, or a named handler with a payload.
///
/// [`commit`](Self::commit) puts it on record at once; [`Proactive::enqueue_all`] many together; staged in a turn (it
/// is a [`Step`]) it is kept exactly if the turn's state is kept, and sent after that commit.
///
/// ```
/// # use tidings_bot::{Result, TurnContext};
/// # use tidings_proactive::{Enqueue, Proactive, UnknownPolicy};
/// # use tidings_activity::Activity;
/// async fn remind(turn: &mut TurnContext, proactive: Proactive) -> Result<()> {
///     let tea = Activity::message("Your tea is ready.");
///     let reminder = Enqueue::new(&proactive, turn.reference(), &tea)?
///         .class("reminder")
///         .dedupe_key("tea-of-today")
///         .policy(UnknownPolicy::AtMostOnce);
///     turn.stage(reminder);
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct Enqueue {
    worker: Arc<Worker>,
    delivery: NewDelivery,
    dedupe_key: Option<String>,
    expires_at: Option<Timestamp>,
    /// Whether it is among the accepted ones already: a commit that collides with others takes it more than once.
    is_counted: bool,
}

/// A delivery that was put on record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Accepted {
    /// Its id; for a known dedupe key that of the first.
    pub id: DeliveryId,
    /// Its state now. `Refused` where the conversation is closed.
    pub state: DeliveryState,
    /// Whether the dedupe key was known, so that nothing new is owed.
    pub replay: bool,
}

impl Enqueue {
    /// Owes `activity` to `conversation`, a [`Conversation`] or a bare
    /// [`ConversationReference`](tidings_activity::ConversationReference), owned or borrowed.
    ///
    /// It goes out as what the bot says on its own: its `id` and `replyToId` are dropped, an empty type becomes `message`.
    ///
    /// # Errors
    /// The reference names no conversation, one of the two cannot be written as JSON, or the type means something in a
    /// running turn only: `delay`, `invokeResponse`, `trace` ([`ProactiveError::NotOwed`]).
    pub fn new(
        proactive: &Proactive,
        conversation: impl Into<Conversation>,
        activity: &Activity,
    ) -> Result<Self, ProactiveError> {
        let content = Content::Activity(write_activity(activity)?);
        Self::of(proactive, conversation.into(), "message", content)
    }

    /// Owes a turn of the handler that is registered as `name` ([`Proactive::handler`]), with `payload`, which is kept as
    /// JSON.
    ///
    /// # Errors
    /// As [`new`](Self::new); the name has no byte or more than 256; the payload has more than 262,144 bytes of JSON
    /// ([`ProactiveError::PayloadTooLarge`]); the name is one of the engine's own
    /// ([`Proactive::handler`]) and the payload not what it takes ([`ProactiveError::BadChange`]).
    pub fn handler(
        proactive: &Proactive,
        conversation: impl Into<Conversation>,
        name: impl Into<String>,
        payload: &impl Serialize,
    ) -> Result<Self, ProactiveError> {
        let name = bounded("handler", name.into())?;
        let payload = write("payload", payload)?;
        if payload.len() > MAX_PAYLOAD_BYTES {
            return Err(ProactiveError::PayloadTooLarge {
                size: payload.len(),
                limit: MAX_PAYLOAD_BYTES,
            });
        }
        if let Some(change) = Change::named(&name) {
            change
                .read(&payload)
                .map_err(|problem| ProactiveError::BadChange { problem })?;
        }
        Self::of(
            proactive,
            conversation.into(),
            "message",
            Content::Handler { name, payload },
        )
    }

    fn of(
        proactive: &Proactive,
        conversation: Conversation,
        class: &str,
        content: Content,
    ) -> Result<Self, ProactiveError> {
        let worker = Arc::clone(&proactive.worker);
        let address = Address::of(conversation)?;
        let delivery = NewDelivery {
            channel_id: address.channel_id,
            conversation_id: address.conversation_id,
            reference: address.reference,
            identity: address.identity,
            content,
            class: class.to_owned(),
            policy: UnknownPolicy::default(),
            dedupe: None,
            not_before: None,
            expires_at: worker.expiry(),
            parent: None,
            trace: worker.trace(),
        };
        Ok(Enqueue {
            worker,
            delivery,
            dedupe_key: None,
            expires_at: None,
            is_counted: false,
        })
    }

    /// Owes it once: a second delivery with the same key in the same tenant is not put on record. The key is
    /// remembered for seven days.
    #[must_use]
    pub fn dedupe_key(mut self, key: impl Into<String>) -> Self {
        self.dedupe_key = Some(key.into());
        self
    }

    /// Order holds among the deliveries of one class in one conversation: `message` unless told otherwise.
    #[must_use]
    pub fn class(mut self, class: impl Into<String>) -> Self {
        self.delivery.class = class.into();
        self
    }

    /// Sends it not before `at`.
    #[must_use]
    pub fn not_before(mut self, at: Timestamp) -> Self {
        self.delivery.not_before = Some(at);
        self
    }

    /// It is `expired` if it could not be sent until `at`; 72 hours after `not_before` or now unless told otherwise.
    #[must_use]
    pub fn expires_at(mut self, at: Timestamp) -> Self {
        self.expires_at = Some(at);
        self
    }

    /// What to do when nobody knows whether it arrived.
    #[must_use]
    pub fn policy(mut self, policy: UnknownPolicy) -> Self {
        self.delivery.policy = policy;
        self
    }

    /// Puts it on record in a commit of its own and returns its id; for a known dedupe key the id of the first.
    ///
    /// # Errors
    /// [`ProactiveError`]; then nothing is owed.
    pub async fn commit(self) -> Result<DeliveryId, ProactiveError> {
        Ok(self.accept().await?.id)
    }

    /// As [`commit`](Self::commit), and tells more.
    ///
    /// # Errors
    /// As [`commit`](Self::commit).
    pub async fn accept(self) -> Result<Accepted, ProactiveError> {
        let (worker, delivery) = self.ready()?;
        let counters = Arc::clone(&worker.counters);
        worker
            .commit(1, move |tx, now, allowance| {
                let mut enqueued = ledger::enqueue(tx, delivery.clone(), now, Insist::No, allowance)?;
                let claimed = enqueued
                    .as_mut()
                    .ok()
                    .and_then(|enqueued| enqueued.claimed.take());
                Ok((enqueued, Vec::from_iter(claimed)))
            })
            .await?
            .inspect(|_| counters.accepted(1))
            .map(Accepted::from)
            .map_err(|refusal| ProactiveError::from_refusal(&refusal))
    }

    /// Checked against what the engine and the channel take, with all that has a default filled in.
    pub(crate) fn ready(self) -> Result<(Arc<Worker>, NewDelivery), ProactiveError> {
        let Enqueue {
            worker,
            mut delivery,
            dedupe_key,
            expires_at,
            is_counted: _,
        } = self;
        let now = worker.clock.now();
        let begins = delivery.not_before.unwrap_or(now).max(now);
        delivery.expires_at = expires_at.unwrap_or_else(|| {
            begins
                .checked_add(worker.options.expires_after)
                .unwrap_or(Timestamp::MAX)
        });
        if delivery.expires_at <= begins {
            return Err(ProactiveError::ExpiresBeforeDue {
                expires_at: delivery.expires_at,
                due_at: begins,
            });
        }
        delivery.class = bounded("class", delivery.class)?;
        if let Content::Activity(activity) = &delivery.content {
            let limit = worker.options.max_activity_bytes(&delivery.channel_id);
            check_size(activity, limit)?;
        }
        let reconciles =
            || serde_json::from_str(&delivery.reference).is_ok_and(|reference| worker.reconciles(&reference));
        if delivery.policy == UnknownPolicy::Reconcile && !reconciles() {
            return Err(ProactiveError::CannotReconcile {
                channel_id: delivery.channel_id,
            });
        }
        if let Some(key) = dedupe_key {
            let key = bounded("dedupe key", key)?;
            let body_sha256 = fingerprint(&delivery);
            delivery.dedupe = Some(Dedupe { key, body_sha256 });
        }
        Ok((worker, delivery))
    }
}

/// Channels count what they keep, which is UTF-16.
pub(crate) fn check_size(activity: &str, limit: usize) -> Result<(), ProactiveError> {
    // No text has more units than bytes, so a small one need not be counted.
    if activity.len() * 2 <= limit {
        return Ok(());
    }
    match activity.encode_utf16().count() * 2 {
        size if size > limit => Err(ProactiveError::TooLarge { size, limit }),
        _ => Ok(()),
    }
}

/// What makes two deliveries with one dedupe key the same.
fn fingerprint(delivery: &NewDelivery) -> [u8; 32] {
    let mut hash = Sha256::new();
    let (handler, body) = match &delivery.content {
        Content::Activity(activity) => ("", activity.as_str()),
        Content::Handler { name, payload } => (name.as_str(), payload.as_str()),
    };
    for part in [
        &delivery.channel_id,
        &delivery.conversation_id,
        &delivery.class,
        handler,
        body,
    ] {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

fn bounded(what: &'static str, text: String) -> Result<String, ProactiveError> {
    if text.is_empty() || text.len() > MAX_NAME_BYTES || text.contains('\0') {
        return Err(ProactiveError::BadName {
            what,
            limit: MAX_NAME_BYTES,
        });
    }
    Ok(text)
}

impl From<Enqueued> for Accepted {
    fn from(enqueued: Enqueued) -> Self {
        Accepted {
            id: enqueued.id,
            state: enqueued.state,
            replay: enqueued.replay,
        }
    }
}

impl Step for Enqueue {
    fn write(&mut self, tx: &Tx<'_>) -> Result<(), StoreError> {
        let (worker, delivery) = self.clone().ready().map_err(StoreError::other)?;
        let now = worker.clock.now();
        let enqueued = ledger::enqueue(
            tx,
            delivery,
            now,
            Insist::No,
            &mut Allowance::without_claims(&worker.backlog_bounds),
        )?;
        enqueued.map_err(|refusal: Refusal| StoreError::other(ProactiveError::from_refusal(&refusal)))?;
        if !std::mem::replace(&mut self.is_counted, true) {
            worker.counters.accepted(1);
        }
        worker.staged();
        Ok(())
    }
}

/// Which conversation a reference means, and the reference and the identity as JSON.
pub(crate) struct Address {
    pub(crate) channel_id: String,
    pub(crate) conversation_id: String,
    pub(crate) reference: String,
    pub(crate) identity: Option<String>,
}

impl Address {
    pub(crate) fn of(conversation: Conversation) -> Result<Self, ProactiveError> {
        let Conversation {
            mut reference,
            identity,
        } = conversation;
        // What the bot says on its own answers no activity; and so the references of one user are alike.
        reference.activity_id = None;
        let conversation_id = reference.conversation_id().filter(|id| !id.is_empty());
        let conversation_id = conversation_id.ok_or(ProactiveError::NoConversation)?;
        Ok(Address {
            conversation_id: keepable("conversation.id", conversation_id)?,
            channel_id: keepable("channelId", reference.channel_id.as_deref().unwrap_or_default())?,
            reference: write("reference", &reference)?,
            identity: identity.to_json().map_err(|source| ProactiveError::Unwritable {
                what: "identity",
                source,
            })?,
        })
    }
}

/// What is kept as a text of its own, and not inside JSON.
fn keepable(what: &'static str, text: &str) -> Result<String, ProactiveError> {
    match text.contains('\0') {
        true => Err(ProactiveError::NulCharacter { what }),
        false => Ok(text.to_owned()),
    }
}

/// An activity that is to be owed, as JSON.
pub(crate) fn write_activity(activity: &Activity) -> Result<String, ProactiveError> {
    for kind in [
        ActivityType::Delay,
        ActivityType::InvokeResponse,
        ActivityType::Trace,
    ] {
        if activity.has_type(kind.as_str()) {
            return Err(ProactiveError::NotOwed { kind });
        }
    }
    write("activity", activity)
}

pub(crate) fn write<T: Serialize>(what: &'static str, value: &T) -> Result<String, ProactiveError> {
    serde_json::to_string(value).map_err(|source| ProactiveError::Unwritable { what, source })
}
