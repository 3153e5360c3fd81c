//! Engines that are broken on purpose, each in one way, from outside: by a trigger in the database, or by a channel that
//! does what none may. If the simulator does not notice, it is the simulator that is broken.

use std::time::Duration;

use crate::check::Invariant;
use crate::world::Plan;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sabotage {
    ForgetsDeliveries,
    KeepsNoOrder,
    ForgetsPacing,
    ForgetsRetryAfter,
    SendsTooEarly,
    ClaimsTwice,
    SendsMoreAtOnce,
    ForgetsAttempts,
    ForgetsThatARepeatIsPossible,
    ForgetsKeys,
    SaysSentWithoutSending,
    RepeatsOnItsOwn,
    NeverTakesOver,
    TakesOverTooSoon,
    OverlooksSignsOfLife,
    LetsLanesSleep,
    ChangesWhatEnded,
    MiscountsTheBacklog,
}

impl Sabotage {
    /// What it breaks.
    pub(crate) fn breaks(self) -> Invariant {
        match self {
            Sabotage::ForgetsDeliveries => Invariant::Kept,
            Sabotage::KeepsNoOrder => Invariant::Order,
            Sabotage::ForgetsPacing => Invariant::Pacing,
            Sabotage::ForgetsRetryAfter => Invariant::RetryAfter,
            Sabotage::SendsTooEarly => Invariant::NotEarly,
            Sabotage::ClaimsTwice => Invariant::OneInFlight,
            Sabotage::SendsMoreAtOnce => Invariant::AtOnce,
            Sabotage::ForgetsAttempts
            | Sabotage::ForgetsThatARepeatIsPossible
            | Sabotage::RepeatsOnItsOwn => Invariant::Repeats,
            Sabotage::ForgetsKeys => Invariant::Once,
            Sabotage::SaysSentWithoutSending => Invariant::Explained,
            Sabotage::NeverTakesOver => Invariant::Ends,
            Sabotage::TakesOverTooSoon | Sabotage::OverlooksSignsOfLife => Invariant::Leases,
            Sabotage::LetsLanesSleep | Sabotage::MiscountsTheBacklog => Invariant::Tables,
            Sabotage::ChangesWhatEnded => Invariant::Transitions,
        }
    }

    /// Whether the tables agree with each other nevertheless.
    pub(crate) fn leaves_tables_right(self) -> bool {
        self != Sabotage::ClaimsTwice
    }

