//! The row of a lane.

use jiff::Timestamp;
use tidings_store::{ColumnRef, Dialect, List, Row, ToColumn as _, Tx, params};

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
/// In one order, so that nobody waits in a circle.
const BY_IDS_LOCKED: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM lanes JOIN lane_addresses ON lane_id = lanes.id WHERE lanes.id = ANY(?1) ORDER BY lanes.id \
     FOR UPDATE OF lanes"
);
const BY_IDS_SKIP_LOCKED: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM lanes JOIN lane_addresses ON lane_id = lanes.id WHERE lanes.id = ANY(?1) ORDER BY lanes.id \
     FOR UPDATE OF lanes SKIP LOCKED"
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

    /// Those of `ids` that are on record. The ids have to rise, as the lanes then do: so everybody locks them.
    pub(super) fn by_ids(tx: &Tx<'_>, ids: impl IntoIterator<Item = LaneId>) -> Result<Vec<Lane>> {
        Self::all(tx, ids, BY_IDS_LOCKED)
    }

    /// As [`by_ids`](Self::by_ids), but without those that another transaction has in hand: for whoever has some already
    /// and must not wait for one more.
    pub(super) fn in_no_hands(tx: &Tx<'_>, ids: impl IntoIterator<Item = LaneId>) -> Result<Vec<Lane>> {
        Self::all(tx, ids, BY_IDS_SKIP_LOCKED)
    }

    fn all(tx: &Tx<'_>, ids: impl IntoIterator<Item = LaneId>, on_postgres: &str) -> Result<Vec<Lane>> {
        if tx.dialect() == Dialect::Postgres {
            let ids: List<'_> = ids.into_iter().map(|id| ColumnRef::Integer(id.0)).collect();
            return tx.all(on_postgres, params![ids], Lane::from_row);
        }
        let mut lanes = Vec::new();
        for id in ids {
            lanes.extend(Lane::by_id(tx, id)?);
        }
        Ok(lanes)
    }
}

/// What a transaction writes of lanes at its end: each row once, and all together.
#[derive(Default)]
pub(super) struct LaneWrites {
    rows: Vec<LaneWrite>,
    /// Of those nothing else has changed.
    backlogs: Vec<(LaneId, i64)>,
}

struct LaneWrite {
    id: LaneId,
    node: Option<i64>,
    next_at: Option<i64>,
    reason: Option<WaitReason>,
    backlog: i64,
    meter: Option<String>,
    epoch: i64,
}

impl LaneWrites {
    /// A lane that nobody has: `next_at` says when it is looked at again, `None` not before something becomes ready.
    pub(super) fn release(&mut self, lane: &Lane, next_at: Option<i64>, reason: Option<WaitReason>) {
        self.rows.push(LaneWrite {
            id: lane.id,
            node: None,
            next_at,
            reason,
            backlog: lane.backlog,
            meter: lane.meter.clone(),
            epoch: lane.epoch,
        });
    }

    /// A lane that `node` has.
    pub(super) fn hold(&mut self, lane: &Lane, node: i64) {
        self.rows.push(LaneWrite {
            id: lane.id,
            node: Some(node),
            next_at: None,
            reason: None,
            backlog: lane.backlog,
            meter: lane.meter.clone(),
            epoch: lane.epoch,
        });
    }

    /// A lane of which only the backlog has changed.
    pub(super) fn backlog(&mut self, lane: &Lane) {
        self.backlogs.push((lane.id, lane.backlog));
    }

    /// Writes them. No lane may be among them twice.
    pub(super) fn write(self, tx: &Tx<'_>) -> Result<()> {
        let at_once = tx.dialect() == Dialect::Postgres;
        if at_once && self.rows.len() > 1 {
            self.write_rows(tx)?;
        } else {
            for write in self.rows {
                write.write(tx)?;
            }
        }
        if at_once && self.backlogs.len() > 1 {
            let ids: List<'_> = self
                .backlogs
                .iter()
                .map(|(id, _)| ColumnRef::Integer(id.0))
                .collect();
            let backlogs: List<'_> = self
                .backlogs
                .iter()
                .map(|(_, backlog)| backlog.to_column())
                .collect();
            tx.execute(
                "UPDATE lanes SET backlog = new.backlog
                 FROM unnest(CAST(?1 AS BIGINT[]), CAST(?2 AS BIGINT[])) AS new (id, backlog)
                 WHERE lanes.id = new.id",
                params![ids, backlogs],
            )?;
            return Ok(());
        }
        for (id, backlog) in self.backlogs {
            tx.execute(
                "UPDATE lanes SET backlog = ?2 WHERE id = ?1",
                params![id.0, backlog],
            )?;
        }
        Ok(())
    }

    fn write_rows(&self, tx: &Tx<'_>) -> Result<()> {
        fn text(reason: Option<WaitReason>) -> ColumnRef<'static> {
            reason.map_or(ColumnRef::Null, |reason| ColumnRef::Text(reason.as_str()))
        }
        tx.execute(
            "UPDATE lanes SET node = new.node, next_at = new.next_at, wait_reason = new.wait_reason,
                              backlog = new.backlog, meter = new.meter, epoch = new.epoch
             FROM unnest(CAST(?1 AS BIGINT[]), CAST(?2 AS BIGINT[]), CAST(?3 AS BIGINT[]), CAST(?4 AS TEXT[]),
                         CAST(?5 AS BIGINT[]), CAST(?6 AS TEXT[]), CAST(?7 AS BIGINT[]))
                  AS new (id, node, next_at, wait_reason, backlog, meter, epoch)
             WHERE lanes.id = new.id",
            params![
                self.column(|write| write.id.0.to_column()),
                self.column(|write| write.node.to_column()),
                self.column(|write| write.next_at.to_column()),
                self.column(|write| text(write.reason)),
                self.column(|write| write.backlog.to_column()),
                self.column(|write| write.meter.to_column()),
                self.column(|write| write.epoch.to_column()),
            ],
        )?;
        Ok(())
    }

    fn column<'a>(&'a self, value: impl Fn(&'a LaneWrite) -> ColumnRef<'a>) -> List<'a> {
        self.rows.iter().map(value).collect()
    }
}

impl LaneWrite {
    fn write(self, tx: &Tx<'_>) -> Result<()> {
        tx.execute(
            "UPDATE lanes SET node = ?2, next_at = ?3, wait_reason = ?4, backlog = ?5, meter = ?6, epoch = ?7
             WHERE id = ?1",
            params![
                self.id.0,
                self.node,
                self.next_at,
                self.reason.map(WaitReason::as_str),
                self.backlog,
                self.meter,
                self.epoch
            ],
        )?;
        Ok(())
    }
}

/// Writes a lane that nobody has.
pub(super) fn release(
    tx: &Tx<'_>,
    lane: &Lane,
    next_at: Option<i64>,
    reason: Option<WaitReason>,
) -> Result<()> {
    let mut writes = LaneWrites::default();
    writes.release(lane, next_at, reason);
    writes.write(tx)
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
