//! One activity owed to one conversation.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

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

/// How far a delivery is. Every delivery ends in `Delivered`, `Dead` or `Expired`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeliveryState {
    /// On record, waiting for its turn.
    Available,
    /// Claimed by a worker, which sends it now.
    Sending,
    /// An attempt failed; there will be another.
    Retryable,
    /// The channel took it.
    Delivered,
    /// It cannot be delivered; the row says why.
    Dead,
    /// Its time ran out before an attempt succeeded.
    Expired,
}

impl DeliveryState {
    const ALL: [DeliveryState; 6] = [
        DeliveryState::Available,
        DeliveryState::Sending,
        DeliveryState::Retryable,
        DeliveryState::Delivered,
        DeliveryState::Dead,
        DeliveryState::Expired,
    ];

    /// The state as the database and the API spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            DeliveryState::Available => "available",
            DeliveryState::Sending => "sending",
            DeliveryState::Retryable => "retryable",
            DeliveryState::Delivered => "delivered",
            DeliveryState::Dead => "dead",
            DeliveryState::Expired => "expired",
        }
    }

    /// Whether the delivery has ended. An ended delivery never changes its state again.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(
            self,
            DeliveryState::Delivered | DeliveryState::Dead | DeliveryState::Expired
        )
    }

    /// The state spelled so, as the table's CHECK admits it.
    pub(crate) fn from_row(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

impl fmt::Display for DeliveryState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a delivery is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeadReason {
    /// The channel does not accept the activity (400, or another 4xx that repeating would not change).
    Rejected,
    /// The bot may not write there (403).
    Forbidden,
    /// The conversation is gone (404).
    NotFound,
    /// The channel does not have this operation (405).
    Unsupported,
    /// The activity is larger than the channel takes (413).
    TooLarge,
    /// The serviceUrl of the reference is not one we talk to.
    HostRefused,
    /// The stored reference or activity does not decode.
    Unreadable,
    /// Sending it panicked, three starts in a row.
    Poison,
}

impl DeadReason {
    /// The reason as the database spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            DeadReason::Rejected => "rejected",
            DeadReason::Forbidden => "forbidden",
            DeadReason::NotFound => "not_found",
            DeadReason::Unsupported => "unsupported",
            DeadReason::TooLarge => "too_large",
            DeadReason::HostRefused => "host_refused",
            DeadReason::Unreadable => "unreadable",
            DeadReason::Poison => "poison",
        }
    }
}

impl fmt::Display for DeadReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_read_back_as_they_are_spelled() {
        for state in DeliveryState::ALL {
            assert_eq!(DeliveryState::from_row(state.as_str()), Some(state));
        }
        assert_eq!(DeliveryState::from_row("Sending"), None);
    }
}
