//! The processes that send, and what happens to what a dead one was sending.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use jiff::Timestamp;
use tidings_store::{Dialect, Tx, params};

use super::Result;
use super::lane::{self, Lane, LaneId};
use super::{settle, suspect};
use crate::delivery::DeliveryId;
use crate::limits::Limits;
use crate::outcome::AttemptOutcome;
use crate::reason::DeadReason;
use crate::unknown_policy::UnknownPolicy;

/// The most lanes that one transaction takes over.
const LANES_AT_ONCE: i64 = 256;
const LOST: &str = "the process ended while this delivery was being sent";

/// The limits of lanes, by their channel.
pub(crate) type LaneLimits = HashMap<String, Limits>;

/// Names a process in the database, from one start to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct NodeId(pub(crate) i64);

/// What a node shows of itself to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SignOfLife {
    pub(crate) node: NodeId,
    /// Another one after each renewal. It tells no time: the clocks of two nodes need not agree.
    pub(crate) mark: i64,
    /// How long it may show no other.
    pub(crate) lease: Duration,
}

impl SignOfLife {
    /// Whether it is the last: the node has ended, and left lanes behind.
    pub(crate) fn is_farewell(&self) -> bool {
        self.mark == FAREWELL
    }
}

/// The mark of a node that has ended.
const FAREWELL: i64 = 0;

/// The next mark, if it is later than the one on record. A time, because a node of an earlier version takes it for one.
fn mark(now: Timestamp, lease: Duration) -> i64 {
    let until = now.checked_add(lease).unwrap_or(Timestamp::MAX);
    until.as_microsecond().max(FAREWELL + 1)
}

fn millis(lease: Duration) -> i64 {
    i64::try_from(lease.as_millis()).unwrap_or(i64::MAX)
}

/// A new node, alive for one lease.
pub(crate) fn register(tx: &Tx<'_>, name: &str, now: Timestamp, lease: Duration) -> Result<NodeId> {
    let id = tx.insert(
        "INSERT INTO nodes (name, started_at, alive_until, lease_ms) VALUES (?1, ?2, ?3, ?4)",
        "id",
        params![name, now.as_microsecond(), mark(now, lease), millis(lease)],
    )?;
    id.map(NodeId)
        .ok_or_else(|| tidings_store::StoreError::message("the database gave a new node no id"))
}

/// A node that was declared dead and is not.
pub(crate) fn register_again(
    tx: &Tx<'_>,
    node: NodeId,
    name: &str,
    now: Timestamp,
    lease: Duration,
) -> Result<()> {
    tx.execute(
        "INSERT INTO nodes (id, name, started_at, alive_until, lease_ms) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (id) DO NOTHING",
        params![
            node.0,
            name,
            now.as_microsecond(),
            mark(now, lease),
            millis(lease)
        ],
    )?;
    Ok(())
}

/// Renews the lease of a node, and with it of all its lanes. False if others have declared it dead.
pub(crate) fn heartbeat(tx: &Tx<'_>, node: NodeId, now: Timestamp, lease: Duration) -> Result<bool> {
    // Another mark whatever the clock says: it may stand still, or have been set back.
    let renewed = tx.execute(
        "UPDATE nodes SET alive_until = CASE WHEN alive_until < ?2 THEN ?2 ELSE alive_until + 1 END WHERE id = ?1",
        params![node.0, mark(now, lease)],
    )?;
    Ok(renewed > 0)
}

/// The other nodes, and whether there are lanes of nodes that are not on record.
pub(crate) fn others(tx: &Tx<'_>, node: NodeId) -> Result<(Vec<SignOfLife>, bool)> {
    let signs = tx.all(
        "SELECT id, alive_until, lease_ms FROM nodes WHERE id <> ?1 ORDER BY id",
        params![node.0],
        |row| {
            Ok(SignOfLife {
                node: NodeId(row.get(0)?),
                mark: row.get(1)?,
                lease: Duration::from_millis(row.get::<i64>(2)?.unsigned_abs()),
            })
        },
    )?;
    Ok((signs, !strays(tx, node)?.is_empty()))
}

