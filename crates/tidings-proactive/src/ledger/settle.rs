//! Recording how attempts ended, and going on in their lanes.

use std::collections::HashMap;

use jiff::Timestamp;
use tidings_store::{Dialect, List, ToColumn as _, Tx, params};

use super::claim::{self, Claimed, Claiming, Turn};
use super::enqueue::Insist;
use super::lane::{self, Lane, LaneId, LaneWrites};
use super::{Result, budget, suspect};
use crate::delivery::Failure;
use crate::limits::Limits;
use crate::meter::Meter;
use crate::outcome::{AttemptOutcome, PauseScope};
use crate::reason::{CloseReason, DeadReason};
use crate::state::DeliveryState;
use crate::stats::EngineCounters;
use crate::terms::after_skew;
use crate::unknown_policy::UnknownPolicy;
use crate::wait_reason::WaitReason;

/// A delivery that was tried, and how that ended.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) claimed: Claimed,
    /// Whether the channel was called.
    pub(crate) called: bool,
    pub(crate) ended_at: Timestamp,
    pub(crate) ending: Ending,
}

/// How an attempt ended.
#[derive(Clone, Debug)]
pub(crate) enum Ending {
    /// The channel took it, or its handler's turn is committed.
    Delivered { activity_id: Option<String> },
    /// It is tried again.
    Retry {
        due_at: Timestamp,
        repeat_possible: bool,
        /// What the channel asked to leave alone, until `due_at`, however long the delivery lives.
        pause: Option<PauseScope>,
        failed: Failed,
    },
    /// Nobody knows whether it arrived, and it must not arrive twice.
    Unknown { failed: Failed },
    /// It cannot be delivered.
    Dead { reason: DeadReason, failed: Failed },
    /// The channel takes nothing in its conversation any more.
    Closed { reason: CloseReason, failed: Failed },
    /// It was not tried: the node may have lost its lanes, or is about to stop.
    PutBack,
}

/// What a failed attempt said.
#[derive(Clone, Debug)]
pub(crate) struct Failed {
    pub(crate) outcome: AttemptOutcome,
    pub(crate) failure: Failure,
    pub(crate) retry_after_ms: Option<i64>,
}

/// What the worker that settles a delivery does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Claims the next of the same lane.
    SameLane,
    /// Leaves its lane to the others.
    AnyLane,
}

/// What became of an outcome.
#[derive(Debug)]
pub(crate) enum Settled {
    /// It is on record; this is what is sent next in its lane.
    Recorded(Option<Box<Claimed>>),
    /// Another node has taken the lane over: nothing was written.
    LeaseLost,
}

/// Records outcomes, and claims for each what comes next in its lane.
pub(crate) fn settle_all<'a>(
    tx: &Tx<'_>,
    outcomes: impl Iterator<Item = (&'a Outcome, Next)>,
    now: Timestamp,
    claiming: Claiming<'_>,
) -> Result<Vec<Settled>> {
    let mut in_order: Vec<(usize, (&Outcome, Next))> = outcomes.enumerate().collect();
    in_order.sort_unstable_by_key(|(_, (outcome, _))| outcome.claimed.lane);
    let mut ids: Vec<LaneId> = in_order
        .iter()
        .map(|(_, (outcome, _))| outcome.claimed.lane)
        .collect();
    ids.dedup();
    let mut on_record = Lane::by_ids(tx, ids)?.into_iter().peekable();
    let mut settled: Vec<Settled> = Vec::with_capacity(in_order.len());
    settled.resize_with(in_order.len(), || Settled::LeaseLost);
    let mut writes = Writes::default();
    let mut going_on = Vec::new();
    for (place, (outcome, next)) in in_order {
        let claimed = &outcome.claimed;
        while on_record.next_if(|lane| lane.id < claimed.lane).is_some() {}
        let is_its = |lane: &Lane| {
            lane.id == claimed.lane && lane.epoch == claimed.epoch && lane.node == Some(claimed.node)
        };
        let Some(lane) = on_record.next_if(is_its) else {
            claiming.counters.leases_lost(1);
            continue;
        };
        settled[place] = Settled::Recorded(None);
        if let Some(lane) = settle(tx, outcome, lane, next, now, claiming, &mut writes)? {
            going_on.push((place, lane));
        }
    }
    let Writes { delivered, mut lanes } = writes;
    deliver(tx, &delivered)?;
    let (places, to_claim): (Vec<usize>, Vec<Lane>) = going_on.into_iter().unzip();
    let turns = claim::claim_lanes(tx, claiming, to_claim, now, &mut lanes)?;
    for (place, turn) in places.into_iter().zip(turns) {
        if let Turn::Claimed(claimed) = turn {
            settled[place] = Settled::Recorded(Some(claimed));
        }
    }
    lanes.write(tx)?;
    Ok(settled)
}

