//! Deliveries that may be the reason for which their process ended.
//!
//! What ends a process takes with it whatever else that was sending, and nothing tells the one from the others. So to be
//! lost once means little, and what was is sent again at once. What was lost twice is a suspect: it waits for a while, so
//! that a process which is killed again and again for a reason of its own loses no more of them than it has to, and then
//! a node sends it while it sends no other suspect. A third loss therefore convicts one delivery at most, and where the
//! cause is among the suspects, that one.

use std::time::Duration;

use jiff::Timestamp;
use tidings_store::{Dialect, Tx, params};

use super::Result;
use super::claim::{self, Claiming};
use super::nodes::NodeId;
use crate::delivery::DeliveryId;
use crate::wait_reason::WaitReason;

/// A delivery that was lost so often is a suspect. No fewer starts have been made of it.
pub(super) const SUSPECTED: u32 = 2;
/// One that was lost so often is poison, and not sent again.
const CONVICTED: u32 = 3;
/// How long a suspect waits after it was lost.
const WAITS: Duration = Duration::from_secs(10);
/// How long one waits whose node sends another.
const WAITS_FOR_ANOTHER: Duration = Duration::from_secs(1);

/// How often a delivery was lost while it was being sent, because its process ended or because sending it panicked.
fn losses(tx: &Tx<'_>, id: DeliveryId) -> Result<u32> {
    let lost = tx.first(
        "SELECT count(*) FROM attempts WHERE delivery_id = ?1 AND outcome = 'lost'",
        params![id.0],
        |row| row.get::<i64>(0),
    )?;
    Ok(lost.and_then(|lost| u32::try_from(lost).ok()).unwrap_or_default())
}

/// Whether a delivery was lost so often that it is not sent again.
pub(super) fn is_poison(tx: &Tx<'_>, id: DeliveryId) -> Result<bool> {
    Ok(losses(tx, id)? >= CONVICTED)
}

/// What has to become of a delivery that was lost: `None` if it is sent again at once, else until when it waits. Poison it
/// is not.
pub(super) fn wait(tx: &Tx<'_>, id: DeliveryId, expires_at: i64, now: Timestamp) -> Result<Option<i64>> {
    if losses(tx, id)? < SUSPECTED {
        return Ok(None);
    }
    let until = note_wait(tx, id, WAITS, expires_at, now)?;
    Ok(Some(until))
}

/// Whether a delivery that is to be tried again has to wait because it is a suspect and its node sends another, in
/// `sends_one` or on record. Then it is put off.
pub(super) fn has_to_wait(
    tx: &Tx<'_>,
    claiming: Claiming<'_>,
    id: DeliveryId,
    expires_at: i64,
    sends_one: &mut bool,
    now: Timestamp,
) -> Result<bool> {
    if losses(tx, id)? < SUSPECTED {
        return Ok(false);
    }
    if !*sends_one && may_try_one(tx, claiming.node)? {
        *sends_one = true;
        return Ok(false);
    }
    let until = note_wait(tx, id, WAITS_FOR_ANOTHER, expires_at, now)?;
    tx.execute(
        "UPDATE deliveries SET due_at = ?2, updated_at = ?3 WHERE id = ?1",
        params![id.0, until, now.as_microsecond()],
    )?;
    claiming.counters.waited(WaitReason::Backoff);
    claiming.note_due(Timestamp::from_microsecond(until).unwrap_or(now));
    Ok(true)
}

/// Not beyond the expiry, so that the others of its class wait no longer than that.
fn note_wait(tx: &Tx<'_>, id: DeliveryId, wait: Duration, expires_at: i64, now: Timestamp) -> Result<i64> {
    let until = now.checked_add(wait).unwrap_or(Timestamp::MAX);
    let until = until.min(Timestamp::from_microsecond(expires_at).unwrap_or(until));
    claim::note_wait(tx, id, Some(until), WaitReason::Backoff, now)?;
    Ok(until.as_microsecond())
}

/// Whether a node sends no suspect now. What it claims in other transactions at the same time counts: where there may be
/// some, its row is in the hands of one at a time, and nobody waits for it.
fn may_try_one(tx: &Tx<'_>, node: NodeId) -> Result<bool> {
    let alone = match tx.dialect() {
        Dialect::Postgres => tx.exists(
            "SELECT 1 FROM nodes WHERE id = ?1 FOR UPDATE SKIP LOCKED",
            params![node.0],
        )?,
        Dialect::Sqlite => true,
    };
    let sends_one = tx.exists(
        "SELECT 1 FROM deliveries JOIN lanes ON lanes.id = deliveries.lane_id
         WHERE deliveries.state = 'sending' AND node = ?1 AND starts > ?2
           AND (SELECT count(*) FROM attempts WHERE delivery_id = deliveries.id AND outcome = 'lost') >= ?2
         LIMIT 1",
        params![node.0, SUSPECTED],
    )?;
    Ok(alone && !sends_one)
}

#[cfg(test)]
mod tests;