/// A node ends. If it still has lanes, because the outcome of what it sent there could not be recorded, its row stays
/// behind, so that whoever looks finds them.
pub(crate) fn leave(tx: &Tx<'_>, node: NodeId) -> Result<()> {
    let left = tx.execute(
        "DELETE FROM nodes WHERE id = ?1 AND NOT EXISTS (
             SELECT 1 FROM deliveries JOIN lanes ON lanes.id = deliveries.lane_id
             WHERE deliveries.state = 'sending' AND node = ?1)",
        params![node.0],
    )?;
    if left == 0 {
        tx.execute(
            "UPDATE nodes SET alive_until = ?2 WHERE id = ?1",
            params![node.0, FAREWELL],
        )?;
    }
    Ok(())
}

/// Ends the waits that an earlier process chose itself; those that a channel asked for stay, and those of suspects.
pub(crate) fn end_own_waits(tx: &Tx<'_>, now: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE deliveries SET due_at = ?1, updated_at = ?1
         WHERE due_at > ?1 AND state = 'retryable' AND NOT EXISTS (
             SELECT 1 FROM delivery_waits
             WHERE delivery_id = deliveries.id AND reason = 'retry_after' AND until >= deliveries.due_at)
           AND (error_status IS NULL OR error_status <> 429)
           AND (SELECT count(*) FROM attempts WHERE delivery_id = deliveries.id AND outcome = 'lost') < ?2",
        params![now.as_microsecond(), suspect::SUSPECTED],
    )?;
    Ok(())
}

/// What a round of taking over did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TakenOver {
    pub(crate) lanes: usize,
    /// There is more to take over.
    pub(crate) more: bool,
}

/// Takes over every lane of the nodes before `node`, and of those that are not on record, because the database proves that
/// none of them is alive. What was being sent has an unknown outcome. Nodes that joined later are not touched: where there
/// is one, this one is dead itself, and this its last commit on the way.
pub(crate) fn take_over_all(
    tx: &Tx<'_>,
    node: NodeId,
    limits: &LaneLimits,
    now: Timestamp,
) -> Result<TakenOver> {
    let held = tx.all(
        "SELECT lanes.id, node FROM deliveries JOIN lanes ON lanes.id = deliveries.lane_id
         WHERE deliveries.state = 'sending' AND node <> ?1
           AND (node < ?1 OR NOT EXISTS (SELECT 1 FROM nodes WHERE nodes.id = node))
         ORDER BY lanes.id LIMIT ?2",
        params![node.0, LANES_AT_ONCE],
        |row| Ok((LaneId(row.get(0)?), row.get::<i64>(1)?)),
    )?;
    if held.is_empty() {
        tx.execute("DELETE FROM nodes WHERE id < ?1", params![node.0])?;
    }
    let (lanes, dead): (Vec<LaneId>, HashSet<i64>) = held.into_iter().unzip();
    take_over_lanes(tx, &lanes, limits, now, |has| dead.contains(&has))
}

