//! What operators do to deliveries. Each function does the whole of it or nothing, and says why not.

mod limit;
mod pause;

use jiff::Timestamp;
use tidings_store::{StoreError, Tx, params};

use super::lane::{self, Lane, LaneId};
use super::read::row;
use super::rearm::{begin_wait, end_waits, rearm};
use crate::delivery::{DeliveryId, DeliveryState};

pub(crate) use limit::{limits, set_limits, wake_paced};
pub(crate) use pause::{pause, pause_lane, resume, resume_lane, wake};

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NotDone {
    /// There is no such delivery or lane.
    Unknown,
    /// There are several such lanes.
    Ambiguous,
    /// The state of the delivery does not allow it.
    State(DeliveryState),
    /// The lane is closed, for this reason.
    Closed(String),
    /// It was done before, and this delivery came of it and was delivered.
    Delivered(DeliveryId),
}

/// Whether it was done; errors are the database's.
pub(crate) type Done<T> = Result<Result<T, NotDone>, StoreError>;

/// What a retry leaves of a life that was shorter.
const SHORTEST_LIFE_OF_A_RETRY: i64 = 60 * 60 * 1_000_000;
/// How long a retry is remembered, so that asking twice gives one.
const RETRY_REMEMBERED: i64 = 7 * 24 * 60 * 60 * 1_000_000;

/// Takes back what has not been sent.
pub(crate) fn cancel(tx: &Tx<'_>, id: DeliveryId, now: Timestamp) -> Done<()> {
    let Some((lane, state)) = lock(tx, id)? else {
        return Ok(Err(NotDone::Unknown));
    };
    if state.is_final() || state == DeliveryState::Sending {
        return Ok(Err(NotDone::State(state)));
    }
    tx.execute(
        "UPDATE deliveries SET state = 'cancelled', reason = NULL, due_at = NULL, ended_at = ?2, updated_at = ?2
         WHERE id = ?1",
        params![id.0, now.as_microsecond()],
    )?;
    tx.execute(
        "UPDATE lanes SET backlog = backlog - 1 WHERE id = ?1",
        params![lane.id.0],
    )?;
    end_waits(tx, id.0, now)?;
    rearm(tx, &lane, now)?;
    pause::note(tx, &lane, now)?;
    Ok(Ok(()))
}

/// Owes again what is dead or unknown, as a new delivery at the end of its lane, and returns its id. While that one has
/// not ended, asking again returns it too.
///
/// It lives as long as the first was to live, an hour at least. If the first may have arrived, the new one may be a
/// repeat. `reopen` opens a closed lane first.
pub(crate) fn retry(tx: &Tx<'_>, id: DeliveryId, reopen_lane: bool, now: Timestamp) -> Done<DeliveryId> {
    let Some((mut lane, state)) = lock(tx, id)? else {
        return Ok(Err(NotDone::Unknown));
    };
    if !matches!(state, DeliveryState::Dead | DeliveryState::Unknown) {
        return Ok(Err(NotDone::State(state)));
    }
    let key = format!("retry:{id}");
    let before = tx.first(
        "SELECT d.id, d.state FROM dedupe_keys AS k JOIN deliveries AS d ON d.id = k.delivery_id
         WHERE k.tenant = '' AND k.key = ?1",
        params![key],
        |row| Ok((DeliveryId(row.get(0)?), row::state(row, 1)?)),
    )?;
    match before {
        Some((first, state)) if !state.is_final() => return Ok(Ok(first)),
        Some((first, DeliveryState::Delivered)) => return Ok(Err(NotDone::Delivered(first))),
        _ => {}
    }
    if lane.closed {
        if !reopen_lane {
            return Ok(Err(NotDone::Closed(pause::closed_reason(tx, lane.id)?)));
        }
        lane::reopen(tx, lane.id)?;
        lane.closed = false;
    }
    let micros = now.as_microsecond();
    let new = tx.insert(
        "INSERT INTO deliveries (lane_id, class, state, policy, reference, identity, activity, handler, payload,
                                 expires_at, repeat_possible, parent_id, retry_of, created_at, updated_at)
         SELECT lane_id, class, 'available', policy, reference, identity, activity, handler, payload,
                ?2 + CASE WHEN expires_at - created_at < ?3 THEN ?3 ELSE expires_at - created_at END,
                repeat_possible OR state = 'unknown', parent_id, id, ?2, ?2
         FROM deliveries WHERE id = ?1",
        "id",
        params![id.0, micros, SHORTEST_LIFE_OF_A_RETRY],
    )?;
    let Some(new) = new else {
        return Ok(Err(NotDone::Unknown));
    };
    tx.execute(
        "INSERT INTO dedupe_keys (tenant, key, delivery_id, body_sha256, expires_at) VALUES ('', ?1, ?2, ?3, ?4)
         ON CONFLICT (tenant, key) DO UPDATE SET delivery_id = excluded.delivery_id, expires_at = excluded.expires_at",
        params![key, new, [0_u8; 32], micros.saturating_add(RETRY_REMEMBERED)],
    )?;
    tx.execute(
        "UPDATE lanes SET backlog = backlog + 1 WHERE id = ?1",
        params![lane.id.0],
    )?;
    rearm(tx, &lane, now)?;
    Ok(Ok(DeliveryId(new)))
}

