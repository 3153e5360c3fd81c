//! The proactive engine: jobs, and the messages that are owed to conversations.
//!
//! [`Jobs`] is the log of what users asked for. Completing a job puts a [`Delivery`] on record in the same commit,
//! and the worker ([`Proactive::run`]) brings it to the conversation the job was started in: in order, retried
//! while the channel cannot be reached, taken up again after a crash. A delivery is sent at least once; its row
//! tells when the user may have it twice.
//!
//! The engine does not speak HTTP. It hands what it sends to a [`Channel`].

mod backlog_bounds;
mod backoff;
mod breaker;
mod change;
mod channel;
mod channel_limits;
mod closed_lanes;
mod deliveries;
mod delivery;
mod enqueue;
mod error;
mod extract;
mod handlers;
mod job;
mod job_number;
mod jobs;
mod ledger;
mod limits;
mod meter;
mod notice;
mod outcome;
mod proactive;
mod reason;
mod rng;
mod row;
pub mod spans;
mod state;
mod stats;
mod stored_reference;
mod terms;
mod test_channel;
#[cfg(test)]
mod test_ledger;
mod trace_carrier;
mod unknown_policy;
mod wait_reason;
mod worker;

pub use backoff::Backoff;
pub use breaker::BreakerOptions;
pub use channel::{Channel, Outgoing};
pub use channel_limits::{ChannelLimits, LimitScope, LimitsError};
pub use deliveries::{Deliveries, DeliveriesError, PauseTarget, Pruned};
pub use delivery::{
    Attempt, Body, Content, Delivery, DeliveryDetail, DeliveryFilter, DeliveryId, DeliveryPage, Failure,
    PausedLane, Pauses, Summary, Wait, Waiting,
};
pub use enqueue::{Accepted, Enqueue};
pub use error::ProactiveError;
pub use handlers::NamedHandler;
pub use job::{Completion, Job, JobPage, JobState};
pub use job_number::{JobNumber, JobNumberError};
pub use jobs::Jobs;
pub use limits::{Limit, Limits};
pub use meter::Meter;
pub use notice::Notice;
pub use outcome::{AttemptOutcome, PauseScope};
pub use proactive::{EnqueueAllError, Proactive, ProactiveOptions};
pub use reason::{CloseReason, DeadReason, RefusedReason};
pub use rng::{Rng, SeededRng, SystemRng};
pub use state::{DeliveryState, TRANSITIONS, Transition};
pub use stats::{Backlog, BreakerState, BreakerStats, EngineStats};
pub use stored_reference::{StoredReference, last_reference};
use tidings_store::Migrations;
pub use tokio_util::sync::CancellationToken;
pub use trace_carrier::TraceCarrier;
pub use unknown_policy::UnknownPolicy;
pub use wait_reason::WaitReason;

/// The engine's tables. Hand it to the database when opening it.
pub const MIGRATIONS: Migrations = Migrations {
    component: "proactive",
    postgres: &[
        include_str!("../migrations/postgres/0001_engine.sql"),
        include_str!("../migrations/postgres/0002_leases.sql"),
        include_str!("../migrations/postgres/0003_room_on_the_page.sql"),
    ],
    sqlite: &[
        include_str!("../migrations/0001_jobs_and_deliveries.sql"),
        include_str!("../migrations/0002_cheap_checks.sql"),
        include_str!("../migrations/0003_identities.sql"),
        include_str!("../migrations/0004_lanes.sql"),
        include_str!("../migrations/0005_leases.sql"),
    ],
};
