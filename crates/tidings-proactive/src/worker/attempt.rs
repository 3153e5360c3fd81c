//! One attempt at one delivery.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt as _, TryFutureExt as _};
use jiff::Timestamp;
use tidings_activity::{Activity, ActivityType, ConversationReference, Direction};
use tidings_bot::{Conversation, Identity};
use tidings_connector::{SendError, code};
use tracing::{Instrument as _, Span};

use super::{Lease, Worker};
use crate::breaker::Contact;
use crate::change::Change;
use crate::channel::{Channel, Outgoing};
use crate::delivery::Failure;
use crate::handlers::UnreadablePayload;
use crate::ledger::{Claimed, Content, Ending, Failed, Outcome};
use crate::outcome::{AttemptOutcome, Judgement, PauseScope, judge};
use crate::reason::DeadReason;
use crate::spans;
use crate::unknown_policy::UnknownPolicy;

/// What is kept of a message from outside.
const MESSAGE_BYTES: usize = 500;

impl Worker {
    /// Sends a delivery once, or runs its handler, and says how that ended. `None`: it is on record already.
    pub(super) async fn attempt(
        self: &Arc<Self>,
        channel: &dyn Channel,
        lease: &Lease,
        delivery: Claimed,
    ) -> Option<Outcome> {
        let mut called = false;
        let ending = if lease.holds() && self.is_in_time(&delivery) {
            match &delivery.content {
                Content::Activity(activity) => {
                    called = true;
                    self.send_activity(channel, &delivery, activity, None).await
                }
                Content::Handler { name, payload } => match Change::named(name) {
                    Some(change) => {
                        called = true;
                        self.send_activity(channel, &delivery, payload, Some(change))
                            .await
                    }
                    // Boxed, or every attempt at an activity would carry the size of a whole turn.
                    None => Box::pin(self.run_handler(channel, &delivery, name, payload)).await?,
                },
            }
        } else {
            Ending::PutBack
        };
        Some(Outcome {
            ended_at: self.clock.now(),
            claimed: delivery,
            called,
            ending,
        })
    }

    /// Whether the part of its tenant's budget that was spent for it is still good. If not, it is taken anew.
    fn is_in_time(&self, delivery: &Claimed) -> bool {
        let now = self.clock.now();
        delivery
            .call_by
            .is_none_or(|by| self.terms().is_in_time(delivery.began_at, by, now))
    }

    /// Sends an activity, or changes the one that it names.
    async fn send_activity(
        &self,
        channel: &dyn Channel,
        delivery: &Claimed,
        activity: &str,
        change: Option<Change>,
    ) -> Ending {
        let (conversation, activity) = match decode(delivery, activity, change) {
            Ok(decoded) => decoded,
            Err(message) => return self.unreadable(delivery, message),
        };
        let outgoing = Outgoing {
            delivery: delivery.id,
            conversation: &conversation,
            activity: &activity,
            reconcile: delivery.policy == UnknownPolicy::Reconcile,
        };
        let sent = match change {
            None => channel.send(outgoing),
            Some(Change::Update) => channel.update(outgoing).map_ok(|()| None).boxed(),
            Some(Change::Delete) => channel.delete(outgoing).map_ok(|()| None).boxed(),
        };
        let sent = sent.instrument(self.span(delivery));
        match AssertUnwindSafe(sent).catch_unwind().await {
            Ok(Ok(activity_id)) => {
                self.note_contact(delivery, Contact::Reached);
                tracing::debug!(delivery.id = %delivery.id, delivery.starts = delivery.starts, "delivered");
                Ending::Delivered {
                    // An id with a NUL character is none, and no database keeps it.
                    activity_id: activity_id.filter(|id| !id.contains('\0')),
                }
            }
            Ok(Err(error)) if is_gone(&error, change) => self.not_there(delivery, &error, change),
            Ok(Err(error)) => self.failed(delivery, &error),
            Err(_panic) => self.panicked(delivery),
        }
    }

    /// The activity to be changed is not at the channel: which is what a deletion wants that may have happened already.
    fn not_there(&self, delivery: &Claimed, error: &SendError, change: Option<Change>) -> Ending {
        self.note_contact(delivery, Contact::Reached);
        if change == Some(Change::Delete) && delivery.starts > 1 {
            return Ending::Delivered { activity_id: None };
        }
        let failure = failure_of(error);
        self.dead(delivery, DeadReason::NotFound, AttemptOutcome::Rejected, failure)
    }