/// What is written of all outcomes together.
#[derive(Default)]
struct Writes<'a> {
    delivered: Vec<Delivered<'a>>,
    lanes: LaneWrites,
}

struct Delivered<'a> {
    id: i64,
    ended_at: i64,
    activity_id: Option<&'a str>,
}

/// Records one outcome, and returns its lane if the next of it is to be claimed.
fn settle<'a>(
    tx: &Tx<'_>,
    outcome: &'a Outcome,
    mut lane: Lane,
    next: Next,
    now: Timestamp,
    claiming: Claiming<'_>,
    writes: &mut Writes<'a>,
) -> Result<Option<Lane>> {
    let claimed = &outcome.claimed;
    count(claiming.counters, outcome);
    if outcome.called {
        count_call(&claiming.terms().rules.lane_limits, &mut lane, outcome.ended_at);
    }
    let mut lane_waits_until = None;
    match &outcome.ending {
        Ending::Delivered { activity_id } => {
            writes.delivered.push(Delivered {
                id: claimed.id.0,
                ended_at: outcome.ended_at.as_microsecond(),
                activity_id: activity_id.as_deref(),
            });
            lane.backlog -= 1;
        }
        Ending::Retry {
            due_at,
            repeat_possible,
            pause,
            failed,
        } => {
            let until = *due_at;
            let due_at = until.min(claimed.expires_at);
            let reason = if pause.is_some() || failed.retry_after_ms.is_some() {
                WaitReason::RetryAfter
            } else {
                WaitReason::Backoff
            };
            note_attempt(tx, outcome, failed)?;
            if failed.outcome == AttemptOutcome::Lost && suspect::is_poison(tx, claimed.id)? {
                tracing::error!(delivery.id = %claimed.id, "a delivery was lost too often while it was sent: it is dead");
                end(tx, outcome, "dead", Some(DeadReason::Poison.as_str()), failed)?;
                lane.backlog -= 1;
            } else {
                defer(tx, outcome, due_at, *repeat_possible, failed)?;
                claiming.counters.waited(reason);
                claim::note_wait(tx, claimed.id, Some(due_at), reason, now)?;
                claiming.note_due(due_at);
            }
            match pause {
                Some(PauseScope::Lane) => lane_waits_until = Some(until),
                Some(scope) => budget::leave_alone(tx, claiming, &lane, *scope, until)?,
                None => {}
            }
        }
        Ending::Unknown { failed } => {
            note_attempt(tx, outcome, failed)?;
            end(tx, outcome, "unknown", None, failed)?;
            lane.backlog -= 1;
        }
        Ending::Dead { reason, failed } => {
            note_attempt(tx, outcome, failed)?;
            end(tx, outcome, "dead", Some(reason.as_str()), failed)?;
            lane.backlog -= 1;
        }
        Ending::Closed { reason, failed } => {
            note_attempt(tx, outcome, failed)?;
            end(tx, outcome, "dead", Some(DeadReason::Closed.as_str()), failed)?;
            let evidence = serde_json::json!({
                "status": failed.failure.status, "code": failed.failure.code, "message": failed.failure.message,
            });
            lane::close(tx, &mut lane, *reason, &evidence.to_string(), now)?;
            writes.lanes.release(&lane, None, None);
            return Ok(None);
        }
        Ending::PutBack => put_back(tx, outcome)?,
    }
    if let Some(until) = lane_waits_until {
        claiming.note_due(until);
        let next_at = until.as_microsecond();
        writes
            .lanes
            .release(&lane, Some(next_at), Some(WaitReason::RetryAfter));
        return Ok(None);
    }
    if lane.backlog == 0 || lane.closed {
        writes.lanes.release(&lane, None, None);
        return Ok(None);
    }
    if next == Next::SameLane {
        return Ok(Some(lane));
    }
    writes.lanes.release(&lane, Some(now.as_microsecond()), None);
    Ok(None)
}

