//! The inbox where several nodes share the database: every statement there, and what a node keeps to itself.
//!
//! Absence cannot be proved from memory, since others write too: the table is asked by its index before each turn, and
//! the index decides. Two nodes that get one activity at the same time both run its turn, but only the first commit
//! holds; the second is [`Superseded`], keeps nothing, and answers what the first answered.
//!
//! An acknowledged activity belongs to the node that stored it for as long as that node renews its hold. After that
//! any other node takes it up. A node that lost one without knowing it, because it was stopped for a while, finds at its
//! commit that the row is no longer its own, and keeps nothing.

use std::sync::Arc;

use tidings_store::{StoreError, Tx, params};

use super::tables::{Acknowledged, Answer, Progress, Record, ToAcknowledge};
use crate::activity_key::ActivityKey;
use crate::error::Error;

/// How many acknowledged activities are taken up in one transaction.
pub(super) const TAKEN_UP_AT_ONCE: i64 = 64;

/// How many rows one pruning looks at; many more than come between two of them.
const PRUNED_AT_ONCE: i64 = 4096;

/// Another node's turn of the same activity is committed, or it has taken the activity up.
#[derive(Debug, thiserror::Error)]
#[error("another node has had the turn of this activity, nothing of this one is kept")]
pub(crate) struct Superseded;

impl Superseded {
    /// Whether a commit failed for this.
    pub(crate) fn is(error: &Error) -> bool {
        match error.downcast_ref::<StoreError>() {
            Some(StoreError::Other(cause)) => cause.is::<Self>(),
            _ => error.is::<Self>(),
        }
    }

    fn error() -> StoreError {
        StoreError::other(Self)
    }
}

/// What a record has to know where other nodes write too.
pub(crate) struct Sharing {
    pub(super) holder: Arc<str>,
    /// A row this old is forgotten, whether it has been deleted yet or not.
    pub(super) forgotten_before_ms: i64,
    /// Nothing depends on this record: if another node has had the turn, all is well.
    pub(super) may_yield: bool,
}

pub(super) fn write(record: &Record, sharing: &Sharing, tx: &Tx<'_>) -> Result<(), StoreError> {
    if let Some(number) = record.acknowledged {
        let is_ours = tx.execute(
            "DELETE FROM bot_acknowledged WHERE number = ?1 AND holder = ?2",
            params![number, &*sharing.holder],
        )? > 0;
        if !is_ours {
            return yielded(sharing);
        }
    }
    let Some(key) = &record.key else {
        return Ok(());
    };
    let (key, status) = (key.as_str().as_bytes(), record.progress.status());
    let is_first = match record.progress {
        Progress::Completed(_) => tx.execute(
            "UPDATE bot_turns SET status = ?2 WHERE activity_key = ?1 AND status IS NULL",
            params![key, status],
        )?,
        Progress::Half | Progress::Whole(_) => tx.execute(
            "INSERT INTO bot_turns (activity_key, committed_at_ms, status) VALUES (?1, ?2, ?3)
             ON CONFLICT (activity_key) DO UPDATE
                SET number = excluded.number, committed_at_ms = excluded.committed_at_ms, status = excluded.status
                WHERE bot_turns.committed_at_ms <= ?4",
            params![key, record.at_ms, status, sharing.forgotten_before_ms],
        )?,
    } > 0;
    if !is_first {
        return yielded(sharing);
    }
    if let Some(body) = &record.body {
        tx.execute(
            "INSERT INTO bot_answers (number, body) SELECT number, ?2 FROM bot_turns WHERE activity_key = ?1
             ON CONFLICT (number) DO UPDATE SET body = excluded.body",
            params![key, body.get()],
        )?;
    }
    Ok(())
}

fn yielded(sharing: &Sharing) -> Result<(), StoreError> {
    if sharing.may_yield {
        Ok(())
    } else {
        Err(Superseded::error())
    }
}

/// What the tables say about an activity.
#[derive(Default)]
pub(super) struct Found {
    pub(super) turn: Option<Answer>,
    pub(super) is_acknowledged: bool,
}

