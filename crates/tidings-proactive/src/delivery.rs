//! One activity owed to one conversation.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub(crate) use crate::reason::DeadReason;
pub(crate) use crate::state::DeliveryState;

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
    /// How far it is.
    pub state: DeliveryState,
    /// Why it is dead, as [`DeadReason::as_str`] spells it.
    pub reason: Option<String>,
    /// When it may be sent next; `None` while it is being sent, waits behind another, or has ended.
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
