//! Whether a lane that no node has may be claimed, after something in it has changed.

use jiff::Timestamp;
use tidings_store::{Row, Tx, params};

use super::Result;
use super::claim::FAR;
use super::lane::{Lane, LaneId};
use crate::row;

pub(super) const FIRST_HEAD: &str = "SELECT class, id, due_at, updated_at FROM deliveries
     WHERE lane_id = ?1 AND (state = 'available' OR state = 'retryable')
     ORDER BY class, coalesce(place, id), id LIMIT 1";
pub(super) const NEXT_HEAD: &str = "SELECT class, id, due_at, updated_at FROM deliveries
     WHERE lane_id = ?1 AND class > ?2 AND (state = 'available' OR state = 'retryable')
     ORDER BY class, coalesce(place, id), id LIMIT 1";

/// The next delivery of a class, and ready.
pub(super) struct Head {
    pub(super) id: i64,
    pub(super) updated_at: Timestamp,
}

/// What is next of each class, unless it waits to be tried again.
pub(super) fn ready_heads(tx: &Tx<'_>, lane: LaneId) -> Result<Vec<Head>> {
    let mut heads = Vec::new();
    let mut class: Option<String> = None;
    let read = |row: &Row<'_>| {
        let head = Head {
            id: row.get(1)?,
            updated_at: row::timestamp(row, 3)?,
        };
        let is_ready = row.get::<Option<i64>>(2)?.is_none();
        Ok((row.get::<String>(0)?, is_ready.then_some(head)))
    };
    loop {
        let next = match &class {
            None => tx.first(FIRST_HEAD, params![lane.0], read)?,
            Some(class) => tx.first(NEXT_HEAD, params![lane.0, class], read)?,
        };
        let Some((its_class, head)) = next else {
            return Ok(heads);
        };
        heads.extend(head);
        class = Some(its_class);
    }
}

/// Has the lane claimed from now on if something in it is ready and nothing forbids it; what paces it is left as it is.
/// A node that has the lane looks by itself.
pub(super) fn rearm(tx: &Tx<'_>, lane: &Lane, now: Timestamp) -> Result<()> {
    if lane.node.is_some() {
        return Ok(());
    }
    let ready = !lane.closed && !ready_heads(tx, lane.id)?.is_empty();
    let next_at = match lane.next_at {
        Some(_) if !ready => None,

        None | Some(FAR) if ready && !lane.paused => Some(now.as_microsecond()),
        _ => return Ok(()),
    };
    tx.execute(
        "UPDATE lanes SET next_at = ?2, wait_reason = NULL WHERE id = ?1",
        params![lane.id.0, next_at],
    )?;
    Ok(())
}

/// Puts the beginning of a wait on record.
pub(super) fn begin_wait(
    tx: &Tx<'_>,
    delivery: i64,
    since: Timestamp,
    until: Option<Timestamp>,
    reason: &str,
) -> Result<()> {
    tx.execute(
        "INSERT INTO delivery_waits (delivery_id, since, until, reason) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (delivery_id, since) DO UPDATE SET until = excluded.until, reason = excluded.reason",
        params![
            delivery,
            since.as_microsecond(),
            until.map(Timestamp::as_microsecond),
            reason
        ],
    )?;
    Ok(())
}

/// Ends whatever a delivery waits for.
pub(super) fn end_waits(tx: &Tx<'_>, delivery: i64, now: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE delivery_waits SET until = ?2 WHERE delivery_id = ?1 AND (until IS NULL OR until > ?2)",
        params![delivery, now.as_microsecond()],
    )?;
    Ok(())
}