fn count(counters: &EngineCounters, outcome: &Outcome) {
    let (attempt, ended) = match &outcome.ending {
        Ending::Delivered { .. } => (None, Some(DeliveryState::Delivered)),
        Ending::Retry { failed, .. } => (Some(failed.outcome), None),
        Ending::Unknown { failed } => (Some(failed.outcome), Some(DeliveryState::Unknown)),
        Ending::Dead { failed, .. } | Ending::Closed { failed, .. } => {
            (Some(failed.outcome), Some(DeliveryState::Dead))
        }
        Ending::PutBack => return,
    };
    counters.attempted(attempt);
    if let Some(state) = ended {
        counters.ended(state);
    }
}

/// Counted when the call was over, not when the lane was claimed: it was made at some time between the two, and so the
/// next one, which begins later, is never too early.
pub(super) fn count_call(limits: &HashMap<String, Limits>, lane: &mut Lane, ended_at: Timestamp) {
    if let Some(limits) = limits.get(&lane.channel_id) {
        let mut meter = Meter::from_text(lane.meter.as_deref());
        meter.not_after(after_skew(ended_at));
        limits.take(&mut meter, ended_at);
        lane.meter = meter.to_text();
    }
}

fn deliver(tx: &Tx<'_>, delivered: &[Delivered<'_>]) -> Result<()> {
    if tx.dialect() == Dialect::Postgres && delivered.len() > 1 {
        let ids: List<'_> = delivered.iter().map(|one| one.id.to_column()).collect();
        let times: List<'_> = delivered.iter().map(|one| one.ended_at.to_column()).collect();
        let activity_ids: List<'_> = delivered.iter().map(|one| one.activity_id.to_column()).collect();
        // The index of what is being sent is small but full of rows that are gone: not compared so that it is used.
        tx.execute(
            "UPDATE deliveries SET state = 'delivered', ended_at = new.ended_at, updated_at = new.ended_at,
                                   activity_id = new.activity_id
             FROM unnest(CAST(?1 AS BIGINT[]), CAST(?2 AS BIGINT[]), CAST(?3 AS TEXT[])) AS new (id, ended_at, activity_id)
             WHERE deliveries.id = new.id AND coalesce(state, '') = 'sending'",
            params![ids, times, activity_ids],
        )?;
        return Ok(());
    }
    for one in delivered {
        tx.execute(
            "UPDATE deliveries SET state = 'delivered', ended_at = ?2, updated_at = ?2, activity_id = ?3
             WHERE id = ?1 AND state = 'sending'",
            params![one.id, one.ended_at, one.activity_id],
        )?;
    }
    Ok(())
}

fn end(tx: &Tx<'_>, outcome: &Outcome, state: &str, reason: Option<&str>, failed: &Failed) -> Result<()> {
    let failure = &failed.failure;
    let maybe_arrived = outcome.called
        && matches!(failed.outcome, AttemptOutcome::Unknown | AttemptOutcome::Lost)
        && outcome.claimed.policy != UnknownPolicy::Reconcile;
    tx.execute(
        "UPDATE deliveries SET state = ?2, reason = ?3, ended_at = ?4, updated_at = ?4, error_status = ?5,
                               error_code = ?6, error_message = ?7, repeat_possible = (repeat_possible OR ?8)
         WHERE id = ?1 AND state = 'sending'",
        params![
            outcome.claimed.id.0,
            state,
            reason,
            outcome.ended_at.as_microsecond(),
            failure.status,
            failure.code,
            failure.message,
            maybe_arrived,
        ],
    )?;
    Ok(())
}

