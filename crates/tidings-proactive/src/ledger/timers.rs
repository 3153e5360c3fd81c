//! What has its time.

use std::time::Duration;

use jiff::Timestamp;
use tidings_store::{ColumnRef, Dialect, List, Tx, params};

use super::lane::{Lane, LaneId, LaneWrites};
use super::rearm::end_waits;
use super::{Result, budget};

/// The most timers that one transaction lets go; the statement says so too.
const AT_ONCE: usize = 512;

/// What was due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Released {
    /// There may be more.
    pub(crate) more: bool,
    /// Whether anything was written.
    pub(crate) changed: bool,
}

/// Lets go what is due: it can be claimed now, or no longer keeps its class waiting, or its time has run out.
pub(crate) fn release_due(tx: &Tx<'_>, at: Timestamp) -> Result<Released> {
    let now = at.as_microsecond();
    let mut due = tx.all(
        "SELECT id, lane_id, expires_at, state = 'scheduled', state = 'held' FROM deliveries WHERE due_at IS NOT NULL AND due_at <= ?1
         ORDER BY due_at LIMIT 512",
        params![now],
        |row| {
            Ok(Due {
                lane: LaneId(row.get(1)?),
                delivery: row.get(0)?,
                is_over: row.get::<i64>(2)? <= now,
                is_scheduled: row.get(3)?,
                is_held: row.get(4)?,
            })
        },
    )?;
    let released = Released {
        more: due.len() == AT_ONCE,
        changed: !due.is_empty(),
    };
    if due.is_empty() {
        return Ok(released);
    }
    due.sort_unstable_by_key(|due| (due.lane, due.delivery));
    let mut ids: Vec<LaneId> = due.iter().map(|due| due.lane).collect();
    ids.dedup();
    let mut lanes = Lane::in_no_hands(tx, ids)?;
    due.retain(|due| lanes.binary_search_by_key(&due.lane, |lane| lane.id).is_ok());
    for held in due.iter().filter(|due| due.is_held) {
        // Until its end was known, this had none.
        end_waits(tx, held.delivery, at)?;
    }
    let (over, ready): (Vec<Due>, Vec<Due>) = due.into_iter().partition(|due| due.is_over);
    let expired = expire(tx, &over, now)?;
    let was_scheduled: Vec<Due> = ready.iter().copied().filter(|due| due.is_scheduled).collect();
    change(tx, WAITED, &was_scheduled, now)?;
    change(tx, MAKE_READY, &ready, now)?;
    let mut writes = LaneWrites::default();
    for lane in &mut lanes {
        let over = expired.iter().filter(|expired| **expired == lane.id).count();
        lane.backlog -= i64::try_from(over).unwrap_or(i64::MAX);
        if lane.node.is_none() && lane.next_at.is_none() && !lane.closed {
            writes.release(lane, Some(now), None);
        } else if over > 0 {
            writes.backlog(lane);
        }
    }
    writes.write(tx)?;
    Ok(released)
}

#[derive(Clone, Copy)]
struct Due {
    lane: LaneId,
    delivery: i64,
    is_over: bool,
    is_scheduled: bool,
    is_held: bool,
}

/// A statement about deliveries that are due, `?1`, at `?2`: for one, which SQLite is asked, and for all of them at once.
/// It passes over what was changed before its lane was locked.
type Change = (&'static str, &'static str);

macro_rules! change {
    ($before:literal, $after:literal) => {
        change!($before, $after, $after)
    };
    ($before:literal, $after_one:literal, $after_all:literal) => {
        (
            concat!($before, " = ?1 ", $after_one),
            concat!($before, " = ANY(?1) ", $after_all),
        )
    };
}

