//! What is next in lanes.

use jiff::Timestamp;
use tidings_store::{ColumnRef, Dialect, List, Row, Tx, params};

use super::claim::Claiming;
use super::lane::{Lane, LaneId};
use super::{Result, suspect};
use crate::delivery::DeliveryId;
use crate::state::DeliveryState;

/// A lane with more expired deliveries than this is cleared over several transactions, not in one long one.
const EXPIRED_AT_ONCE: usize = 256;
/// So many classes of a lane are compared; beyond them the first that is ready will do.
const CLASSES: usize = 32;

const FIRST_OF_LANE: &str =
    "SELECT id, coalesce(place, id), class, expires_at, due_at, state = 'retryable', starts FROM deliveries
     WHERE lane_id = ?1 AND (state = 'available' OR state = 'retryable')
     ORDER BY lane_id, class, coalesce(place, id), id LIMIT 1";
const FIRST_AFTER_CLASS: &str =
    "SELECT id, coalesce(place, id), class, expires_at, due_at, state = 'retryable', starts FROM deliveries
     WHERE lane_id = ?1 AND class > ?2 AND (state = 'available' OR state = 'retryable')
     ORDER BY lane_id, class, coalesce(place, id), id LIMIT 1";
/// The same of many lanes. No class is empty.
const FIRST_OF_LANES: &str =
    "SELECT first.*, nth FROM unnest(CAST(?1 AS BIGINT[]), CAST(?2 AS TEXT[])) WITH ORDINALITY AS wanted (lane, after, nth)
     CROSS JOIN LATERAL (
         SELECT id, coalesce(place, id), class, expires_at, due_at, state = 'retryable', starts FROM deliveries
         WHERE lane_id = lane AND class > after AND (state = 'available' OR state = 'retryable')
         ORDER BY lane_id, class, coalesce(place, id), id LIMIT 1) AS first";

/// The first of a class.
pub(super) struct Head {
    pub(super) id: DeliveryId,
    pub(super) place: i64,
    pub(super) class: String,
    expires_at: i64,
    /// It is to be tried again, and so many starts were made.
    tried: Option<u32>,
    blocked: bool,
}

impl Head {
    fn from_row(row: &Row<'_>, now: Timestamp) -> Result<Head> {
        Ok(Head {
            id: DeliveryId(row.get(0)?),
            place: row.get(1)?,
            class: row.get(2)?,
            expires_at: row.get(3)?,
            blocked: row
                .get::<Option<i64>>(4)?
                .is_some_and(|due_at| due_at > now.as_microsecond()),
            tried: row.get::<bool>(5)?.then_some(row.get(6)?),
        })
    }

    fn place(&self) -> (i64, DeliveryId) {
        (self.place, self.id)
    }
}

/// What is next in a lane.
pub(super) enum Next {
    Head(Head),
    Nothing,
    /// There is more to clear away before it is known.
    Unfinished,
}

/// The search in one lane.
#[derive(Default)]
struct Search {
    best: Option<Head>,
    /// The last class that was looked at.
    class: Option<String>,
    classes: usize,
    expired: usize,
    is_over: bool,
    is_unfinished: bool,
}

/// Of each lane the oldest delivery that is ready: of each class the first counts, unless that waits to be tried again.
/// What has expired ends here.
pub(super) fn find(
    tx: &Tx<'_>,
    claiming: Claiming<'_>,
    lanes: &mut [Lane],
    now: Timestamp,
) -> Result<Vec<Next>> {
    let mut searches: Vec<Search> = lanes.iter().map(|_| Search::default()).collect();
    let mut sends_suspect = false;
    loop {
        let open: Vec<usize> = (0..lanes.len())
            .filter(|index| !searches[*index].is_over)
            .collect();
        if open.is_empty() {
            break;
        }
        let wanted = open
            .iter()
            .map(|index| (lanes[*index].id, searches[*index].class.as_deref()));
        let firsts = firsts(tx, wanted, now)?;
        for (index, first) in open.into_iter().zip(firsts) {
            let search = &mut searches[index];
            match first {
                Some(first) => {
                    search.look_at(tx, claiming, &mut lanes[index], first, &mut sends_suspect, now)?;
                }
                None => search.is_over = true,
            }
        }
    }
    Ok(searches.into_iter().map(Search::result).collect())
}