/// Tried again at `due_at`, which is not beyond the expiry, so that a lane is not blocked for longer.
fn defer(
    tx: &Tx<'_>,
    outcome: &Outcome,
    due_at: Timestamp,
    repeat_possible: bool,
    failed: &Failed,
) -> Result<()> {
    let failure = &failed.failure;
    tx.execute(
        "UPDATE deliveries SET state = 'retryable', due_at = ?2, updated_at = ?3, error_status = ?4, error_code = ?5,
                               error_message = ?6, repeat_possible = (repeat_possible OR ?7)
         WHERE id = ?1 AND state = 'sending'",
        params![
            outcome.claimed.id.0,
            due_at.as_microsecond(),
            outcome.ended_at.as_microsecond(),
            failure.status,
            failure.code,
            failure.message,
            repeat_possible,
        ],
    )?;
    Ok(())
}

/// As if it had not been claimed.
fn put_back(tx: &Tx<'_>, outcome: &Outcome) -> Result<()> {
    tx.execute(
        "UPDATE deliveries SET state = CASE WHEN starts > 1 THEN 'retryable' ELSE 'available' END,
                               starts = starts - 1, updated_at = ?2
         WHERE id = ?1 AND state = 'sending'",
        params![outcome.claimed.id.0, outcome.ended_at.as_microsecond()],
    )?;
    Ok(())
}

fn note_attempt(tx: &Tx<'_>, outcome: &Outcome, failed: &Failed) -> Result<()> {
    let Outcome {
        claimed, ended_at, ..
    } = outcome;
    tx.execute(
        "INSERT INTO attempts (delivery_id, start, node, epoch, began_at, ended_at, outcome, status, code, message,
                               retry_after_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
         ON CONFLICT (delivery_id, start) DO NOTHING",
        params![
            claimed.id.0,
            claimed.starts,
            claimed.node,
            claimed.epoch,
            claimed.began_at.as_microsecond(),
            ended_at.as_microsecond(),
            failed.outcome.as_str(),
            failed.failure.status,
            failed.failure.code,
            failed.failure.message,
            failed.retry_after_ms,
        ],
    )?;
    Ok(())
}

/// Ends the delivery of a handler inside the commit of the handler's turn, puts what it said on record at its place,
/// and releases the lane.
///
/// # Errors
/// The lane was taken over: then the turn is undone with everything in it.
pub(crate) fn settle_handled(
    tx: &Tx<'_>,
    claimed: &Claimed,
    children: Vec<super::NewDelivery>,
    allowance: &mut super::Allowance<'_>,
    now: Timestamp,
) -> Result<()> {
    let lane = Lane::by_id(tx, claimed.lane)?;
    let held = lane.is_some_and(|lane| lane.epoch == claimed.epoch && lane.node == Some(claimed.node));
    if !held {
        return Err(tidings_store::StoreError::message(
            "the conversation was taken over by another process while the handler ran; it runs again there",
        ));
    }
    // The backlog was let in with the handler's own delivery.
    let put = super::enqueue_all(tx, children, now, Insist::Yes, allowance)?;
    if put.is_err() {
        return Err(tidings_store::StoreError::message(
            "what a handler said was refused",
        ));
    }
    tx.execute(
        "UPDATE deliveries SET state = 'delivered', ended_at = ?2, updated_at = ?2
         WHERE id = ?1 AND state = 'sending'",
        params![claimed.id.0, now.as_microsecond()],
    )?;
    let Some(mut lane) = Lane::by_id(tx, claimed.lane)? else {
        return Ok(());
    };
    lane.backlog -= 1;
    let next_at = (lane.backlog > 0).then_some(now.as_microsecond());
    lane::release(tx, &lane, next_at, None)
}
