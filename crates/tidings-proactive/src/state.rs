//! How far a delivery is, and the only ways in which that changes.
//!
//! `docs/state-machine.md` draws the table below; a test compares the two.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How far a delivery is. Every delivery ends in exactly one of the last seven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// Its time has not come.
    Scheduled,
    /// Something keeps it back, such as an operator or the hour of the day; others of its class go past it.
    Held,
    /// On record, waiting for its turn.
    Available,
    /// Claimed by a node, which sends it now.
    Sending,
    /// An attempt failed; there will be another.
    Retryable,
    /// The channel took it.
    Delivered,
    /// It cannot be delivered; a [`DeadReason`](crate::DeadReason) says why.
    Dead,
    /// Its time ran out before an attempt succeeded.
    Expired,
    /// Somebody took it back.
    Cancelled,
    /// It must not be delivered; a [`RefusedReason`](crate::RefusedReason) says why.
    Refused,
    /// A later delivery of its conversation says what it would have said.
    Merged,
    /// It may have been delivered, nobody knows, and its policy forbids to send it again.
    Unknown,
}

use DeliveryState::{
    Available, Cancelled, Dead, Delivered, Expired, Held, Merged, Refused, Retryable, Scheduled, Sending,
    Unknown,
};

impl DeliveryState {
    /// Every state, in the order of a delivery's life.
    pub const ALL: [DeliveryState; 12] = [
        Scheduled, Held, Available, Sending, Retryable, Delivered, Dead, Expired, Cancelled, Refused, Merged,
        Unknown,
    ];

    /// The state as the database and the API spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Scheduled => "scheduled",
            Held => "held",
            Available => "available",
            Sending => "sending",
            Retryable => "retryable",
            Delivered => "delivered",
            Dead => "dead",
            Expired => "expired",
            Cancelled => "cancelled",
            Refused => "refused",
            Merged => "merged",
            Unknown => "unknown",
        }
    }

    /// The state spelled so by [`as_str`](Self::as_str), `None` if none is.
    #[must_use]
    pub fn from_row(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether the delivery has ended. An ended delivery never changes its state again.
    #[must_use]
    pub fn is_final(self) -> bool {
        match self {
            Scheduled | Held | Available | Sending | Retryable => false,
            Delivered | Dead | Expired | Cancelled | Refused | Merged | Unknown => true,
        }
    }

    /// The state that `transition` leads to from here, `None` if it is not allowed here.
    #[must_use]
    pub fn after(self, transition: Transition) -> Option<Self> {
        TRANSITIONS
            .iter()
            .find(|(from, by, _)| *from == Some(self) && *by == transition)
            .map(|(_, _, to)| *to)
    }
}

impl fmt::Display for DeliveryState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What happens to a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transition {
    /// It comes on record. It has no state before.
    Accept,
    /// Its time has come, or what kept it back has ended.
    Release,
    /// Something keeps it back from now on.
    Hold,
    /// A node takes it to send it. This is the durable intent: from here on it may reach the user.
    Claim,
    /// The channel took it.
    Deliver,
    /// The node that took it gives it back without having called the channel.
    PutBack,
    /// The attempt ended without success, and there will be another.
    Retry,
    /// It cannot be delivered, now or ever.
    Bury,
    /// The attempt ended and nobody knows how, and the policy forbids another.
    Lose,
    /// Its time ran out.
    Expire,
    /// Somebody took it back.
    Cancel,
    /// It must not be delivered any more.
    Refuse,
    /// A later delivery says it too.
    Merge,
}

use Transition::{
    Accept, Bury, Cancel, Claim, Deliver, Expire, Hold, Lose, Merge, PutBack, Refuse, Release, Retry,
};

impl Transition {
    /// Every transition.
    pub const ALL: [Transition; 13] = [
        Accept, Release, Hold, Claim, PutBack, Deliver, Retry, Bury, Lose, Expire, Cancel, Refuse, Merge,
    ];

    /// The transition as the diagram spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Accept => "accept",
            Release => "release",
            Hold => "hold",
            Claim => "claim",
            Deliver => "deliver",
            PutBack => "put_back",
            Retry => "retry",
            Bury => "bury",
            Lose => "lose",
            Expire => "expire",
            Cancel => "cancel",
            Refuse => "refuse",
            Merge => "merge",
        }
    }
}

impl fmt::Display for Transition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Every change there is: from which state (`None`: it is new), by what, to which state. What is not here is a defect.
pub const TRANSITIONS: &[(Option<DeliveryState>, Transition, DeliveryState)] = &[
    (None, Accept, Available),
    (None, Accept, Scheduled),
    (None, Accept, Refused),
    (Some(Scheduled), Release, Available),
    (Some(Scheduled), Hold, Held),
    (Some(Scheduled), Bury, Dead),
    (Some(Scheduled), Expire, Expired),
    (Some(Scheduled), Cancel, Cancelled),
    (Some(Scheduled), Refuse, Refused),
    (Some(Scheduled), Merge, Merged),
    (Some(Held), Release, Available),
    (Some(Held), Bury, Dead),
    (Some(Held), Expire, Expired),
    (Some(Held), Cancel, Cancelled),
    (Some(Held), Refuse, Refused),
    (Some(Held), Merge, Merged),
    (Some(Available), Hold, Held),
    (Some(Available), Claim, Sending),
    (Some(Available), Bury, Dead),
    (Some(Available), Expire, Expired),
    (Some(Available), Cancel, Cancelled),
    (Some(Available), Refuse, Refused),
    (Some(Available), Merge, Merged),
    // A retryable one is never merged: it may have reached the user already.
    (Some(Retryable), Hold, Held),
    (Some(Retryable), Claim, Sending),
    (Some(Retryable), Bury, Dead),
    (Some(Retryable), Expire, Expired),
    (Some(Retryable), Cancel, Cancelled),
    (Some(Retryable), Refuse, Refused),
    (Some(Sending), PutBack, Available),
    (Some(Sending), Deliver, Delivered),
    (Some(Sending), Retry, Retryable),
    (Some(Sending), Bury, Dead),
    (Some(Sending), Lose, Unknown),
    // The next attempt would come after the expiry.
    (Some(Sending), Expire, Expired),
];

#[cfg(test)]
mod tests;
