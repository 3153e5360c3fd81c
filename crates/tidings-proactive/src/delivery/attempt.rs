use jiff::Timestamp;

/// One try at a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attempt {
    /// The how-manieth start it was, from 1.
    pub start: u32,
    /// The node that made it; `None` where that is not on record, as of one that delivered.
    pub node: Option<i64>,
    /// When it began.
    pub began_at: Timestamp,
    /// When it was over; `None` while it goes on.
    pub ended_at: Option<Timestamp>,
    /// `delivered`, `sending` while it goes on, else what was the matter: `not_sent`, `throttled`, `unauthorized`,
    /// `closed`, `rejected`, `unknown` (it may have been delivered), `lost` (its node was gone).
    pub outcome: String,
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// The channel's error code.
    pub code: Option<String>,
    /// A sentence for the operator.
    pub message: Option<String>,
    /// How long the channel asked to wait, in milliseconds.
    pub retry_after_ms: Option<i64>,
}
