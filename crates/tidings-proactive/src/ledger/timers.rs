//! What has its time.

use std::time::Duration;

use jiff::Timestamp;
use tidings_store::{Tx, params};

use super::lane::{Lane, LaneId};
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
    due.sort_unstable_by_key(|due| (due.lane, due.delivery));
    for of_lane in due.chunk_by(|one, other| one.lane == other.lane) {
        if let Some(lane) = Lane::in_no_hands(tx, of_lane[0].lane)? {
            release_in(tx, &lane, of_lane, at)?;
        }
    }
    Ok(released)
}

struct Due {
    lane: LaneId,
    delivery: i64,
    is_over: bool,
    is_scheduled: bool,
    is_held: bool,
}

fn release_in(tx: &Tx<'_>, lane: &Lane, due: &[Due], at: Timestamp) -> Result<()> {
    let now = at.as_microsecond();
    let mut over = 0_u32;
    for due in due {
        if due.is_held {
            // Until its end was known, this had none.
            end_waits(tx, due.delivery, at)?;
        }
        if due.is_over {
            let ended = tx.execute(
                "UPDATE deliveries SET state = 'expired', reason = NULL, due_at = NULL, ended_at = ?2, updated_at = ?2
                 WHERE id = ?1 AND due_at IS NOT NULL AND due_at <= ?2",
                params![due.delivery, now],
            )?;
            over += u32::from(ended > 0);
        } else {
            if due.is_scheduled {
                tx.execute(
                    "INSERT INTO delivery_waits (delivery_id, since, until, reason)
                     SELECT id, created_at, ?2, 'scheduled' FROM deliveries WHERE id = ?1 AND state = 'scheduled'
                     ON CONFLICT (delivery_id, since) DO NOTHING",
                    params![due.delivery, now],
                )?;
            }
            tx.execute(
                "UPDATE deliveries SET state = CASE WHEN state = 'retryable' THEN state ELSE 'available' END,
                                       reason = NULL, due_at = NULL, updated_at = ?2
                 WHERE id = ?1 AND due_at IS NOT NULL AND due_at <= ?2",
                params![due.delivery, now],
            )?;
        }
    }
    if over > 0 {
        tx.execute(
            "UPDATE lanes SET backlog = backlog - ?2 WHERE id = ?1",
            params![lane.id.0, over],
        )?;
    }
    if lane.node.is_none() && lane.next_at.is_none() && !lane.closed {
        tx.execute(
            "UPDATE lanes SET next_at = ?2, wait_reason = NULL WHERE id = ?1",
            params![lane.id.0, now],
        )?;
    }
    Ok(())
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