/// Takes over lanes of a node whose lease has ended, unless it has shown another sign of life since `last`. What was being
/// sent has an unknown outcome. With `forget`, a node that has no lanes is on record no longer.
pub(crate) fn take_over(
    tx: &Tx<'_>,
    last: SignOfLife,
    forget: bool,
    limits: &LaneLimits,
    now: Timestamp,
) -> Result<TakenOver> {
    let dead = last.node;
    // Whoever has the row in hand renews it, or takes over as well.
    let sql = match tx.dialect() {
        Dialect::Postgres => "SELECT 1 FROM nodes WHERE id = ?1 AND alive_until = ?2 FOR UPDATE SKIP LOCKED",
        Dialect::Sqlite => "SELECT 1 FROM nodes WHERE id = ?1 AND alive_until = ?2",
    };
    if !tx.exists(sql, params![dead.0, last.mark])? {
        return Ok(TakenOver::default());
    }
    let lanes = tx.all(
        "SELECT lanes.id FROM deliveries JOIN lanes ON lanes.id = deliveries.lane_id
         WHERE deliveries.state = 'sending' AND node = ?1 ORDER BY lanes.id LIMIT ?2",
        params![dead.0, LANES_AT_ONCE],
        |row| Ok(LaneId(row.get(0)?)),
    )?;
    if lanes.is_empty() && forget {
        leave(tx, dead)?;
    }
    take_over_lanes(tx, &lanes, limits, now, |has| has == dead.0)
}

fn take_over_lanes(
    tx: &Tx<'_>,
    lanes: &[LaneId],
    limits: &LaneLimits,
    now: Timestamp,
    is_dead: impl Fn(i64) -> bool,
) -> Result<TakenOver> {
    let mut taken = TakenOver {
        lanes: 0,
        more: !lanes.is_empty(),
    };
    for id in lanes {
        if let Some(lane) = Lane::by_id(tx, *id)?
            && let Some(dead) = lane.node.filter(|node| is_dead(*node))
        {
            take_over_lane(tx, lane, dead, limits, now)?;
            taken.lanes += 1;
        }
    }
    Ok(taken)
}

/// Takes over lanes of nodes that are not on record: one that was declared dead may have claimed once more before it
/// noticed, and died.
pub(crate) fn take_over_strays(
    tx: &Tx<'_>,
    node: NodeId,
    limits: &LaneLimits,
    now: Timestamp,
) -> Result<TakenOver> {
    let mut taken = 0;
    for id in strays(tx, node)? {
        let Some(lane) = Lane::by_id(tx, id)? else {
            continue;
        };
        let Some(owner) = lane.node.filter(|owner| *owner != node.0) else {
            continue;
        };
        let is_known = tx.exists("SELECT 1 FROM nodes WHERE id = ?1", params![owner])?;
        if !is_known {
            take_over_lane(tx, lane, owner, limits, now)?;
            taken += 1;
        }
    }
    Ok(TakenOver {
        lanes: taken,
        more: taken > 0,
    })
}

/// Lanes of nodes that are not on record, as many as one transaction takes over. Not `LIMIT ?`: it is looked at often, and
/// SQLite would prepare the statement anew each time.
fn strays(tx: &Tx<'_>, node: NodeId) -> Result<Vec<LaneId>> {
    tx.all(
        "SELECT lanes.id FROM deliveries JOIN lanes ON lanes.id = deliveries.lane_id
         WHERE deliveries.state = 'sending' AND node <> ?1 AND NOT EXISTS (SELECT 1 FROM nodes WHERE nodes.id = node)
         ORDER BY lanes.id LIMIT 256",
        params![node.0],
        |row| Ok(LaneId(row.get(0)?)),
    )
}

/// Gives back every lane of a node that sends nothing now, and says how many it were.
pub(crate) fn put_back_all(tx: &Tx<'_>, node: NodeId, now: Timestamp) -> Result<usize> {
    let claimed = tx.all(
        "SELECT lanes.id FROM deliveries JOIN lanes ON lanes.id = deliveries.lane_id
         WHERE deliveries.state = 'sending' AND node = ?1 ORDER BY lanes.id",
        params![node.0],
        |row| Ok(LaneId(row.get(0)?)),
    )?;
    let mut put_back = 0;
    for id in claimed {
        let Some(mut lane) = Lane::by_id(tx, id)?.filter(|lane| lane.node == Some(node.0)) else {
            continue;
        };
        tx.execute(
            "UPDATE deliveries SET state = CASE WHEN starts > 1 THEN 'retryable' ELSE 'available' END,
                                   starts = starts - 1, updated_at = ?2
             WHERE lane_id = ?1 AND ended_at IS NULL AND state = 'sending'",
            params![lane.id.0, now.as_microsecond()],
        )?;
        lane.epoch += 1;
        lane::release(tx, &lane, Some(now.as_microsecond()), None)?;
        put_back += 1;
    }
    Ok(put_back)
}

