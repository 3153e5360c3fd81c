use jiff::Timestamp;

use crate::delivery::DeliveryState;

/// How it stands with everything that is owed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// How many deliveries are in each state but `delivered`, of which there are too many to count. Counting stops at
    /// [`Summary::MOST`].
    pub states: Vec<(DeliveryState, u64)>,
    /// When the oldest one that is ready, being sent or to be tried again was put on record.
    pub oldest: Option<Timestamp>,
    /// What an operator has stopped.
    pub paused: Pauses,
}

impl Summary {
    /// No state is counted further: this number means that many or more.
    pub const MOST: u64 = 100_000;
}

/// What an operator has stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pauses {
    /// Whether everything is.
    pub all: bool,
    /// The channels that are.
    pub channels: Vec<String>,
    /// The conversations that are, at most 1,000 of them.
    pub lanes: Vec<PausedLane>,
}

/// A conversation that an operator has stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PausedLane {
    /// Its channel.
    pub channel_id: String,
    /// Its id there.
    pub conversation_id: String,
}
