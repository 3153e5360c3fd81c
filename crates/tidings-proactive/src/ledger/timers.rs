//! What has its time.

use jiff::Timestamp;
use tidings_store::{Tx, params};

use super::Result;
use super::lane::{Lane, LaneId};

/// The most timers that one transaction lets go; the statement says so too.
const AT_ONCE: usize = 512;

/// Lets go what is due: it can be claimed now, or no longer keeps its class waiting. True if there may be more.
pub(crate) fn release_due(tx: &Tx<'_>, now: Timestamp) -> Result<bool> {
    let now = now.as_microsecond();
    let mut due = tx.all(
        "SELECT id, lane_id, state = 'scheduled' FROM deliveries WHERE due_at IS NOT NULL AND due_at <= ?1
         ORDER BY due_at LIMIT 512",
        params![now],
        |row| Ok((LaneId(row.get(1)?), row.get::<i64>(0)?, row.get::<bool>(2)?)),
    )?;
    let more = due.len() == AT_ONCE;
    due.sort_unstable();
    let mut last: Option<Lane> = None;
    for (lane, id, scheduled) in due {
        if last.as_ref().is_none_or(|last| last.id != lane) {
            last = Lane::by_id(tx, lane)?;
            if let Some(lane) = &last
                && lane.node.is_none()
                && lane.next_at.is_none()
                && !lane.closed
            {
                tx.execute(
                    "UPDATE lanes SET next_at = ?2, wait_reason = NULL WHERE id = ?1",
                    params![lane.id.0, now],
                )?;
            }
        }
        if scheduled {
            tx.execute(
                "INSERT INTO delivery_waits (delivery_id, since, until, reason)
                 SELECT id, created_at, ?2, 'scheduled' FROM deliveries WHERE id = ?1 AND state = 'scheduled'
                 ON CONFLICT (delivery_id, since) DO NOTHING",
                params![id, now],
            )?;
        }
        tx.execute(
            "UPDATE deliveries SET state = CASE WHEN state = 'retryable' THEN state ELSE 'available' END,
                                   due_at = NULL, updated_at = ?2
             WHERE id = ?1 AND due_at IS NOT NULL AND due_at <= ?2",
            params![id, now],
        )?;
    }
    Ok(more)
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
