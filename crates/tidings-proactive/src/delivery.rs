//! One activity owed to one conversation.

mod attempt;
mod content;
mod detail;
mod filter;
mod summary;
mod wait;

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use attempt::Attempt;
pub use content::Content;
pub use detail::{Body, DeliveryDetail};
pub use filter::{DeliveryFilter, DeliveryPage};
pub use summary::{PausedLane, Pauses, Summary};
pub use wait::{Wait, Waiting};

pub(crate) use crate::state::DeliveryState;
use crate::unknown_policy::UnknownPolicy;

/// Names a delivery in the database. Rises with each; never given out twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeliveryId(pub(crate) i64);

impl DeliveryId {
    /// The id as an integer.
    #[must_use]
    pub fn get(self) -> i64 {
        self.0
    }

    /// The id that this integer is, if it is one: ids are positive.
    #[must_use]
    pub fn from_number(number: i64) -> Option<Self> {
        (number > 0).then_some(DeliveryId(number))
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A delivery as it is on record.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// The channel it goes to.
    pub channel_id: String,
    /// The conversation it goes to.
    pub conversation_id: String,
    /// Whose budget it uses; empty where the channel has no tenants.
    pub tenant: String,
    /// Order holds within a conversation and a class.
    pub class: String,
    /// How far it is.
    pub state: DeliveryState,
    /// Why it is dead, refused, held or waits, in one word: for a dead one as [`DeadReason::as_str`](crate::DeadReason::as_str) spells it.
    pub reason: Option<String>,
    /// What is done when nobody knows whether it arrived.
    pub policy: UnknownPolicy,
    /// What it waits for now, if it waits for anything but its turn to be claimed.
    pub wait: Option<Waiting>,
    /// When it is looked at again: set while it is scheduled, held with an end, or waits to be tried again.
    pub due_at: Option<Timestamp>,
    /// When it expires.
    pub expires_at: Timestamp,
    /// How often sending began.
    pub starts: u32,
    /// Whether an attempt may have reached the user without our knowing, so that the user may see it twice.
    pub repeat_possible: bool,
    /// What the last failed attempt said.
    pub last_failure: Option<Failure>,
    /// The id the channel gave the activity.
    pub activity_id: Option<String>,
    /// What is owed, in short.
    pub content: Content,
    /// The delivery whose handler sent this one.
    pub parent_id: Option<DeliveryId>,
    /// The delivery that this one repeats because somebody asked for it.
    pub retry_of: Option<DeliveryId>,
    /// The delivery that says this too, if it is merged.
    pub merged_into: Option<DeliveryId>,
    /// When it was put on record.
    pub created_at: Timestamp,
    /// When its row changed last.
    pub updated_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// What a failed attempt said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// The channel's error code, such as `ConversationNotFound`.
    pub code: Option<String>,
    /// A sentence for the operator.
    pub message: String,
}
