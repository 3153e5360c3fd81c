//! The deliveries on record: every statement that touches them.
//!
//! Each conversation is a lane. The oldest delivery of a lane that has not ended is its head, and only heads are
//! sent: a head is either `sending`, owned by a worker of this process, or it has a `due_at` and waits in the
//! table to be claimed. The deliveries behind it are `available` without a `due_at`. Each function here keeps
//! that so within one transaction; together with the single writer this gives the order within a conversation.

pub(crate) mod operate;
pub(crate) mod prune;
pub(crate) mod read;
mod rearm;

use jiff::Timestamp;
use tidings_store::StoreError;
use tidings_store::rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::delivery::{DeadReason, DeliveryId, DeliveryState, Failure};
use crate::row;

pub(crate) use read::{delivery, due};

/// A lane with more expired deliveries than this is cleared over several transactions, not in one long one.
const EXPIRED_AT_ONCE: usize = 256;

const BY_DEDUPE_KEY: &str = "SELECT id FROM deliveries WHERE dedupe_key = ?1";
const LANE_IS_BUSY: &str =
    "SELECT 1 FROM deliveries WHERE channel_id = ?1 AND conversation_id = ?2 AND ended_at IS NULL LIMIT 1";
const OLDEST_OF_LANE: &str = "SELECT id, expires_at FROM deliveries
     WHERE channel_id = ?1 AND conversation_id = ?2 AND ended_at IS NULL ORDER BY id LIMIT 1";
// No `LIMIT ?`: SQLite would prepare the statement anew for each value. Whoever has enough stops reading.
const DUE: &str = "SELECT id, expires_at, channel_id, conversation_id, due_at FROM deliveries
     WHERE due_at IS NOT NULL ORDER BY due_at, id";
const TAKE_BACK: &str = "UPDATE deliveries
     SET state = 'retryable', due_at = ?1, repeat_possible = 1, updated_at = ?1,
         error_status = NULL, error_code = NULL,
         error_message = 'the process ended while this delivery was being sent'
     WHERE ended_at IS NULL AND state = 'sending'";
const END_WAITS: &str = "UPDATE deliveries SET due_at = ?1, updated_at = ?1
     WHERE due_at > ?1 AND state = 'retryable' AND error_status IS NOT 429";

type Result<T> = std::result::Result<T, StoreError>;

/// A delivery about to be put on record.
#[derive(Debug)]
pub(crate) struct NewDelivery {
    pub(crate) channel_id: String,
    pub(crate) conversation_id: String,
    pub(crate) class: &'static str,
    pub(crate) reference: String,
    pub(crate) identity: Option<String>,
    pub(crate) activity: String,
    pub(crate) dedupe_key: Option<String>,
    pub(crate) expires_at: Timestamp,
}

/// A delivery that the holder of this value, and nobody else, sends and settles.
#[derive(Debug)]
pub(crate) struct Claimed {
    pub(crate) id: DeliveryId,
    pub(crate) channel_id: String,
    pub(crate) conversation_id: String,
    pub(crate) reference: String,
    pub(crate) identity: Option<String>,
    pub(crate) activity: String,
    pub(crate) starts: u32,
    pub(crate) expires_at: Timestamp,
}

/// What [`insert`] did.
#[derive(Debug)]
pub(crate) struct Inserted {
    pub(crate) id: DeliveryId,
    /// The new delivery, if the caller may claim and its lane was idle.
    pub(crate) claimed: Option<Claimed>,
}

/// How an attempt ended.
#[derive(Clone, Debug)]
pub(crate) enum Ending {
    Delivered {
        activity_id: Option<String>,
    },
    Retry {
        due_at: Timestamp,
        repeat_possible: bool,
        failure: Failure,
    },
    Dead {
        reason: DeadReason,
        failure: Failure,
    },
}

/// What the worker that settles a delivery does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Claims the next of the same lane.
    SameLane,
    /// Leaves its lane to the others and claims what has been due longest.
    AnyLane,
    /// Nothing: it is about to stop.
    Stop,
}