pub(super) fn find(tx: &Tx<'_>, key: &ActivityKey, forgotten_before_ms: i64) -> Result<Found, StoreError> {
    let rows = tx.all(
        "SELECT FALSE, status, body FROM bot_turns LEFT JOIN bot_answers USING (number)
            WHERE activity_key = ?1 AND committed_at_ms > ?2
         UNION ALL
         SELECT TRUE, NULL, NULL FROM bot_acknowledged WHERE activity_key = ?1",
        params![key.as_str().as_bytes(), forgotten_before_ms],
        |row| {
            let is_acknowledged: bool = row.get(0)?;
            let answer = Answer {
                status: row.get(1)?,
                body: row.get(2)?,
            };
            Ok((is_acknowledged, answer))
        },
    )?;
    let mut found = Found::default();
    for (is_acknowledged, answer) in rows {
        if is_acknowledged {
            found.is_acknowledged = true;
        } else {
            found.turn = Some(answer);
        }
    }
    Ok(found)
}

/// A node's hold on the activities that it acknowledged.
#[derive(Clone)]
pub(super) struct Hold {
    pub(super) holder: Arc<str>,
    pub(super) until_ms: i64,
}

/// Stores an activity that is about to be acknowledged. False if another node has stored it before.
pub(super) fn acknowledge(tx: &Tx<'_>, row: &ToAcknowledge, hold: &Hold) -> Result<bool, StoreError> {
    let stored = tx.execute(
        "INSERT INTO bot_acknowledged
            (number, activity_key, activity, identity, starts, acknowledged_at_ms, holder, held_until_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (activity_key) DO NOTHING",
        params![
            row.number,
            row.key.as_ref().map(|key| key.as_str().as_bytes()),
            row.activity,
            row.identity,
            i64::from(row.started),
            row.at_ms,
            &*hold.holder,
            hold.until_ms
        ],
    )?;
    Ok(stored > 0)
}

pub(super) fn count_starts(tx: &Tx<'_>, number: i64, by: i64, holder: &str) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE bot_acknowledged SET starts = starts + ?2 WHERE number = ?1 AND holder = ?3",
        params![number, by, holder],
    )?;
    Ok(())
}

/// Extends, or with an `until_ms` of 0 ends, the hold on everything that the node has acknowledged.
pub(super) fn hold(tx: &Tx<'_>, hold: &Hold) -> Result<(), StoreError> {
    // A row that is locked is being committed, or is counting a start: it would only be waited for.
    tx.execute(
        "UPDATE bot_acknowledged SET held_until_ms = ?2 WHERE number IN
            (SELECT number FROM bot_acknowledged WHERE holder = ?1 FOR UPDATE SKIP LOCKED)",
        params![&*hold.holder, hold.until_ms],
    )?;
    Ok(())
}

/// Takes up what others acknowledged and hold no longer, in the order in which it arrived.
pub(super) fn take_up(tx: &Tx<'_>, now_ms: i64, hold: &Hold) -> Result<Vec<Acknowledged>, StoreError> {
    let rows = tx.all(
        "SELECT number, activity_key, activity, identity, starts FROM bot_acknowledged
         WHERE held_until_ms <= ?1 AND holder <> ?2 ORDER BY number LIMIT ?3 FOR UPDATE SKIP LOCKED",
        params![now_ms, &*hold.holder, TAKEN_UP_AT_ONCE],
        Acknowledged::from_row,
    )?;
    for row in &rows {
        tx.execute(
            "UPDATE bot_acknowledged SET holder = ?2, held_until_ms = ?3 WHERE number = ?1",
            params![row.number, &*hold.holder, hold.until_ms],
        )?;
    }
    Ok(rows)
}

/// Deletes what is too old or beyond the limits, the oldest first.
pub(super) fn prune(
    tx: &Tx<'_>,
    forgotten_before_ms: i64,
    activities: i64,
    body_bytes: i64,
) -> Result<(), StoreError> {
    // Rows that another node is deleting now are passed over.
    tx.execute(
        "DELETE FROM bot_turns WHERE number IN (
            SELECT number FROM bot_turns
            WHERE number IN (SELECT number FROM bot_turns ORDER BY number LIMIT ?1)
                AND (committed_at_ms <= ?2 OR number <= (SELECT max(number) FROM bot_turns) - ?3)
            FOR UPDATE SKIP LOCKED)",
        params![PRUNED_AT_ONCE, forgotten_before_ms, activities],
    )?;
    tx.execute(
        "DELETE FROM bot_answers WHERE number < (SELECT coalesce(min(number), 9223372036854775807) FROM bot_turns)
            OR number <= (
                SELECT max(number) FROM (
                    SELECT number, sum(octet_length(body)) OVER (ORDER BY number DESC) AS bytes FROM bot_answers
                ) AS newest WHERE bytes > ?1)",
        params![body_bytes],
    )?;
    Ok(())
}