    async fn run_handler(
        self: &Arc<Self>,
        channel: &dyn Channel,
        delivery: &Claimed,
        name: &str,
        payload: &str,
    ) -> Option<Ending> {
        let failure = |message: String| Failure {
            message: cut(message),
            ..Failure::default()
        };
        let (Some(handler), Some(adapter)) = (self.handlers.get(name), channel.adapter()) else {
            let message = format!("no handler named {name:?} is registered in this process");
            return Some(self.dead(
                delivery,
                DeadReason::NoHandler,
                AttemptOutcome::NotSent,
                failure(message),
            ));
        };
        let conversation = match conversation(delivery) {
            Ok(conversation) => conversation,
            Err(message) => return Some(self.unreadable(delivery, message)),
        };
        let ran = handler
            .run(self, adapter, conversation, delivery, payload)
            .instrument(self.span(delivery));
        match AssertUnwindSafe(ran).catch_unwind().await {
            Ok(Ok(())) => None,
            Ok(Err(error)) if error.downcast_ref::<UnreadablePayload>().is_some() => {
                Some(self.unreadable(delivery, error.to_string()))
            }
            Ok(Err(error)) => {
                let failure = failure(format!("its handler failed: {error}"));
                Some(self.retry(delivery, None, None, AttemptOutcome::NotSent, failure))
            }
            Err(_panic) => Some(self.panicked(delivery)),
        }
    }

    /// The span of one attempt, which goes on with the trace that the delivery was put on record in.
    fn span(&self, delivery: &Claimed) -> Span {
        let span = spans::attempt(delivery.id, delivery.starts);
        if let (Some(carrier), Some(trace)) = (&self.options.trace, &delivery.trace) {
            carrier.resume(&span, trace);
        }
        span
    }

    fn failed(&self, delivery: &Claimed, error: &SendError) -> Ending {
        let failure = failure_of(error);
        let judgement = judge(error);
        if let Some(contact) = Contact::of(error) {
            self.note_contact(delivery, contact);
        }
        match judgement {
            Judgement::Accepted => Ending::Delivered { activity_id: None },
            Judgement::Retry {
                after,
                pause,
                attempt,
            } => self.retry(delivery, after, pause, attempt, failure),
            Judgement::Unknown { after } => self.unknown(delivery, after, failure),
            Judgement::Dead(reason) => self.dead(delivery, reason, AttemptOutcome::Rejected, failure),
            Judgement::CloseLane(reason) => {
                tracing::warn!(
                    delivery.id = %delivery.id,
                    lane.reason = %reason,
                    error.status = failure.status,
                    error.code = failure.code,
                    "the channel takes nothing more in a conversation"
                );
                self.closed_lanes
                    .close(&delivery.channel_id, &delivery.conversation_id);
                Ending::Closed {
                    reason,
                    failed: failed_as(AttemptOutcome::Closed, failure, None),
                }
            }
        }
    }

    fn note_contact(&self, delivery: &Claimed, contact: Contact) {
        let now = self.clock.now();
        self.terms()
            .breakers
            .record(&delivery.host, &delivery.tenant, contact, now);
    }

    fn unknown(&self, delivery: &Claimed, after: Option<Duration>, failure: Failure) -> Ending {
        if is_said(delivery) && delivery.policy == UnknownPolicy::AtMostOnce {
            return self.stays_unknown(AttemptOutcome::Unknown, delivery, after, failure);
        }
        self.retry(delivery, after, None, AttemptOutcome::Unknown, failure)
    }

    #[expect(clippy::unused_self, reason = "one of several endings, called alike")]
    fn stays_unknown(
        &self,
        attempt: AttemptOutcome,
        delivery: &Claimed,
        after: Option<Duration>,
        failure: Failure,
    ) -> Ending {
        tracing::warn!(
            delivery.id = %delivery.id,
            error.status = failure.status,
            error.message = failure.message,
            "nobody knows whether a delivery arrived, and it must not arrive twice"
        );
        Ending::Unknown {
            failed: failed_as(attempt, failure, after),
        }
    }

    fn panicked(&self, delivery: &Claimed) -> Ending {
        let failure = Failure {
            message: "sending it panicked".to_owned(),
            ..Failure::default()
        };
        if is_said(delivery) && delivery.policy == UnknownPolicy::AtMostOnce {
            return self.stays_unknown(AttemptOutcome::Lost, delivery, None, failure);
        }
        // Dead when that happens too often.
        self.retry(delivery, None, None, AttemptOutcome::Lost, failure)
    }