impl Search {
    fn look_at(
        &mut self,
        tx: &Tx<'_>,
        claiming: Claiming<'_>,
        lane: &mut Lane,
        first: Head,
        sends_suspect: &mut bool,
        now: Timestamp,
    ) -> Result<()> {
        if first.expires_at <= now.as_microsecond() {
            if self.expired == EXPIRED_AT_ONCE {
                (self.is_over, self.is_unfinished) = (true, true);
                return Ok(());
            }
            expire(tx, first.id, now)?;
            claiming.counters.ended(DeliveryState::Expired);
            lane.backlog -= 1;
            self.expired += 1;
            return Ok(());
        }
        self.classes += 1;
        self.class = Some(first.class.clone());
        let is_next = self.best.as_ref().is_none_or(|best| first.place() < best.place());
        if !first.blocked && is_next && !has_to_wait(tx, claiming, &first, sends_suspect, now)? {
            self.best = Some(first);
        }
        self.is_over = self.classes >= CLASSES && self.best.is_some();
        Ok(())
    }

    fn result(self) -> Next {
        match self.best {
            _ if self.is_unfinished => Next::Unfinished,
            Some(best) => Next::Head(best),
            None => Next::Nothing,
        }
    }
}

/// Whether a delivery whose turn it is may not be sent beside what the node sends now.
fn has_to_wait(
    tx: &Tx<'_>,
    claiming: Claiming<'_>,
    first: &Head,
    sends_suspect: &mut bool,
    now: Timestamp,
) -> Result<bool> {
    // Of nearly all it is known without a look at their attempts.
    if first.tried.is_none_or(|starts| starts < suspect::SUSPECTED) {
        return Ok(false);
    }
    suspect::has_to_wait(tx, claiming, first.id, first.expires_at, sends_suspect, now)
}

/// Of each lane the first of the class after the given one.
fn firsts<'a>(
    tx: &Tx<'_>,
    wanted: impl ExactSizeIterator<Item = (LaneId, Option<&'a str>)> + Clone,
    now: Timestamp,
) -> Result<Vec<Option<Head>>> {
    if tx.dialect() == Dialect::Postgres && wanted.len() > 1 {
        let mut firsts: Vec<Option<Head>> = wanted.clone().map(|_| None).collect();
        let lanes: List<'_> = wanted
            .clone()
            .map(|(lane, _)| ColumnRef::Integer(lane.0))
            .collect();
        let classes: List<'_> = wanted
            .map(|(_, class)| ColumnRef::Text(class.unwrap_or_default()))
            .collect();
        tx.all(FIRST_OF_LANES, params![lanes, classes], |row| {
            let nth = usize::try_from(row.get::<i64>(7)?).map_err(tidings_store::StoreError::other)?;
            if let Some(first) = firsts.get_mut(nth - 1) {
                *first = Some(Head::from_row(row, now)?);
            }
            Ok(())
        })?;
        return Ok(firsts);
    }
    let first = |(lane, class): (LaneId, Option<&str>)| match class {
        None => tx.first(FIRST_OF_LANE, params![lane.0], |row| Head::from_row(row, now)),
        Some(class) => tx.first(FIRST_AFTER_CLASS, params![lane.0, class], |row| {
            Head::from_row(row, now)
        }),
    };
    wanted.map(first).collect()
}

fn expire(tx: &Tx<'_>, id: DeliveryId, now: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE deliveries SET state = 'expired', due_at = NULL, ended_at = ?2, updated_at = ?2 WHERE id = ?1",
        params![id.0, now.as_microsecond()],
    )?;
    Ok(())
}