/// Keeps back what is ready or to be tried again, until a time or until it is released; then it takes its old place. The
/// others of its class go on. It expires as if it were not held.
pub(crate) fn hold(
    tx: &Tx<'_>,
    id: DeliveryId,
    reason: &str,
    until: Option<Timestamp>,
    now: Timestamp,
) -> Done<()> {
    let Some((lane, state)) = lock(tx, id)? else {
        return Ok(Err(NotDone::Unknown));
    };
    if !matches!(state, DeliveryState::Available | DeliveryState::Retryable) {
        return Ok(Err(NotDone::State(state)));
    }
    tx.execute(
        "UPDATE deliveries SET state = 'held', reason = ?2, updated_at = ?4,
                               due_at = CASE WHEN ?3 < expires_at THEN ?3 ELSE expires_at END
         WHERE id = ?1",
        params![
            id.0,
            reason,
            until.unwrap_or(Timestamp::MAX).as_microsecond(),
            now.as_microsecond()
        ],
    )?;
    end_waits(tx, id.0, now)?;
    begin_wait(tx, id.0, now, until, "held")?;
    rearm(tx, &lane, now)?;
    pause::note(tx, &lane, now)?;
    Ok(Ok(()))
}

/// Lets go what is held: it is ready, at its old place.
pub(crate) fn release(tx: &Tx<'_>, id: DeliveryId, now: Timestamp) -> Done<()> {
    let Some((lane, state)) = lock(tx, id)? else {
        return Ok(Err(NotDone::Unknown));
    };
    if state != DeliveryState::Held {
        return Ok(Err(NotDone::State(state)));
    }
    tx.execute(
        "UPDATE deliveries SET state = 'available', reason = NULL, due_at = NULL, updated_at = ?2 WHERE id = ?1",
        params![id.0, now.as_microsecond()],
    )?;
    end_waits(tx, id.0, now)?;
    rearm(tx, &lane, now)?;
    Ok(Ok(()))
}

/// A delivery's lane, locked, and then the state of the delivery: who has the lane decides about what is in it.
fn lock(tx: &Tx<'_>, id: DeliveryId) -> Result<Option<(Lane, DeliveryState)>, StoreError> {
    let lane = tx.first(
        "SELECT lane_id FROM deliveries WHERE id = ?1",
        params![id.0],
        |row| row.get(0).map(LaneId),
    )?;
    let Some(lane) = lane else { return Ok(None) };
    let Some(lane) = Lane::by_id(tx, lane)? else {
        return Ok(None);
    };
    let state = tx.first(
        "SELECT state FROM deliveries WHERE id = ?1",
        params![id.0],
        |row| row::state(row, 0),
    )?;
    Ok(state.map(|state| (lane, state)))
}

#[cfg(test)]
pub(crate) use pause::PUT_OFF;

#[cfg(test)]
mod tests;