/// Puts a delivery on record, once for each dedupe key; a replay gives the id of the first and claims nothing.
pub(crate) fn insert(tx: &Connection, new: NewDelivery, now: Timestamp, claim: bool) -> Result<Inserted> {
    let lane_is_busy = tx
        .prepare_cached(LANE_IS_BUSY)?
        .exists(params![new.channel_id, new.conversation_id])?;
    let claim = claim && !lane_is_busy;
    let state = if claim {
        DeliveryState::Sending
    } else {
        DeliveryState::Available
    };
    let now_micros = now.as_microsecond();
    let inserted = tx.prepare_cached(
        "INSERT INTO deliveries (channel_id, conversation_id, class, state, reference, activity, dedupe_key,
                                 due_at, expires_at, starts, created_at, updated_at, identity)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?11, ?12)
         ON CONFLICT (dedupe_key) DO NOTHING",
    )?
    .execute(params![
        new.channel_id,
        new.conversation_id,
        new.class,
        state.as_str(),
        new.reference,
        new.activity,
        new.dedupe_key,
        (!claim && !lane_is_busy).then_some(now_micros),
        new.expires_at.as_microsecond(),
        u32::from(claim),
        now_micros,
        new.identity,
    ])?;
    if inserted == 0 {
        let first = tx
            .prepare_cached(BY_DEDUPE_KEY)?
            .query_row([&new.dedupe_key], |row| row.get(0))?;
        return Ok(Inserted {
            id: DeliveryId(first),
            claimed: None,
        });
    }
    let id = DeliveryId(tx.last_insert_rowid());
    if !claim {
        return Ok(Inserted { id, claimed: None });
    }
    let claimed = Claimed {
        id,
        channel_id: new.channel_id,
        conversation_id: new.conversation_id,
        reference: new.reference,
        identity: new.identity,
        activity: new.activity,
        starts: 1,
        expires_at: new.expires_at,
    };
    Ok(Inserted {
        id,
        claimed: Some(claimed),
    })
}

/// Claims up to `limit` heads that are due, longest due first. What has expired ends here instead.
pub(crate) fn claim_due(tx: &Connection, now: Timestamp, limit: usize) -> Result<Vec<Claimed>> {
    let mut claimed = Vec::new();
    for (head, channel_id, conversation_id) in due_heads(tx, now, limit)? {
        if head.expires_at > now.as_microsecond() {
            claimed.push(claim(tx, head.id, now)?);
        } else {
            expire(tx, head.id, now)?;
            claimed.extend(promote(tx, &channel_id, &conversation_id, now, true)?);
        }
    }
    Ok(claimed)
}

fn due_heads(tx: &Connection, now: Timestamp, limit: usize) -> Result<Vec<(Head, String, String)>> {
    let mut due = Vec::new();
    let mut statement = tx.prepare_cached(DUE)?;
    let mut rows = statement.query([])?;
    while due.len() < limit
        && let Some(row) = rows.next()?
    {
        if row.get::<_, i64>(4)? > now.as_microsecond() {
            break;
        }
        due.push((Head::from_row(row)?, row.get(2)?, row.get(3)?));
    }
    Ok(due)
}

/// A delivery that was tried, and how that ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) id: DeliveryId,
    pub(crate) channel_id: String,
    pub(crate) conversation_id: String,
    pub(crate) ending: Ending,
}

/// What [`settle_all`] did.
#[derive(Debug)]
pub(crate) struct Settled {
    /// For each outcome, what its worker sends next.
    pub(crate) claims: Vec<Option<Claimed>>,
    /// How many of them are from other lanes.
    pub(crate) from_the_table: usize,
}

/// Records outcomes and claims, for each, what its worker sends next: the next of the same lane. Where there is none,
/// `look` claims whatever is due longest. Does nothing to a row that is not `sending`.
pub(crate) fn settle_all<'a>(
    tx: &Connection,
    outcomes: impl Iterator<Item = (&'a Outcome, Next)>,
    now: Timestamp,
    mut look: bool,
) -> Result<Settled> {
    let mut claims = Vec::with_capacity(outcomes.size_hint().0);
    let mut without = Vec::new();
    for (outcome, next) in outcomes {
        let claimed = settle(tx, outcome, now, next)?;
        if claimed.is_none() && next != Next::Stop {
            without.push(claims.len());
        }
        // The lane it gave way in has just become due.
        look |= next == Next::AnyLane;
        claims.push(claimed);
    }
    if !look || without.is_empty() {
        return Ok(Settled {
            claims,
            from_the_table: 0,
        });
    }
    let due = claim_due(tx, now, without.len())?;
    let from_the_table = due.len();
    for (place, claimed) in without.into_iter().zip(due) {
        claims[place] = Some(claimed);
    }
    Ok(Settled {
        claims,
        from_the_table,
    })
}

fn settle(tx: &Connection, outcome: &Outcome, now: Timestamp, next: Next) -> Result<Option<Claimed>> {
    let id = outcome.id;
    match &outcome.ending {
        Ending::Delivered { activity_id } => deliver(tx, id, activity_id.as_deref(), now)?,
        Ending::Dead { reason, failure } => bury(tx, id, *reason, failure, now)?,
        Ending::Retry {
            due_at,
            repeat_possible,
            failure,
        } => {
            defer(tx, id, *due_at, *repeat_possible, failure, now)?;
            return Ok(None);
        }
    }
    promote(
        tx,
        &outcome.channel_id,
        &outcome.conversation_id,
        now,
        next == Next::SameLane,
    )
}

/// Takes back what a predecessor left `sending`: the file lock proves that it is gone. A wait of our own
/// choosing ends with the restart; one that a channel asked for does not. Returns how many were taken back.
pub(crate) fn recover(tx: &Connection, now: Timestamp) -> Result<usize> {
    let now = now.as_microsecond();
    let taken_back = tx.execute(TAKE_BACK, [now])?;
    tx.execute(END_WAITS, [now])?;
    Ok(taken_back)
}

