use jiff::Timestamp;

/// A wait of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Wait {
    /// When it began.
    pub since: Timestamp,
    /// When it was or will be over; `None` if that is open.
    pub until: Option<Timestamp>,
    /// Why: `backoff`, `retry_after`, `pacing`, `budget`, `breaker`, `paused`, `scheduled`, `held`; or `turn`: others of its
    /// conversation came first, or no worker was free.
    pub reason: String,
}

/// What a delivery waits for now.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Waiting {
    /// Why, as [`Wait::reason`], or `behind`: another delivery of its conversation comes first.
    pub reason: String,
    /// When it will be over; `None` if that is open.
    pub until: Option<Timestamp>,
}
