//! One attempt at one delivery.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use tidings_activity::{Activity, ConversationReference, Direction};
use tidings_bot::{Conversation, Identity};
use tidings_connector::SendError;

use super::Worker;
use crate::channel::Channel;
use crate::delivery::{DeadReason, Failure};
use crate::ledger::{Claimed, Ending};
use crate::outcome::{Judgement, judge};

/// A delivery whose sending panics is dead at this start.
const POISON_AT_START: u32 = 3;
/// What is kept of a message from outside.
const MESSAGE_BYTES: usize = 500;

impl Worker {
    /// Sends a delivery once and says how it ended.
    pub(super) async fn attempt(&self, channel: &dyn Channel, delivery: &Claimed) -> Ending {
        let (conversation, activity) = match decode(delivery) {
            Ok(decoded) => decoded,
            Err(message) => {
                let failure = Failure {
                    message,
                    ..Failure::default()
                };
                return self.dead(delivery, DeadReason::Unreadable, failure);
            }
        };
        match AssertUnwindSafe(channel.send(&conversation, &activity))
            .catch_unwind()
            .await
        {
            Ok(Ok(activity_id)) => {
                tracing::debug!(delivery.id = %delivery.id, delivery.starts = delivery.starts, "delivered");
                Ending::Delivered { activity_id }
            }
            Ok(Err(error)) => self.failed(delivery, &error),
            Err(_panic) => self.panicked(delivery),
        }
    }

    fn failed(&self, delivery: &Claimed, error: &SendError) -> Ending {
        let failure = Failure {
            status: error.status,
            code: error.code.clone(),
            message: cut(error.to_string()),
        };
        match judge(error) {
            Judgement::Accepted => Ending::Delivered { activity_id: None },
            Judgement::Retry { after, .. } => self.retry(delivery, after, false, failure),
            Judgement::Unknown { after } => self.retry(delivery, after, true, failure),
            Judgement::Dead(reason) => self.dead(delivery, reason, failure),
            Judgement::CloseLane(_) => self.dead(delivery, DeadReason::Closed, failure),
        }
    }

    fn panicked(&self, delivery: &Claimed) -> Ending {
        let failure = Failure {
            message: "sending it panicked".to_owned(),
            ..Failure::default()
        };
        if delivery.starts >= POISON_AT_START {
            return self.dead(delivery, DeadReason::Poison, failure);
        }
        self.retry(delivery, None, true, failure)
    }

    fn retry(
        &self,
        delivery: &Claimed,
        asked: Option<Duration>,
        repeat_possible: bool,
        failure: Failure,
    ) -> Ending {
        let wait = asked.unwrap_or_else(|| self.options.backoff.after(delivery.starts, &*self.options.rng));
        // A wait beyond the end of time ends at the expiry, as any wait does.
        let due_at = self.clock.now().checked_add(wait).unwrap_or(delivery.expires_at);
        tracing::warn!(
            delivery.id = %delivery.id,
            delivery.starts = delivery.starts,
            delivery.due_at = %due_at,
            error.status = failure.status,
            error.code = failure.code,
            error.message = failure.message,
            "a delivery failed and will be sent again"
        );
        Ending::Retry {
            due_at,
            repeat_possible,
            failure,
        }
    }

    #[expect(clippy::unused_self, reason = "one of three endings, called alike")]
    fn dead(&self, delivery: &Claimed, reason: DeadReason, failure: Failure) -> Ending {
        tracing::error!(
            delivery.id = %delivery.id,
            delivery.starts = delivery.starts,
            delivery.reason = %reason,
            error.status = failure.status,
            error.code = failure.code,
            error.message = failure.message,
            "a delivery is dead"
        );
        Ending::Dead { reason, failure }
    }
}

/// The activity as it goes out: addressed by the reference, and by the plain send route, because nobody asked
/// for it just now.
fn decode(delivery: &Claimed) -> Result<(Conversation, Activity), String> {
    let reference: ConversationReference = serde_json::from_str(&delivery.reference)
        .map_err(|error| format!("the stored reference cannot be read: {error}"))?;
    let mut activity: Activity = serde_json::from_str(&delivery.activity)
        .map_err(|error| format!("the stored activity cannot be read: {error}"))?;
    activity.apply_reference(&reference, Direction::Outgoing);
    activity.reply_to_id = None;
    let identity = Identity::from_json(delivery.identity.as_deref())
        .map_err(|error| format!("the stored identity cannot be read: {error}"))?;
    Ok((Conversation::new(reference, identity), activity))
}

fn cut(mut message: String) -> String {
    if message.len() > MESSAGE_BYTES {
        message.truncate(message.floor_char_boundary(MESSAGE_BYTES));
    }
    message
}
