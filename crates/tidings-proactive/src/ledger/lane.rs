//! The row of a lane.

use jiff::Timestamp;
use tidings_store::{Dialect, Row, Tx, params};

use super::Result;
use crate::reason::CloseReason;
use crate::wait_reason::WaitReason;

/// Names a lane in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LaneId(pub(super) i64);

/// A lane as it is on record, and locked until the transaction ends.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) id: LaneId,
    pub(super) channel_id: String,
    pub(super) conversation_id: String,
    pub(super) tenant: String,
    pub(super) closed: bool,
    pub(super) paused: bool,
    pub(super) next_at: Option<i64>,
    pub(super) node: Option<i64>,
    pub(super) epoch: i64,
    pub(super) backlog: i64,
    pub(super) meter: Option<String>,
    pub(super) host: String,
    /// Until when the call may be made that a claim of it has paid for; not on record.
    pub(super) call_by: Option<Timestamp>,
}

macro_rules! columns {
    () => {
        "lanes.id, channel_id, conversation_id, tenant, closed_reason IS NOT NULL, paused, next_at, \
         node, epoch, backlog, meter, host"
    };
}
pub(super) use columns;

const BY_ID: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM lanes JOIN lane_addresses ON lane_id = lanes.id WHERE lanes.id = ?1"
);
const BY_ID_LOCKED: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM lanes JOIN lane_addresses ON lane_id = lanes.id WHERE lanes.id = ?1 FOR UPDATE OF lanes"
);
const BY_ID_SKIP_LOCKED: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM lanes JOIN lane_addresses ON lane_id = lanes.id WHERE lanes.id = ?1 FOR UPDATE OF lanes SKIP LOCKED"
);

impl Lane {
    pub(super) fn from_row(row: &Row<'_>) -> Result<Lane> {
        Ok(Lane {
            id: LaneId(row.get(0)?),
            channel_id: row.get(1)?,
            conversation_id: row.get(2)?,
            tenant: row.get(3)?,
            closed: row.get(4)?,
            paused: row.get(5)?,
            next_at: row.get(6)?,
            node: row.get(7)?,
            epoch: row.get(8)?,
            backlog: row.get(9)?,
            meter: row.get(10)?,
            host: row.get(11)?,
            call_by: None,
        })
    }

    pub(super) fn by_id(tx: &Tx<'_>, id: LaneId) -> Result<Option<Lane>> {
        let sql = match tx.dialect() {
            Dialect::Postgres => BY_ID_LOCKED,
            Dialect::Sqlite => BY_ID,
        };
        tx.first(sql, params![id.0], Lane::from_row)
    }

    /// As [`by_id`](Self::by_id), but `None` also if another transaction has the lane in hand: for whoever has some
    /// already and must not wait for one more.
    pub(super) fn in_no_hands(tx: &Tx<'_>, id: LaneId) -> Result<Option<Lane>> {
        let sql = match tx.dialect() {
            Dialect::Postgres => BY_ID_SKIP_LOCKED,
            Dialect::Sqlite => BY_ID,
        };
        tx.first(sql, params![id.0], Lane::from_row)
    }
}

/// A lane that nobody has: `next_at` says when it is looked at again, `None` not before something becomes ready.
pub(super) fn release(
    tx: &Tx<'_>,
    lane: &Lane,
    next_at: Option<i64>,
    reason: Option<WaitReason>,
) -> Result<()> {
    tx.execute(
        "UPDATE lanes SET node = NULL, next_at = ?2, wait_reason = ?3, backlog = ?4, meter = ?5, epoch = ?6
         WHERE id = ?1",
        params![
            lane.id.0,
            next_at,
            reason.map(WaitReason::as_str),
            lane.backlog,
            lane.meter,
            lane.epoch
        ],
    )?;
    Ok(())
}

/// A lane that `node` has.
pub(super) fn hold(tx: &Tx<'_>, lane: &Lane, node: i64) -> Result<()> {
    tx.execute(
        "UPDATE lanes SET node = ?2, next_at = NULL, wait_reason = NULL, backlog = ?3, meter = ?4, epoch = ?5
         WHERE id = ?1",
        params![lane.id.0, node, lane.backlog, lane.meter, lane.epoch],
    )?;
    Ok(())
}

/// The channel takes nothing there any more: what waits is refused, and the lane keeps the evidence.
pub(super) fn close(
    tx: &Tx<'_>,
    lane: &mut Lane,
    reason: CloseReason,
    evidence: &str,
    now: Timestamp,
) -> Result<()> {
    let now = now.as_microsecond();
    tx.execute(
        "UPDATE deliveries SET state = 'refused', reason = 'lane_closed', due_at = NULL, ended_at = ?2, updated_at = ?2
         WHERE lane_id = ?1 AND ended_at IS NULL AND state <> 'sending'",
        params![lane.id.0, now],
    )?;
    tx.execute(
        "UPDATE lanes SET closed_reason = ?2 WHERE id = ?1",
        params![lane.id.0, reason.as_str()],
    )?;
    tx.execute(
        "UPDATE lane_addresses SET closed_at = ?2, evidence = ?3 WHERE lane_id = ?1",
        params![lane.id.0, now, evidence],
    )?;
    lane.closed = true;
    lane.backlog = 0;
    Ok(())
}

/// A conversation, if it is known and closed.
pub(crate) fn closed_lane(tx: &Tx<'_>, channel_id: &str, conversation_id: &str) -> Result<Option<LaneId>> {
    tx.first(
        "SELECT id FROM lanes WHERE channel_id = ?1 AND conversation_id = ?2 AND closed_reason IS NOT NULL",
        params![channel_id, conversation_id],
        |row| row.get(0).map(LaneId),
    )
}

/// Channel and id of the conversations that are closed, at most `most` of them. Reads all lanes.
pub(crate) fn closed_lanes(tx: &Tx<'_>, most: usize) -> Result<Vec<(String, String)>> {
    tx.all(
        "SELECT channel_id, conversation_id FROM lanes WHERE closed_reason IS NOT NULL LIMIT ?1",
        params![i64::try_from(most).unwrap_or(i64::MAX)],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

/// The channel takes something there again. Nothing waits in a closed lane, so there is nothing to wake.
pub(crate) fn reopen(tx: &Tx<'_>, lane: LaneId) -> Result<()> {
    tx.execute(
        "UPDATE lanes SET closed_reason = NULL WHERE id = ?1",
        params![lane.0],
    )?;
    tx.execute(
        "UPDATE lane_addresses SET closed_at = NULL, evidence = NULL WHERE lane_id = ?1",
        params![lane.0],
    )?;
    Ok(())
}
