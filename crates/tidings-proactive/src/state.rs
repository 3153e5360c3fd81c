//! How far a delivery is, and what to do when nobody knows.

use std::fmt;

/// How far a delivery is. Every delivery ends in one of the last seven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DeliveryState {
    /// Its time has not come.
    Scheduled,
    /// Kept back, with or without an end.
    Held,
    /// On record, waiting for its turn.
    Available,
    /// A node sends it now.
    Sending,
    /// An attempt failed; there will be another.
    Retryable,
    /// The channel took it.
    Delivered,
    /// It cannot be delivered; the reason says why.
    Dead,
    /// Its time ran out before an attempt succeeded.
    Expired,
    /// Somebody took it back.
    Cancelled,
    /// It may not be sent; the reason says why.
    Refused,
    /// Another delivery says it too.
    Merged,
    /// It may have been delivered, and its policy forbids to try again.
    Unknown,
}

impl DeliveryState {
    /// Every state there is.
    pub const ALL: [DeliveryState; 12] = [
        DeliveryState::Scheduled,
        DeliveryState::Held,
        DeliveryState::Available,
        DeliveryState::Sending,
        DeliveryState::Retryable,
        DeliveryState::Delivered,
        DeliveryState::Dead,
        DeliveryState::Expired,
        DeliveryState::Cancelled,
        DeliveryState::Refused,
        DeliveryState::Merged,
        DeliveryState::Unknown,
    ];

    /// The state as the database and the API spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            DeliveryState::Scheduled => "scheduled",
            DeliveryState::Held => "held",
            DeliveryState::Available => "available",
            DeliveryState::Sending => "sending",
            DeliveryState::Retryable => "retryable",
            DeliveryState::Delivered => "delivered",
            DeliveryState::Dead => "dead",
            DeliveryState::Expired => "expired",
            DeliveryState::Cancelled => "cancelled",
            DeliveryState::Refused => "refused",
            DeliveryState::Merged => "merged",
            DeliveryState::Unknown => "unknown",
        }
    }

    /// Whether the delivery has ended. An ended delivery never changes its state again.
    #[must_use]
    pub fn is_final(self) -> bool {
        self >= DeliveryState::Delivered
    }

    /// The state spelled so.
    #[must_use]
    pub fn from_name(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    pub(crate) fn from_row(text: &str) -> Option<Self> {
        Self::from_name(text)
    }
}

impl fmt::Display for DeliveryState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is done when nobody knows whether a delivery arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UnknownPolicy {
    /// It is sent again, and the user may have it twice.
    #[default]
    AtLeastOnce,
    /// It ends as unknown.
    AtMostOnce,
    /// The channel is asked with the same id, where it can tell.
    Reconcile,
}

impl UnknownPolicy {
    /// Every policy there is.
    pub const ALL: [UnknownPolicy; 3] = [
        UnknownPolicy::AtLeastOnce,
        UnknownPolicy::AtMostOnce,
        UnknownPolicy::Reconcile,
    ];

    /// The policy as the database and the API spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            UnknownPolicy::AtLeastOnce => "at_least_once",
            UnknownPolicy::AtMostOnce => "at_most_once",
            UnknownPolicy::Reconcile => "reconcile",
        }
    }

    /// The policy spelled so.
    #[must_use]
    pub fn from_name(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.as_str() == text)
    }
}

impl fmt::Display for UnknownPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_read_back_as_they_are_spelled() {
        for state in DeliveryState::ALL {
            assert_eq!(DeliveryState::from_name(state.as_str()), Some(state));
        }
        assert_eq!(DeliveryState::from_name("Sending"), None);
        assert_eq!(
            DeliveryState::ALL.iter().filter(|state| state.is_final()).count(),
            7
        );
    }
}
