//! The rows of new deliveries.

use jiff::Timestamp;
use tidings_store::{ColumnRef, Dialect, List, StoreError, Tx, params};

use super::Result;
use super::enqueue::NewDelivery;
use super::lane::LaneId;
use crate::delivery::DeliveryId;
use crate::state::DeliveryState;

/// The rows of new deliveries. Of a batch on PostgreSQL they are written at once, under ids that are fetched before.
pub(super) struct NewRows<'a> {
    ids: Option<std::vec::IntoIter<i64>>,
    waiting: Vec<(DeliveryId, NewRow<'a>)>,
}

/// One of them.
pub(super) struct NewRow<'a> {
    pub(super) lane: LaneId,
    pub(super) new: &'a NewDelivery,
    /// Whether it needs an address beside that of its lane.
    pub(super) own_address: bool,
    pub(super) state: DeliveryState,
    pub(super) due_at: Option<Timestamp>,
}

impl<'a> NewRows<'a> {
    /// Room for the rows of a batch, whose lanes are locked: ids that were fetched before would not rise in the order in
    /// which the lanes were had.
    pub(super) fn new(tx: &Tx<'_>, batch: &'a [NewDelivery]) -> Result<Self> {
        // Of a key that comes again in the batch the first has to be found.
        let at_once = tx.dialect() == Dialect::Postgres
            && batch.len() > 1
            && batch.iter().all(|new| new.dedupe.is_none());
        let mut ids = None;
        if at_once {
            let count = i64::try_from(batch.len()).unwrap_or(i64::MAX);
            let fetched = tx.all(
                "WITH ids AS MATERIALIZED (SELECT CAST(pg_get_serial_sequence('deliveries', 'id') AS REGCLASS) AS sequence)
                 SELECT nextval(sequence) FROM ids, generate_series(1, ?1)",
                params![count],
                |row| row.get(0),
            )?;
            ids = Some(fetched.into_iter());
        }
        let waiting = Vec::new();
        Ok(NewRows { ids, waiting })
    }

    /// Adds a row and says its id.
    pub(super) fn put(&mut self, tx: &Tx<'_>, row: NewRow<'a>, now: Timestamp) -> Result<DeliveryId> {
        let without_id = || StoreError::message("the database gave a new delivery no id");
        match &mut self.ids {
            Some(ids) => {
                let id = DeliveryId(ids.next().ok_or_else(without_id)?);
                self.waiting.push((id, row));
                Ok(id)
            }
            None => row.insert(tx, now)?.map(DeliveryId).ok_or_else(without_id),
        }
    }

    /// Writes what was not written when it was added.
    pub(super) fn write(self, tx: &Tx<'_>, now: Timestamp) -> Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let column = |value: fn(&NewRow<'a>) -> ColumnRef<'a>| -> List<'a> {
            self.waiting.iter().map(|(_, row)| value(row)).collect()
        };
        let ids: List<'_> = self
            .waiting
            .iter()
            .map(|(id, _)| ColumnRef::Integer(id.0))
            .collect();
        tx.execute(
            "INSERT INTO deliveries (id, lane_id, class, place, state, reason, policy, reference, identity, activity,
                                     handler, payload, due_at, expires_at, starts, began_at, parent_id, trace,
                                     created_at, updated_at, ended_at)
             SELECT id, lane_id, class, place, state, CASE WHEN state = 'refused' THEN 'lane_closed' END, policy,
                    reference, identity, activity, handler, payload, due_at, expires_at,
                    CASE WHEN state = 'sending' THEN 1 ELSE 0 END, CASE WHEN state = 'sending' THEN now END, parent_id,
                    trace, now, now, CASE WHEN state = 'refused' THEN now END
             FROM CAST(?15 AS BIGINT) AS now,
                  unnest(CAST(?1 AS BIGINT[]), CAST(?2 AS BIGINT[]), CAST(?3 AS TEXT[]), CAST(?4 AS BIGINT[]),
                         CAST(?5 AS TEXT[]), CAST(?6 AS TEXT[]), CAST(?7 AS TEXT[]), CAST(?8 AS TEXT[]),
                         CAST(?9 AS TEXT[]), CAST(?10 AS TEXT[]), CAST(?11 AS TEXT[]), CAST(?12 AS BIGINT[]),
                         CAST(?13 AS BIGINT[]), CAST(?14 AS BIGINT[]), CAST(?16 AS TEXT[]))
                  AS new (id, lane_id, class, place, state, policy, reference, identity, activity, handler, payload,
                          due_at, expires_at, parent_id, trace)",
            params![
                ids,
                column(|row| ColumnRef::Integer(row.lane.0)),
                column(|row| ColumnRef::Text(&row.new.class)),
                column(|row| number(row.place())),
                column(|row| ColumnRef::Text(row.state.as_str())),
                column(|row| ColumnRef::Text(row.new.policy.as_str())),
                column(|row| text(row.reference())),
                column(|row| text(row.identity())),
                column(|row| text(row.new.content.activity())),
                column(|row| text(row.handler())),
                column(|row| text(row.payload())),
                column(|row| number(row.due_at.map(Timestamp::as_microsecond))),
                column(|row| ColumnRef::Integer(row.new.expires_at.as_microsecond())),
                column(|row| number(row.parent())),
                now.as_microsecond(),
                column(|row| text(row.new.trace.as_deref())),
            ],
        )?;
        Ok(())
    }
}

impl<'a> NewRow<'a> {
    fn place(&self) -> Option<i64> {
        self.new.parent.map(|parent| parent.place)
    }

    fn parent(&self) -> Option<i64> {
        self.new.parent.map(|parent| parent.id.0)
    }

    fn reference(&self) -> Option<&'a str> {
        self.own_address.then_some(self.new.reference.as_str())
    }

    fn identity(&self) -> Option<&'a str> {
        self.new.identity.as_deref().filter(|_| self.own_address)
    }

    fn handler(&self) -> Option<&'a str> {
        self.new.content.handler().map(|(name, _)| name)
    }

    fn payload(&self) -> Option<&'a str> {
        self.new.content.handler().map(|(_, payload)| payload)
    }

    fn insert(&self, tx: &Tx<'_>, now: Timestamp) -> Result<Option<i64>> {
        let now = now.as_microsecond();
        let sending = self.state == DeliveryState::Sending;
        tx.insert(
            "INSERT INTO deliveries (lane_id, class, place, state, reason, policy, reference, identity, activity, handler,
                                     payload, due_at, expires_at, starts, began_at, parent_id, trace, created_at,
                                     updated_at, ended_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?18, ?19)",
            "id",
            params![
                self.lane.0,
                self.new.class,
                self.place(),
                self.state.as_str(),
                (self.state == DeliveryState::Refused).then_some("lane_closed"),
                self.new.policy.as_str(),
                self.reference(),
                self.identity(),
                self.new.content.activity(),
                self.handler(),
                self.payload(),
                self.due_at.map(Timestamp::as_microsecond),
                self.new.expires_at.as_microsecond(),
                u32::from(sending),
                sending.then_some(now),
                self.parent(),
                self.new.trace,
                now,
                self.state.is_final().then_some(now),
            ],
        )
    }
}

fn number(number: Option<i64>) -> ColumnRef<'static> {
    number.map_or(ColumnRef::Null, ColumnRef::Integer)
}

fn text(text: Option<&str>) -> ColumnRef<'_> {
    text.map_or(ColumnRef::Null, ColumnRef::Text)
}
