//! What the engine counts, and what it reads off its tables when somebody asks: [`Proactive::stats`].
//!
//! Counting is an atomic addition, so it is done where things happen. Nothing here knows who reads it.

mod backlog;
mod counters;

use std::time::Duration;

pub use backlog::Backlog;
pub(crate) use counters::EngineCounters;

use crate::breaker::{Key, OpenBreaker};
use crate::outcome::AttemptOutcome;
use crate::proactive::Proactive;
use crate::state::DeliveryState;
use crate::wait_reason::WaitReason;

/// The engine's numbers at one moment. Counts are of this process, since it started.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EngineStats {
    /// What is owed, in the whole database; `None` if the database does not answer.
    pub backlog: Option<Backlog>,
    /// Deliveries put on record.
    pub accepted: u64,
    /// Conversations claimed, each time to send in them.
    pub claims: u64,
    /// Deliveries that are being sent.
    pub in_flight: u64,
    /// Attempts by how they ended; `None` is an attempt that delivered.
    pub attempts: Vec<(Option<AttemptOutcome>, u64)>,
    /// Deliveries that ended, by their final state.
    pub ended: Vec<(DeliveryState, u64)>,
    /// Times that something had to wait, by the reason.
    pub waits: Vec<(WaitReason, u64)>,
    /// Outcomes that were not recorded because others had taken the conversation over.
    pub lease_losses: u64,
    /// Conversations taken over from processes that ended without a word.
    pub takeovers: u64,
    /// Looks at what is ready.
    pub cycles: u64,
    /// Circuit breakers that are not closed, at most [`BREAKERS`](Self::BREAKERS).
    pub breakers: Vec<BreakerStats>,
}

impl EngineStats {
    /// How many breakers are told of. More that are not closed are one trouble, not many.
    pub const BREAKERS: usize = 100;
}

/// A circuit breaker that is not closed: what it keeps from being sent, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreakerStats {
    /// The host of the serviceUrl.
    pub host: String,
    /// The tenant; empty where there is none.
    pub tenant: String,
    /// What it lets through.
    pub state: BreakerState,
}

impl From<(Key, OpenBreaker)> for BreakerStats {
    fn from((key, breaker): (Key, OpenBreaker)) -> Self {
        BreakerStats {
            host: key.host,
            tenant: key.tenant,
            state: if breaker.probing {
                BreakerState::Probing
            } else {
                BreakerState::Open
            },
        }
    }
}

/// What a circuit breaker that is not closed lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BreakerState {
    /// Nothing.
    Open,
    /// One delivery, to see whether the host answers again.
    Probing,
}

impl BreakerState {
    /// The state in one word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            BreakerState::Open => "open",
            BreakerState::Probing => "probing",
        }
    }
}

/// How long ago something was, in whole milliseconds at best; nothing is in the future.
fn age(since: jiff::Timestamp, now: jiff::Timestamp) -> Duration {
    Duration::try_from(now.duration_since(since)).unwrap_or_default()
}

impl Proactive {
    /// The engine's numbers now. It reads the database for the [`Backlog`]: as often as somebody looks at a dashboard,
    /// not for each message.
    pub async fn stats(&self) -> EngineStats {
        let mut stats = self.worker.counters.snapshot();
        stats.breakers = self
            .worker
            .terms()
            .breakers
            .open()
            .into_iter()
            .take(EngineStats::BREAKERS)
            .map(BreakerStats::from)
            .collect();
        let now = self.worker.clock.now();
        match self.worker.db.read(move |tx| Backlog::read(tx, now)).await {
            Ok(backlog) => stats.backlog = Some(backlog),
            // Whoever asks is told that it is missing; the database's own trouble is told where it stops the engine.
            Err(error) => tracing::debug!(%error, "what is owed cannot be counted"),
        }
        stats
    }
}