    pub(crate) fn sql(self) -> Option<&'static str> {
        let sql = match self {
            Sabotage::ForgetsDeliveries => {
                "CREATE TRIGGER broken AFTER UPDATE OF state ON deliveries WHEN new.state = 'delivered' BEGIN
                     DELETE FROM deliveries WHERE id = new.id AND id % 3 = 0;
                 END"
            }
            Sabotage::KeepsNoOrder => {
                "CREATE TRIGGER broken AFTER INSERT ON deliveries BEGIN
                     UPDATE deliveries SET place = 1000000 - id WHERE id = new.id;
                 END"
            }
            Sabotage::ForgetsPacing => {
                "CREATE TRIGGER broken AFTER UPDATE OF meter ON lanes WHEN new.meter IS NOT NULL BEGIN
                     UPDATE lanes SET meter = NULL WHERE id = new.id;
                 END"
            }
            Sabotage::ForgetsRetryAfter => {
                "CREATE TRIGGER broken AFTER UPDATE OF next_at ON lanes WHEN new.wait_reason = 'retry_after' BEGIN
                     UPDATE lanes SET next_at = 0, wait_reason = NULL WHERE id = new.id;
                     UPDATE deliveries SET due_at = NULL WHERE lane_id = new.id AND state = 'retryable';
                 END"
            }
            Sabotage::SendsTooEarly => {
                "CREATE TRIGGER broken AFTER INSERT ON deliveries WHEN new.state = 'scheduled' BEGIN
                     UPDATE deliveries SET due_at = 0 WHERE id = new.id;
                 END"
            }
            Sabotage::ClaimsTwice => {
                "CREATE TRIGGER broken AFTER UPDATE OF node ON lanes WHEN new.node IS NOT NULL BEGIN
                     UPDATE lanes SET node = NULL, next_at = 0 WHERE id = new.id;
                 END"
            }
            Sabotage::ForgetsAttempts => {
                "CREATE TRIGGER broken AFTER INSERT ON attempts BEGIN
                     DELETE FROM attempts WHERE delivery_id = new.delivery_id;
                 END"
            }
            Sabotage::ForgetsThatARepeatIsPossible => {
                "CREATE TRIGGER broken AFTER UPDATE OF repeat_possible ON deliveries WHEN new.repeat_possible = 1 BEGIN
                     UPDATE deliveries SET repeat_possible = 0 WHERE id = new.id;
                 END"
            }
            Sabotage::ForgetsKeys => {
                "CREATE TRIGGER broken AFTER INSERT ON dedupe_keys BEGIN
                     DELETE FROM dedupe_keys WHERE key = new.key;
                 END"
            }
            Sabotage::NeverTakesOver => {
                "CREATE TRIGGER broken AFTER INSERT ON nodes BEGIN
                     UPDATE nodes SET lease_ms = 9223372036854775807 WHERE id = new.id;
                 END"
            }
            Sabotage::TakesOverTooSoon => {
                "CREATE TRIGGER broken AFTER INSERT ON nodes BEGIN
                     UPDATE nodes SET lease_ms = lease_ms / 2 WHERE id = new.id;
                 END"
            }
            Sabotage::OverlooksSignsOfLife => {
                "CREATE TRIGGER broken AFTER UPDATE OF alive_until ON nodes WHEN new.alive_until <> 0 BEGIN
                     UPDATE nodes SET alive_until = old.alive_until WHERE id = new.id;
                 END"
            }
            Sabotage::LetsLanesSleep => {
                "CREATE TRIGGER broken AFTER UPDATE OF next_at ON lanes WHEN new.next_at IS NOT NULL BEGIN
                     UPDATE lanes SET next_at = NULL WHERE id = new.id;
                 END"
            }
            Sabotage::ChangesWhatEnded => {
                "CREATE TRIGGER broken AFTER UPDATE OF state ON deliveries WHEN new.state = 'delivered' BEGIN
                     UPDATE deliveries SET state = 'dead' WHERE id = new.id;
                 END"
            }
            Sabotage::MiscountsTheBacklog => {
                "CREATE TRIGGER broken AFTER UPDATE OF backlog ON lanes WHEN new.backlog > old.backlog BEGIN
                     UPDATE lanes SET backlog = new.backlog + 1 WHERE id = new.id;
                 END"
            }
            Sabotage::SendsMoreAtOnce | Sabotage::SaysSentWithoutSending | Sabotage::RepeatsOnItsOwn => return None,
        };
        Some(sql)
    }

    /// Makes sure that what it breaks matters.
    pub(crate) fn needs(self, plan: &mut Plan) {
        plan.deliveries = 25;
        match self {
            Sabotage::KeepsNoOrder => plan.lanes = 1,
            Sabotage::ForgetsPacing => {
                (plan.lanes, plan.clock_jumps) = (1, false);
                plan.lane_limits = vec![(2_000, 2)];
            }
            Sabotage::ForgetsRetryAfter => {
                (plan.rates.bad_call, plan.clock_jumps) = (0.6, false);
            }
            Sabotage::SendsTooEarly => plan.clock_jumps = false,
            Sabotage::ClaimsTwice => {
                (plan.lanes, plan.concurrency, plan.rates.bad_call) = (1, 4, 0.8);
            }
            Sabotage::SendsMoreAtOnce => {
                (plan.lanes, plan.concurrency) = (4, 1);
                plan.lane_limits.clear();
                plan.tenant_limits.clear();
            }
            Sabotage::ForgetsAttempts
            | Sabotage::ForgetsThatARepeatIsPossible
            | Sabotage::RepeatsOnItsOwn => {
                plan.rates.bad_call = 0.6;
            }
            Sabotage::NeverTakesOver | Sabotage::TakesOverTooSoon => {
                (plan.nodes, plan.rates.crash) = (3, 0.05);
            }
            Sabotage::OverlooksSignsOfLife => plan.nodes = 3,
            Sabotage::LetsLanesSleep => plan.trouble = Duration::from_secs(5),
            Sabotage::ForgetsDeliveries
            | Sabotage::MiscountsTheBacklog
            | Sabotage::ForgetsKeys
            | Sabotage::SaysSentWithoutSending
            | Sabotage::ChangesWhatEnded => {}
        }
    }
}
