//! Whether a lane that no node has may be claimed, after something in it has changed.

use jiff::Timestamp;
use tidings_store::{Dialect, StoreError, Tx, params};

use crate::ledger::read::row;

pub(super) const FIRST_HEAD: &str = "SELECT class, id, due_at, updated_at FROM deliveries
     WHERE lane_id = ?1 AND (state = 'available' OR state = 'retryable')
     ORDER BY class, coalesce(place, id), id LIMIT 1";
pub(super) const NEXT_HEAD: &str = "SELECT class, id, due_at, updated_at FROM deliveries
     WHERE lane_id = ?1 AND class > ?2 AND (state = 'available' OR state = 'retryable')
     ORDER BY class, coalesce(place, id), id LIMIT 1";
const LANE: &str = "SELECT closed_reason, paused, node, next_at FROM lanes WHERE id = ?1";
const LANE_LOCKED: &str = "SELECT closed_reason, paused, node, next_at FROM lanes WHERE id = ?1 FOR UPDATE";

/// The `next_at` of a lane that waits until somebody changes something: whoever does so wakes it.
pub(crate) const FAR: i64 = i64::MAX / 2;

/// A lane that nobody else changes before this transaction ends.
pub(super) struct Lane {
    pub(super) id: i64,
    pub(super) closed_reason: Option<String>,
    pub(super) paused: bool,
    pub(super) claimed: bool,
    pub(super) next_at: Option<i64>,
}

/// The next delivery of a class.
pub(super) struct Head {
    class: String,
    pub(super) id: i64,
    /// When it is tried again; its class waits until then.
    pub(super) due_at: Option<Timestamp>,
    pub(super) updated_at: Timestamp,
}

impl Lane {
    pub(super) fn lock(tx: &Tx<'_>, id: i64) -> Result<Option<Lane>, StoreError> {
        let sql = match tx.dialect() {
            // There is one writer.
            Dialect::Sqlite => LANE,
            Dialect::Postgres => LANE_LOCKED,
        };
        tx.first(sql, params![id], |row| {
            Ok(Lane {
                id,
                closed_reason: row.get(0)?,
                paused: row.get(1)?,
                claimed: row.get::<Option<i64>>(2)?.is_some(),
                next_at: row.get(3)?,
            })
        })
    }

    /// The next delivery of each class.
    pub(super) fn heads(&self, tx: &Tx<'_>) -> Result<Vec<Head>, StoreError> {
        let read = |row: &tidings_store::Row<'_>| {
            Ok(Head {
                class: row.get(0)?,
                id: row.get(1)?,
                due_at: row::optional_time(row, 2)?,
                updated_at: row::time(row, 3)?,
            })
        };
        let mut heads: Vec<Head> = Vec::new();
        loop {
            let head = match heads.last() {
                None => tx.first(FIRST_HEAD, params![self.id], read)?,
                Some(last) => tx.first(NEXT_HEAD, params![self.id, last.class], read)?,
            };
            match head {
                Some(head) => heads.push(head),
                None => return Ok(heads),
            }
        }
    }

    /// Has the lane claimed from now on if something in it is ready and nothing forbids it; what paces it is left as it
    /// is. A node that has the lane looks by itself.
    pub(super) fn rearm(&self, tx: &Tx<'_>, now: Timestamp) -> Result<(), StoreError> {
        if self.claimed {
            return Ok(());
        }
        let ready = self.closed_reason.is_none() && self.heads(tx)?.iter().any(|head| head.due_at.is_none());
        let next_at = match self.next_at {
            Some(_) if !ready => None,
            None | Some(FAR) if ready && !self.paused => Some(now.as_microsecond()),
            _ => return Ok(()),
        };
        tx.execute(
            "UPDATE lanes SET next_at = ?2, wait_reason = NULL WHERE id = ?1",
            params![self.id, next_at],
        )?;
        Ok(())
    }
}

/// Puts the beginning of a wait on record.
pub(super) fn begin_wait(
    tx: &Tx<'_>,
    delivery: i64,
    since: Timestamp,
    until: Option<Timestamp>,
    reason: &str,
) -> Result<(), StoreError> {
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
pub(super) fn end_waits(tx: &Tx<'_>, delivery: i64, now: Timestamp) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE delivery_waits SET until = ?2 WHERE delivery_id = ?1 AND (until IS NULL OR until > ?2)",
        params![delivery, now.as_microsecond()],
    )?;
    Ok(())
}