fn take_over_lane(tx: &Tx<'_>, mut lane: Lane, dead: i64, limits: &LaneLimits, now: Timestamp) -> Result<()> {
    let under_way = tx.all(
        "SELECT id, starts, began_at, policy, handler IS NOT NULL, expires_at FROM deliveries
         WHERE lane_id = ?1 AND ended_at IS NULL AND state = 'sending'",
        params![lane.id.0],
        |row| {
            Ok(UnderWay {
                id: row.get(0)?,
                starts: row.get(1)?,
                began_at: row.get(2)?,
                policy: UnknownPolicy::from_row(row.text(3)?).unwrap_or_default(),
                is_handler: row.get(4)?,
                expires_at: row.get(5)?,
            })
        },
    )?;
    for delivery in under_way {
        note_lost(tx, &delivery, dead, lane.epoch, now)?;
        if !delivery.is_handler {
            // Perhaps the channel was called, at the latest now.
            settle::count_call(limits, &mut lane, now);
        }
        if lose(tx, &delivery, now)? {
            lane.backlog -= 1;
        }
    }
    lane.epoch += 1;
    let next_at = (lane.backlog > 0 && !lane.closed).then_some(now.as_microsecond());
    lane::release(tx, &lane, next_at, None)
}

struct UnderWay {
    id: i64,
    starts: u32,
    began_at: Option<i64>,
    policy: UnknownPolicy,
    is_handler: bool,
    expires_at: i64,
}

fn note_lost(tx: &Tx<'_>, delivery: &UnderWay, dead: i64, epoch: i64, now: Timestamp) -> Result<()> {
    let now = now.as_microsecond();
    tx.execute(
        "INSERT INTO attempts (delivery_id, start, node, epoch, began_at, ended_at, outcome, message)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (delivery_id, start) DO NOTHING",
        params![
            delivery.id,
            delivery.starts,
            dead,
            epoch,
            delivery.began_at.unwrap_or(now),
            now,
            AttemptOutcome::Lost.as_str(),
            LOST,
        ],
    )?;
    Ok(())
}

/// What becomes of a delivery that a dead node was sending. True if it has ended.
fn lose(tx: &Tx<'_>, delivery: &UnderWay, now: Timestamp) -> Result<bool> {
    // A handler's turn was not committed, so nothing of it has left.
    let maybe_arrived = !delivery.is_handler;
    // A channel that recognises the repeat shows it once.
    let may_repeat = maybe_arrived && delivery.policy != UnknownPolicy::Reconcile;
    let id = DeliveryId(delivery.id);
    let mut due_at = None;
    let (state, reason) = if suspect::is_poison(tx, id)? {
        ("dead", Some(DeadReason::Poison.as_str()))
    } else if maybe_arrived && delivery.policy == UnknownPolicy::AtMostOnce {
        ("unknown", None)
    } else {
        due_at = suspect::wait(tx, id, delivery.expires_at, now)?;
        ("retryable", None)
    };
    let ended = state != "retryable";
    let now = now.as_microsecond();
    tx.execute(
        "UPDATE deliveries SET state = ?2, reason = ?3, updated_at = ?4, ended_at = ?5, error_status = NULL,
                               error_code = NULL, error_message = ?6, repeat_possible = (repeat_possible OR ?7),
                               due_at = ?8
         WHERE id = ?1",
        params![
            delivery.id,
            state,
            reason,
            now,
            ended.then_some(now),
            LOST,
            may_repeat,
            due_at,
        ],
    )?;
    Ok(ended)
}

#[cfg(test)]
mod tests;