const EXPIRE: Change = change!(
    "UPDATE deliveries SET state = 'expired', reason = NULL, due_at = NULL, ended_at = ?2, updated_at = ?2
     WHERE due_at IS NOT NULL AND due_at <= ?2 AND id",
    "",
    "RETURNING lane_id"
);
const MAKE_READY: Change = change!(
    "UPDATE deliveries SET state = CASE WHEN state = 'retryable' THEN state ELSE 'available' END, reason = NULL,
                           due_at = NULL, updated_at = ?2
     WHERE due_at IS NOT NULL AND due_at <= ?2 AND id",
    ""
);
const WAITED: Change = change!(
    "INSERT INTO delivery_waits (delivery_id, since, until, reason)
     SELECT id, created_at, ?2, 'scheduled' FROM deliveries WHERE state = 'scheduled' AND id",
    "ON CONFLICT (delivery_id, since) DO NOTHING"
);

/// Says in which lanes something has expired, once for each delivery.
fn expire(tx: &Tx<'_>, due: &[Due], now: i64) -> Result<Vec<LaneId>> {
    let (one, all) = EXPIRE;
    if due.is_empty() {
        return Ok(Vec::new());
    }
    if tx.dialect() == Dialect::Postgres {
        return tx.all(all, params![ids(due), now], |row| Ok(LaneId(row.get(0)?)));
    }
    let mut lanes = Vec::new();
    for due in due {
        if tx.execute(one, params![due.delivery, now])? > 0 {
            lanes.push(due.lane);
        }
    }
    Ok(lanes)
}

fn change(tx: &Tx<'_>, (one, all): Change, due: &[Due], now: i64) -> Result<()> {
    if due.is_empty() {
        return Ok(());
    }
    if tx.dialect() == Dialect::Postgres {
        tx.execute(all, params![ids(due), now])?;
        return Ok(());
    }
    for due in due {
        tx.execute(one, params![due.delivery, now])?;
    }
    Ok(())
}

fn ids(due: &[Due]) -> List<'static> {
    due.iter().map(|due| ColumnRef::Integer(due.delivery)).collect()
}

/// The clock was set back to `now`: what it had made ready is so still, and what paces it is asked again. If nobody else
/// wrote by another clock, waits end as much earlier as the clock was set back.
pub(crate) fn clock_was_set_back(
    tx: &Tx<'_>,
    now: Timestamp,
    by: Duration,
    is_only_clock: bool,
) -> Result<()> {
    // At once, not when each lane asks: it would wait for the one after it has waited for the other.
    budget::bring_forward(tx, now)?;
    let now = now.as_microsecond();
    tx.execute(
        "UPDATE lanes SET next_at = ?1, wait_reason = NULL
         WHERE next_at > ?1 AND (wait_reason IS NULL OR wait_reason = 'pacing' OR wait_reason = 'budget'
                                 OR wait_reason = 'breaker')",
        params![now],
    )?;
    if !is_only_clock {
        return Ok(());
    }
    let by = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
    tx.execute(
        "UPDATE lanes SET next_at = next_at - ?2 WHERE next_at > ?1 AND wait_reason = 'retry_after'",
        params![now, by],
    )?;
    tx.execute(
        "UPDATE deliveries SET due_at = due_at - ?2 WHERE due_at > ?1 AND state = 'retryable'",
        params![now, by],
    )?;
    tx.execute(
        "UPDATE budgets SET paused_until = paused_until - ?2 WHERE paused_until > ?1",
        params![now, by],
    )?;
    Ok(())
}

/// When something is ready next: a lane, or a delivery that has its time.
pub(crate) fn next_due(tx: &Tx<'_>) -> Result<Option<Timestamp>> {
    let first = |sql| tx.first(sql, &[], |row| row.get::<i64>(0));
    let lane = first("SELECT next_at FROM lanes WHERE next_at IS NOT NULL ORDER BY next_at LIMIT 1")?;
    let timer = first("SELECT due_at FROM deliveries WHERE due_at IS NOT NULL ORDER BY due_at LIMIT 1")?;
    let next = match (lane, timer) {
        (Some(lane), Some(timer)) => Some(lane.min(timer)),
        (lane, timer) => lane.or(timer),
    };
    Ok(next.map(|at| Timestamp::from_microsecond(at).unwrap_or(Timestamp::MAX)))
}