/// The oldest delivery of a lane, or one that is due.
struct Head {
    id: i64,
    expires_at: i64,
}

impl Head {
    fn from_row(row: &Row<'_>) -> std::result::Result<Self, tidings_store::rusqlite::Error> {
        Ok(Head {
            id: row.get(0)?,
            expires_at: row.get(1)?,
        })
    }
}

/// Makes the oldest delivery of a lane without a head its head: claims it, or else makes it due.
fn promote(
    tx: &Connection,
    channel: &str,
    conversation: &str,
    now: Timestamp,
    claim_it: bool,
) -> Result<Option<Claimed>> {
    for round in 0.. {
        let head = tx
            .prepare_cached(OLDEST_OF_LANE)?
            .query_row([channel, conversation], Head::from_row)
            .optional()?;
        let Some(head) = head else { return Ok(None) };
        if head.expires_at <= now.as_microsecond() && round < EXPIRED_AT_ONCE {
            expire(tx, head.id, now)?;
        } else if claim_it && round < EXPIRED_AT_ONCE {
            return claim(tx, head.id, now).map(Some);
        } else {
            tx.prepare_cached("UPDATE deliveries SET due_at = ?2 WHERE id = ?1")?
                .execute([head.id, now.as_microsecond()])?;
            return Ok(None);
        }
    }
    Ok(None)
}

/// An `UPDATE ... RETURNING` would do the same, but SQLite collects its rows in a temporary table first.
fn claim(tx: &Connection, id: i64, now: Timestamp) -> Result<Claimed> {
    tx.prepare_cached(
        "UPDATE deliveries SET state = 'sending', due_at = NULL, starts = starts + 1, updated_at = ?2
         WHERE id = ?1",
    )?
    .execute([id, now.as_microsecond()])?;
    let claimed = tx
        .prepare_cached(
            "SELECT id, channel_id, conversation_id, reference, activity, starts, expires_at, identity
             FROM deliveries WHERE id = ?1",
        )?
        .query_row([id], |row| {
            Ok(Claimed {
                id: DeliveryId(row.get(0)?),
                channel_id: row.get(1)?,
                conversation_id: row.get(2)?,
                reference: row.get(3)?,
                activity: row.get(4)?,
                starts: row.get(5)?,
                expires_at: row::timestamp(row, 6)?,
                identity: row.get(7)?,
            })
        })?;
    Ok(claimed)
}

fn expire(tx: &Connection, id: i64, now: Timestamp) -> Result<()> {
    tx.prepare_cached(
        "UPDATE deliveries SET state = 'expired', due_at = NULL, ended_at = ?2, updated_at = ?2 WHERE id = ?1",
    )?
    .execute([id, now.as_microsecond()])?;
    Ok(())
}

fn deliver(tx: &Connection, id: DeliveryId, activity_id: Option<&str>, now: Timestamp) -> Result<()> {
    tx.prepare_cached(
        "UPDATE deliveries SET state = 'delivered', ended_at = ?2, updated_at = ?2, activity_id = ?3
         WHERE id = ?1 AND state = 'sending'",
    )?
    .execute(params![id.0, now.as_microsecond(), activity_id])?;
    Ok(())
}

fn bury(
    tx: &Connection,
    id: DeliveryId,
    reason: DeadReason,
    failure: &Failure,
    now: Timestamp,
) -> Result<()> {
    tx.prepare_cached(
        "UPDATE deliveries SET state = 'dead', reason = ?2, ended_at = ?3, updated_at = ?3,
                               error_status = ?4, error_code = ?5, error_message = ?6
         WHERE id = ?1 AND state = 'sending'",
    )?
    .execute(params![
        id.0,
        reason.as_str(),
        now.as_microsecond(),
        failure.status,
        failure.code,
        failure.message
    ])?;
    Ok(())
}

/// Retries at `due_at`, but looks again at the expiry at the latest, so that the lane is not blocked beyond it.
fn defer(
    tx: &Connection,
    id: DeliveryId,
    due_at: Timestamp,
    repeat_possible: bool,
    failure: &Failure,
    now: Timestamp,
) -> Result<()> {
    tx.prepare_cached(
        "UPDATE deliveries SET state = 'retryable', due_at = min(?2, expires_at), updated_at = ?3,
                               repeat_possible = max(repeat_possible, ?4),
                               error_status = ?5, error_code = ?6, error_message = ?7
         WHERE id = ?1 AND state = 'sending'",
    )?
    .execute(params![
        id.0,
        due_at.as_microsecond(),
        now.as_microsecond(),
        repeat_possible,
        failure.status,
        failure.code,
        failure.message
    ])?;
    Ok(())
}

#[cfg(test)]
mod tests;