    fn retry(
        &self,
        delivery: &Claimed,
        asked: Option<Duration>,
        pause: Option<PauseScope>,
        attempt: AttemptOutcome,
        failure: Failure,
    ) -> Ending {
        let wait = asked.unwrap_or_else(|| self.options.backoff.after(delivery.starts, &*self.options.rng));
        // A wait beyond the end of time ends at the expiry, as any wait does.
        let due_at = self.clock.now().checked_add(wait).unwrap_or(Timestamp::MAX);
        tracing::warn!(
            delivery.id = %delivery.id,
            delivery.starts = delivery.starts,
            delivery.due_at = %due_at,
            error.status = failure.status,
            error.code = failure.code,
            error.message = failure.message,
            "a delivery failed and will be sent again"
        );
        let maybe_arrived =
            matches!(attempt, AttemptOutcome::Unknown | AttemptOutcome::Lost) && is_said(delivery);
        Ending::Retry {
            due_at,
            // A channel that recognises the repeat shows it once.
            repeat_possible: maybe_arrived && delivery.policy != UnknownPolicy::Reconcile,
            pause,
            failed: failed_as(attempt, failure, asked),
        }
    }

    #[expect(clippy::unused_self, reason = "one of several endings, called alike")]
    fn dead(
        &self,
        delivery: &Claimed,
        reason: DeadReason,
        attempt: AttemptOutcome,
        failure: Failure,
    ) -> Ending {
        tracing::error!(
            delivery.id = %delivery.id,
            delivery.starts = delivery.starts,
            delivery.reason = %reason,
            error.status = failure.status,
            error.code = failure.code,
            error.message = failure.message,
            "a delivery is dead"
        );
        Ending::Dead {
            reason,
            failed: failed_as(attempt, failure, None),
        }
    }

    fn unreadable(&self, delivery: &Claimed, message: String) -> Ending {
        let failure = Failure {
            message: cut(message),
            ..Failure::default()
        };
        self.dead(delivery, DeadReason::Unreadable, AttemptOutcome::NotSent, failure)
    }
}

/// Whether it says something, so that a repeat would be seen. A handler's turn keeps nothing before it is over, and what is
/// changed again is as it was.
fn is_said(delivery: &Claimed) -> bool {
    matches!(delivery.content, Content::Activity(_))
}

fn failure_of(error: &SendError) -> Failure {
    Failure {
        status: error.status,
        code: error.code.clone().map(cut),
        message: cut(error.to_string()),
    }
}

/// Whether a channel says of an activity that it is to change that it is not there. One that gives no codes may mean the
/// conversation as well, which the next message will show.
fn is_gone(error: &SendError, change: Option<Change>) -> bool {
    let code = error.code.as_deref();
    change.is_some()
        && error.status == Some(404)
        && code.is_none_or(|code| code == code::ACTIVITY_NOT_FOUND_IN_CONVERSATION)
}

fn failed_as(outcome: AttemptOutcome, failure: Failure, asked: Option<Duration>) -> Failed {
    Failed {
        outcome,
        failure,
        retry_after_ms: asked.and_then(|wait| i64::try_from(wait.as_millis()).ok()),
    }
}

/// The activity as it goes out: addressed by the reference, and by the plain send route, because nobody asked
/// for it just now.
fn decode(
    delivery: &Claimed,
    activity: &str,
    change: Option<Change>,
) -> Result<(Conversation, Activity), String> {
    let conversation = conversation(delivery)?;
    let mut activity = match change {
        Some(change) => change.read(activity)?,
        None => serde_json::from_str(activity)
            .map(on_its_own)
            .map_err(|error| format!("the stored activity cannot be read: {error}"))?,
    };
    activity.apply_reference(&conversation.reference, Direction::Outgoing);
    activity.reply_to_id = None;
    Ok((conversation, activity))
}

/// Nobody asked for it just now, and the channel has no id of it.
fn on_its_own(mut activity: Activity) -> Activity {
    activity.id = None;
    if activity.kind.as_str().is_empty() {
        activity.kind = ActivityType::Message;
    }
    activity
}

fn conversation(delivery: &Claimed) -> Result<Conversation, String> {
    let reference: ConversationReference = serde_json::from_str(&delivery.reference)
        .map_err(|error| format!("the stored reference cannot be read: {error}"))?;
    let identity = Identity::from_json(delivery.identity.as_deref())
        .map_err(|error| format!("the stored identity cannot be read: {error}"))?;
    Ok(Conversation::new(reference, identity))
}

fn cut(mut message: String) -> String {
    if message.len() > MESSAGE_BYTES {
        message.truncate(message.floor_char_boundary(MESSAGE_BYTES));
    }
    // A channel may say anything, and no database keeps this.
    if message.contains('\0') {
        return message.replace('\0', "\u{fffd}");
    }
    message
}
