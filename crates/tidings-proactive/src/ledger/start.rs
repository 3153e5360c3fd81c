//! Marking deliveries as being sent, when their lanes are claimed.

use jiff::Timestamp;
use tidings_store::{ColumnRef, Dialect, List, Row, StoreError, Tx, params};

use super::Result;
use super::claim::Claimed;
use super::enqueue::Content;
use super::heads::Head;
use super::lane::Lane;
use super::nodes::NodeId;
use crate::delivery::DeliveryId;
use crate::unknown_policy::UnknownPolicy;

macro_rules! started {
    () => {
        "coalesce(deliveries.reference, lane_addresses.reference), \
         CASE WHEN deliveries.reference IS NULL THEN lane_addresses.identity ELSE deliveries.identity END, \
         activity, handler, payload, policy, starts, expires_at, trace"
    };
}

const START: &str = "UPDATE deliveries SET state = 'sending', due_at = NULL, starts = starts + 1, began_at = ?2, updated_at = ?2
     WHERE id = ?1";
const STARTED: &str = concat!(
    "SELECT ",
    started!(),
    " FROM deliveries JOIN lane_addresses USING (lane_id) WHERE deliveries.id = ?1"
);
const START_AND_READ: &str = concat!(
    "UPDATE deliveries SET state = 'sending', due_at = NULL, starts = starts + 1, began_at = ?2, updated_at = ?2
     FROM lane_addresses WHERE deliveries.id = ANY(?1) AND lane_addresses.lane_id = deliveries.lane_id
     RETURNING deliveries.id, ",
    started!()
);

/// Marks the heads of claimed lanes as being sent. Their places go along.
pub(super) fn start(
    tx: &Tx<'_>,
    mut starts: Vec<(usize, Lane, Head)>,
    node: NodeId,
    now: Timestamp,
) -> Result<Vec<(usize, Claimed)>> {
    let mut claimed = Vec::with_capacity(starts.len());
    if starts.is_empty() {
        return Ok(claimed);
    }
    if tx.dialect() == Dialect::Postgres {
        starts.sort_unstable_by_key(|(_, _, head)| head.id);
        let ids: List<'_> = starts
            .iter()
            .map(|(_, _, head)| ColumnRef::Integer(head.id.0))
            .collect();
        let mut started = tx.all(START_AND_READ, params![ids, now.as_microsecond()], |row| {
            Ok((DeliveryId(row.get(0)?), Started::from_row(row, 1)?))
        })?;
        started.sort_unstable_by_key(|(id, _)| *id);
        if started.len() != starts.len() {
            return Err(vanished());
        }
        for ((place, lane, head), (_, started)) in starts.into_iter().zip(started) {
            claimed.push((place, started.claimed(lane, node, head, now)));
        }
        return Ok(claimed);
    }
    for (place, lane, head) in starts {
        // An `UPDATE ... RETURNING` would do the same, but SQLite collects its rows in a temporary table first.
        tx.execute(START, params![head.id.0, now.as_microsecond()])?;
        let started = tx.first(STARTED, params![head.id.0], |row| Started::from_row(row, 0))?;
        let started = started.ok_or_else(vanished)?;
        claimed.push((place, started.claimed(lane, node, head, now)));
    }
    Ok(claimed)
}

fn vanished() -> StoreError {
    StoreError::message("a delivery vanished while it was claimed")
}

/// What is read of a delivery when it is claimed.
struct Started {
    reference: String,
    identity: Option<String>,
    content: Content,
    policy: UnknownPolicy,
    starts: u32,
    expires_at: Timestamp,
    trace: Option<String>,
}

impl Started {
    fn from_row(row: &Row<'_>, first: usize) -> Result<Started> {
        let content = match row.get::<Option<String>>(first + 2)? {
            Some(activity) => Content::Activity(activity),
            None => Content::Handler {
                name: row.get(first + 3)?,
                payload: row.get(first + 4)?,
            },
        };
        Ok(Started {
            reference: row.get(first)?,
            identity: row.get(first + 1)?,
            content,
            policy: UnknownPolicy::from_row(row.text(first + 5)?).unwrap_or_default(),
            starts: row.get(first + 6)?,
            expires_at: Timestamp::from_microsecond(row.get(first + 7)?).unwrap_or(Timestamp::MAX),
            trace: row.get(first + 8)?,
        })
    }

    fn claimed(self, lane: Lane, node: NodeId, head: Head, now: Timestamp) -> Claimed {
        Claimed {
            id: head.id,
            lane: lane.id,
            node: node.0,
            epoch: lane.epoch,
            reference: self.reference,
            identity: self.identity,
            content: self.content,
            policy: self.policy,
            starts: self.starts,
            expires_at: self.expires_at,
            trace: self.trace,
            began_at: now,
            call_by: lane.call_by,
            class: head.class,
            place: head.place,
            channel_id: lane.channel_id,
            conversation_id: lane.conversation_id,
            tenant: lane.tenant,
            host: lane.host,
        }
    }
}
