//! Stopping a lane, a channel or everything, and letting it go on.
//!
//! A paused lane is out of `lanes_ready`: its `next_at` is NULL until it is resumed. Under a pause of a channel or of
//! everything lanes keep theirs, and whoever claims leaves them out.

use jiff::Timestamp;
use tidings_store::{StoreError, Tx, params};

use super::{Done, NotDone};
use crate::ledger::read::{Stopped, row};
use crate::ledger::rearm::{Lane, begin_wait, end_waits};

/// How many lanes are looked at in one transaction when a channel or everything goes on.
const AT_ONCE: i64 = 500;
pub(crate) const READY_LANES: &str = "SELECT id, next_at, channel_id FROM lanes
     WHERE next_at IS NOT NULL AND next_at >= ?1 AND next_at <= ?2 AND (next_at > ?1 OR id > ?3)
     ORDER BY next_at, id LIMIT ?4";

/// Stops a lane. What is being sent there now goes on.
pub(crate) fn pause_lane(tx: &Tx<'_>, lane: i64, now: Timestamp) -> Done<()> {
    let Some(lane) = Lane::lock(tx, lane)? else {
        return Ok(Err(NotDone::Unknown));
    };
    if lane.paused {
        return Ok(Ok(()));
    }
    tx.execute(
        "UPDATE lanes SET paused = TRUE, next_at = NULL, wait_reason = NULL WHERE id = ?1",
        params![lane.id],
    )?;
    for head in lane.heads(tx)?.iter().filter(|head| head.due_at.is_none()) {
        end_waits(tx, head.id, now)?;
        begin_wait(tx, head.id, now, None, "paused")?;
    }
    Ok(Ok(()))
}

/// Lets a lane go on.
pub(crate) fn resume_lane(tx: &Tx<'_>, lane: i64, now: Timestamp) -> Done<()> {
    let Some(mut lane) = Lane::lock(tx, lane)? else {
        return Ok(Err(NotDone::Unknown));
    };
    if !lane.paused {
        return Ok(Ok(()));
    }
    tx.execute("UPDATE lanes SET paused = FALSE WHERE id = ?1", params![lane.id])?;
    lane.paused = false;
    for head in lane.heads(tx)?.iter().filter(|head| head.due_at.is_none()) {
        end_waits(tx, head.id, now)?;
    }
    lane.rearm(tx, now)?;
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

/// How far [`resume`] has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resumed {
    /// It goes on.
    Done,
    /// It is still paused: lanes up to this one have their wait on record.
    Until { next_at: i64, lane: i64 },
}

/// Lets a channel, or everything, go on: puts on record what its lanes waited for, some of them in each call, and ends
/// the pause with the last. Called again with what it returned until it is done.
pub(crate) fn resume(
    tx: &Tx<'_>,
    channel: Option<&str>,
    from: Option<Resumed>,
    now: Timestamp,
) -> Result<Resumed, StoreError> {
    let (scope, name) = scope(channel);
    let since = tx.first(
        "SELECT since FROM pauses WHERE scope = ?1 AND channel_id = ?2",
        params![scope, name],
        |row| row::time(row, 0),
    )?;
    let Some(since) = since else {
        return Ok(Resumed::Done);
    };
    let (after, lane) = match from {
        Some(Resumed::Until { next_at, lane }) => (next_at, lane),
        _ => (i64::MIN, i64::MIN),
    };
    let others = Stopped::read(tx)?;
    let lanes = tx.all(
        READY_LANES,
        params![after, now.as_microsecond(), lane, AT_ONCE],
        |row| Ok((row.get::<i64>(0)?, row.get::<i64>(1)?, row.get::<String>(2)?)),
    )?;
    for (lane, _, lane_channel) in &lanes {
        let stays = match channel {
            Some(channel) => lane_channel != channel || others.all,
            None => others.channels.contains(lane_channel),
        };
        if !stays {
            tell_wait(tx, *lane, since, now)?;
        }
    }
    match lanes.last() {
        Some((lane, next_at, _)) if lanes.len() as i64 == AT_ONCE => Ok(Resumed::Until {
            next_at: *next_at,
            lane: *lane,
        }),
        _ => {
            tx.execute(
                "DELETE FROM pauses WHERE scope = ?1 AND channel_id = ?2",
                params![scope, name],
            )?;
            Ok(Resumed::Done)
        }
    }
}

/// Puts on record that what is ready in a lane has waited since a pause began, or since it was ready.
fn tell_wait(tx: &Tx<'_>, lane: i64, paused_since: Timestamp, now: Timestamp) -> Result<(), StoreError> {
    let Some(lane) = Lane::lock(tx, lane)? else {
        return Ok(());
    };
    let Some(ready_since) = lane.next_at.filter(|_| !lane.claimed) else {
        return Ok(());
    };
    for head in lane.heads(tx)?.iter().filter(|head| head.due_at.is_none()) {
        let since = paused_since.max(ready_since).max(head.updated_at);
        if since < now {
            begin_wait(tx, head.id, since, Some(now), "paused")?;
        }
    }
    Ok(())
}

/// Opens a closed lane.
#[cfg_attr(not(test), expect(dead_code, reason = "a retry opens the lane by itself"))]
pub(crate) fn reopen(tx: &Tx<'_>, lane: i64, now: Timestamp) -> Done<()> {
    let Some(mut lane) = Lane::lock(tx, lane)? else {
        return Ok(Err(NotDone::Unknown));
    };
    if lane.closed_reason.take().is_some() {
        open(tx, lane.id)?;
        lane.rearm(tx, now)?;
    }
    Ok(Ok(()))
}

pub(super) fn open(tx: &Tx<'_>, lane: i64) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE lanes SET closed_reason = NULL WHERE id = ?1",
        params![lane],
    )?;
    tx.execute(
        "UPDATE lane_addresses SET closed_at = NULL, evidence = NULL WHERE lane_id = ?1",
        params![lane],
    )?;
    Ok(())
}

fn scope(channel: Option<&str>) -> (&'static str, &str) {
    match channel {
        Some(channel) => ("channel", channel),
        None => ("all", ""),
    }
}
