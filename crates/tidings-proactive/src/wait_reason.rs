//! Why a delivery waits.

use std::fmt;

/// Why a delivery waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WaitReason {
    /// It failed and is tried again after a while.
    Backoff,
    /// The channel asked for the wait.
    RetryAfter,
    /// The conversation has had as many messages as the channel's limits allow.
    Pacing,
    /// The tenant has had as many requests as the channel's limits allow.
    Budget,
    /// The channel's host fails; it is left alone for a while.
    Breaker,
    /// An operator stopped the conversation, its channel or everything.
    Paused,
    /// It was asked to be sent later.
    Scheduled,
    /// It steps aside until it is released.
    Held,
}

impl WaitReason {
    /// All reasons.
    pub const ALL: [WaitReason; 8] = [
        WaitReason::Backoff,
        WaitReason::RetryAfter,
        WaitReason::Pacing,
        WaitReason::Budget,
        WaitReason::Breaker,
        WaitReason::Paused,
        WaitReason::Scheduled,
        WaitReason::Held,
    ];

    /// The reason as the database and the API spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            WaitReason::Backoff => "backoff",
            WaitReason::RetryAfter => "retry_after",
            WaitReason::Pacing => "pacing",
            WaitReason::Budget => "budget",
            WaitReason::Breaker => "breaker",
            WaitReason::Paused => "paused",
            WaitReason::Scheduled => "scheduled",
            WaitReason::Held => "held",
        }
    }
}

impl fmt::Display for WaitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
