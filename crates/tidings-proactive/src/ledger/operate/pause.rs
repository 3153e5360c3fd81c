//! Stopping a lane, a channel or everything, and letting it go on.
//!
//! A pause is a mark, which whoever claims respects: it puts a lane off to [`FAR`] that is paused when its time comes,
//! and says so in the waits of its deliveries. Resuming takes the mark away and wakes what was put off.

use jiff::Timestamp;
use tidings_store::{StoreError, Tx, params};

use super::{Done, NotDone};
use crate::ledger::claim::FAR;
use crate::ledger::lane::{Lane, LaneId};
use crate::ledger::read::Stopped;
use crate::ledger::rearm::{begin_wait, ready_heads, rearm};

/// How many lanes are woken in one transaction.
const AT_ONCE: i64 = 500;
pub(crate) const PUT_OFF: &str = "SELECT id, channel_id FROM lanes
     WHERE next_at = ?1 AND id > ?2 ORDER BY next_at, id LIMIT ?3";

/// Stops a lane. What is being sent there now goes on.
pub(crate) fn pause_lane(tx: &Tx<'_>, lane: i64) -> Done<()> {
    let found = tx.execute("UPDATE lanes SET paused = TRUE WHERE id = ?1", params![lane])?;
    Ok(if found > 0 { Ok(()) } else { Err(NotDone::Unknown) })
}

/// Lets a lane go on.
pub(crate) fn resume_lane(tx: &Tx<'_>, lane: i64, now: Timestamp) -> Done<()> {
    let Some(mut lane) = Lane::by_id(tx, LaneId(lane))? else {
        return Ok(Err(NotDone::Unknown));
    };
    if lane.paused {
        tx.execute(
            "UPDATE lanes SET paused = FALSE WHERE id = ?1",
            params![lane.id.0],
        )?;
        lane.paused = false;
        wake_lane(tx, &lane, now)?;
    }
    Ok(Ok(()))
}

/// Stops a channel, or everything if none is named.
pub(crate) fn pause(tx: &Tx<'_>, channel: Option<&str>, now: Timestamp) -> Result<(), StoreError> {
    let (scope, channel) = scope(channel);
    tx.execute(
        "INSERT INTO pauses (scope, channel_id, since) VALUES (?1, ?2, ?3) ON CONFLICT (scope, channel_id) DO NOTHING",
        params![scope, channel, now.as_microsecond()],
    )?;
    Ok(())
}

/// Lets a channel, or everything, go on. Its lanes have to be woken with [`wake`].
pub(crate) fn resume(tx: &Tx<'_>, channel: Option<&str>) -> Result<(), StoreError> {
    let (scope, channel) = scope(channel);
    tx.execute(
        "DELETE FROM pauses WHERE scope = ?1 AND channel_id = ?2",
        params![scope, channel],
    )?;
    Ok(())
}

/// Wakes some of the lanes that were put off and that nothing stops any more, those after `after`. Returns where to go
/// on, unless these were the last.
///
/// A node that has not heard yet of the end of a pause may put a lane off again: so whatever was forgotten is looked for
/// from time to time.
pub(crate) fn wake(tx: &Tx<'_>, after: i64, now: Timestamp) -> Result<Option<i64>, StoreError> {
    let stopped = Stopped::read(tx)?;
    let lanes = tx.all(PUT_OFF, params![FAR, after, AT_ONCE], |row| {
        Ok((row.get::<i64>(0)?, row.get::<String>(1)?))
    })?;
    for (lane, channel) in &lanes {
        if stopped.includes(channel) {
            continue;
        }
        match Lane::by_id(tx, LaneId(*lane))? {
            Some(lane) if !lane.paused => wake_lane(tx, &lane, now)?,
            _ => {}
        }
    }
    let more = lanes.len() as i64 == AT_ONCE;
    Ok(lanes.last().filter(|_| more).map(|(lane, _)| *lane))
}

/// Puts on record that what has become the next of its class waits for the end of a pause: a claim has met only what was
/// next before.
pub(super) fn note(tx: &Tx<'_>, lane: &Lane, now: Timestamp) -> Result<(), StoreError> {
    if !lane.paused && !Stopped::read(tx)?.includes(&lane.channel_id) {
        return Ok(());
    }
    for head in ready_heads(tx, lane.id)? {
        let is_told = tx.exists(
            "SELECT 1 FROM delivery_waits WHERE delivery_id = ?1 AND reason = 'paused' AND until IS NULL",
            params![head.id],
        )?;
        if !is_told {
            begin_wait(tx, head.id, now, None, "paused")?;
        }
    }
    Ok(())
}

fn wake_lane(tx: &Tx<'_>, lane: &Lane, now: Timestamp) -> Result<(), StoreError> {
    for head in ready_heads(tx, lane.id)? {
        let ended = tx.execute(
            "UPDATE delivery_waits SET until = ?2 WHERE delivery_id = ?1 AND reason = 'paused' AND until IS NULL",
            params![head.id, now.as_microsecond()],
        )?;
        // A lane that was empty when it was paused: nobody has looked at what came since.
        if ended == 0 && lane.next_at.is_none() && lane.node.is_none() && head.updated_at < now {
            begin_wait(tx, head.id, head.updated_at, Some(now), "paused")?;
        }
    }
    rearm(tx, lane, now)
}

/// Why a lane is closed.
pub(super) fn closed_reason(tx: &Tx<'_>, lane: LaneId) -> Result<String, StoreError> {
    let reason: Option<Option<String>> = tx.first(
        "SELECT closed_reason FROM lanes WHERE id = ?1",
        params![lane.0],
        |row| row.get(0),
    )?;
    Ok(reason.flatten().unwrap_or_default())
}

fn scope(channel: Option<&str>) -> (&'static str, &str) {
    match channel {
        Some(channel) => ("channel", channel),
        None => ("all", ""),
    }
}
