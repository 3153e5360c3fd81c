//! Deleting what has ended long ago.
//!
//! There is no index over the times of the end: it would cost each delivery a page for something that is done once. Ids
//! rise with time instead, so a walk from the lowest id meets the old ones first, and stops at the first delivery that
//! is not old. What it passes by because it has not ended, such as a million reminders for next year, it does not pass
//! by again before the walk starts over, once in a day.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tidings_store::{StoreError, Tx, params};

use super::read::row;

/// How many rows one transaction looks at.
const AT_ONCE: i64 = 500;
/// How long a delivery that has ended stays on record unless it is said otherwise.
const RETENTION: Duration = Duration::from_hours(30 * 24);
/// After how long a walk starts again at the beginning.
const ROUND: SignedDuration = SignedDuration::from_hours(24);

const NEXT_DELIVERIES: &str = "SELECT id, created_at FROM deliveries WHERE id > ?1 ORDER BY id LIMIT ?2";
const NEXT_LANES: &str = "SELECT id FROM lanes WHERE id > ?1 ORDER BY id LIMIT ?2";
const ATTEMPTS: &str = "DELETE FROM attempts WHERE delivery_id IN
     (SELECT id FROM deliveries WHERE id > ?1 AND id <= ?2 AND ended_at < ?3)";
const WAITS: &str = "DELETE FROM delivery_waits WHERE delivery_id IN
     (SELECT id FROM deliveries WHERE id > ?1 AND id <= ?2 AND ended_at < ?3)";
const DELIVERIES: &str = "DELETE FROM deliveries WHERE id > ?1 AND id <= ?2 AND ended_at < ?3";
const KEYS: &str = "DELETE FROM dedupe_keys WHERE (tenant, key) IN
     (SELECT tenant, key FROM dedupe_keys WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)";
const LANES: &str = "DELETE FROM lanes
     WHERE id > ?1 AND id <= ?2 AND backlog = 0 AND node IS NULL AND NOT paused AND closed_reason IS NULL
       AND NOT EXISTS (SELECT 1 FROM deliveries WHERE deliveries.lane_id = lanes.id)";
const ADDRESSES: &str = "DELETE FROM lane_addresses
     WHERE lane_id > ?1 AND lane_id <= ?2 AND NOT EXISTS (SELECT 1 FROM lanes WHERE lanes.id = lane_addresses.lane_id)";

/// The statements, for the test that looks at how they find their rows.
#[cfg(test)]
pub(super) const STATEMENTS: [(&str, &str); 8] = [
    (NEXT_DELIVERIES, "INTEGER PRIMARY KEY (rowid>?)"),
    (NEXT_LANES, "INTEGER PRIMARY KEY (rowid>?)"),
    (ATTEMPTS, "SEARCH attempts USING PRIMARY KEY (delivery_id=?)"),
    (WAITS, "SEARCH delivery_waits USING PRIMARY KEY (delivery_id=?)"),
    (DELIVERIES, "INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
    (KEYS, "dedupe_keys_by_expiry (expires_at<?)"),
    (
        LANES,
        "SEARCH lanes USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)",
    ),
    (
        ADDRESSES,
        "SEARCH lane_addresses USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)",
    ),
];

/// What a pruning deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pruned {
    /// Deliveries that had ended.
    pub deliveries: u64,
    /// Their failed attempts.
    pub attempts: u64,
    /// Their waits.
    pub waits: u64,
    /// Dedupe keys whose time was over.
    pub keys: u64,
    /// Conversations of which nothing is on record any more.
    pub lanes: u64,
}

/// How far the walks have come. Kept in memory: after a restart they start over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pruner {
    retention: SignedDuration,
    deliveries: Walk,
    lanes: Walk,
}

#[derive(Clone, Copy, Debug, Default)]
struct Walk {
    /// The last id that was looked at.
    at: i64,
    began: Option<Timestamp>,
}

impl Walk {
    /// Starts over if it is time for it.
    fn begin(&mut self, now: Timestamp) {
        let over = self
            .began
            .is_none_or(|began| now.duration_since(began) >= ROUND || now < began);
        if over {
            *self = Walk {
                at: 0,
                began: Some(now),
            };
        }
    }
}

impl Default for Pruner {
    fn default() -> Self {
        Pruner::new(RETENTION)
    }
}

impl Pruner {
    pub(crate) fn new(retention: Duration) -> Self {
        Pruner {
            retention: SignedDuration::try_from(retention).unwrap_or(SignedDuration::MAX),
            deliveries: Walk::default(),
            lanes: Walk::default(),
        }
    }

    /// Deletes some of what is old. `true` if there is more to look at: then it is to be called again, in another
    /// transaction.
    pub(crate) fn prune(
        &mut self,
        tx: &Tx<'_>,
        now: Timestamp,
        pruned: &mut Pruned,
    ) -> Result<bool, StoreError> {
        let old = now.saturating_sub(self.retention).unwrap_or(Timestamp::MIN);
        self.deliveries.begin(now);
        self.lanes.begin(now);
        let more_keys = keys(tx, now, pruned)?;
        let more_deliveries = self.deliveries.some_deliveries(tx, old, pruned)?;
        // A lane is idle for as long as its last delivery is old: it goes once that has gone.
        let more_lanes = !more_deliveries && self.lanes.some_lanes(tx, pruned)?;
        Ok(more_keys || more_deliveries || more_lanes)
    }
}

impl Walk {
    fn some_deliveries(
        &mut self,
        tx: &Tx<'_>,
        old: Timestamp,
        pruned: &mut Pruned,
    ) -> Result<bool, StoreError> {
        let from = self.at;
        let rows = tx.all(NEXT_DELIVERIES, params![from, AT_ONCE], |row| {
            Ok((row.get::<i64>(0)?, row::time(row, 1)?))
        })?;
        // None of those that come after has ended before it was put on record.
        let old_ones = rows.iter().take_while(|(_, created)| *created < old);
        let Some((to, _)) = old_ones.last() else {
            return Ok(false);
        };
        let more = rows.last().is_some_and(|(last, _)| last == to) && rows.len() as i64 == AT_ONCE;
        let range = params![from, *to, old.as_microsecond()];
        pruned.attempts += tx.execute(ATTEMPTS, range)? as u64;
        pruned.waits += tx.execute(WAITS, range)? as u64;
        pruned.deliveries += tx.execute(DELIVERIES, range)? as u64;
        self.at = *to;
        Ok(more)
    }

    fn some_lanes(&mut self, tx: &Tx<'_>, pruned: &mut Pruned) -> Result<bool, StoreError> {
        let from = self.at;
        let ids = tx.all(NEXT_LANES, params![from, AT_ONCE], |row| row.get::<i64>(0))?;
        let Some(to) = ids.last().copied() else {
            return Ok(false);
        };
        let gone = tx.execute(LANES, params![from, to])?;
        if gone > 0 {
            tx.execute(ADDRESSES, params![from, to])?;
        }
        pruned.lanes += gone as u64;
        self.at = to;
        Ok(ids.len() as i64 == AT_ONCE)
    }
}

fn keys(tx: &Tx<'_>, now: Timestamp, pruned: &mut Pruned) -> Result<bool, StoreError> {
    let gone = tx.execute(KEYS, params![now.as_microsecond(), AT_ONCE])?;
    pruned.keys += gone as u64;
    Ok(gone as i64 == AT_ONCE)
}

#[cfg(test)]
mod tests;
