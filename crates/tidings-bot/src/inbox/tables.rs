//! Every statement of a database that one process has to itself; those of a shared one are in
//! [`shared`](super::shared).

use tidings_activity::Raw;
use tidings_store::{Row, Step, StoreError, Tx, params};

use super::register::{Entry, Forget};
use super::shared::{self, Sharing};
use crate::activity_key::ActivityKey;

/// The row that says what became of an activity, and what goes with it.
pub(crate) struct Record {
    pub(super) number: i64,
    /// Without one there is no row: nothing could be recognised by it.
    pub(super) key: Option<ActivityKey>,
    pub(super) at_ms: i64,
    pub(super) body: Option<Raw>,
    pub(super) progress: Progress,
    /// The activity's own row while it was acknowledged and not over.
    pub(super) acknowledged: Option<i64>,
    pub(super) forget: Forget,
    /// Where other nodes write too.
    pub(super) sharing: Option<Sharing>,
}

/// How far the turn is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Progress {
    /// Its steps are committed, its state is not yet.
    Half,
    /// It is committed: what was answered.
    Whole(u16),
    /// The row is there already and becomes whole.
    Completed(u16),
}

impl Progress {
    pub(super) fn status(self) -> Option<u16> {
        match self {
            Self::Half => None,
            Self::Whole(status) | Self::Completed(status) => Some(status),
        }
    }
}

impl Record {
    pub(crate) fn write(&self, tx: &Tx<'_>) -> Result<(), StoreError> {
        if let Some(sharing) = &self.sharing {
            return shared::write(self, sharing, tx);
        }
        if let Some(key) = &self.key {
            let status = self.progress.status();
            if let Progress::Completed(_) = self.progress {
                tx.execute(
                    "UPDATE bot_turns SET status = ?2 WHERE number = ?1",
                    params![self.number, status],
                )?;
            } else {
                tx.execute(
                    "INSERT INTO bot_turns (number, activity_key, committed_at_ms, status) VALUES (?1, ?2, ?3, ?4)",
                    params![self.number, key.as_str().as_bytes(), self.at_ms, status],
                )?;
            }
            if let Some(body) = &self.body {
                tx.execute(
                    "INSERT INTO bot_answers (number, body) VALUES (?1, ?2)
                     ON CONFLICT (number) DO UPDATE SET body = excluded.body",
                    params![self.number, body.get()],
                )?;
            }
        }
        if let Some(number) = self.acknowledged {
            tx.execute("DELETE FROM bot_acknowledged WHERE number = ?1", params![number])?;
        }
        if let Some(number) = self.forget.turns {
            tx.execute("DELETE FROM bot_turns WHERE number <= ?1", params![number])?;
        }
        if let Some(number) = self.forget.bodies.max(self.forget.turns) {
            tx.execute("DELETE FROM bot_answers WHERE number <= ?1", params![number])?;
        }
        Ok(())
    }
}

impl Step for Record {
    fn write(&mut self, tx: &Tx<'_>) -> Result<(), StoreError> {
        Record::write(self, tx)
    }
}

/// What a row says about its activity.
pub(super) struct Answer {
    pub(super) status: Option<u16>,
    pub(super) body: Option<String>,
}

/// The row `number`, if it is that of `key`.
pub(super) fn find(tx: &Tx<'_>, number: i64, key: &ActivityKey) -> Result<Option<Answer>, StoreError> {
    tx.first(
        "SELECT status, body FROM bot_turns LEFT JOIN bot_answers USING (number)
         WHERE number = ?1 AND activity_key = ?2",
        params![number, key.as_str().as_bytes()],
        |row| {
            Ok(Answer {
                status: row.get(0)?,
                body: row.get(1)?,
            })
        },
    )
}

/// Every turn on record, the oldest first, with the fingerprint of its key.
pub(super) fn turns(tx: &Tx<'_>, fingerprint: impl Fn(&[u8]) -> u64) -> Result<Vec<Entry>, StoreError> {
    tx.all(
        "SELECT number, committed_at_ms, activity_key FROM bot_turns ORDER BY number",
        &[],
        |row| {
            Ok(Entry {
                number: row.get(0)?,
                at_ms: row.get(1)?,
                fingerprint: fingerprint(&row.get::<Vec<u8>>(2)?),
            })
        },
    )
}

/// The answers that have a body: number and length, the oldest first.
pub(super) fn bodies(tx: &Tx<'_>) -> Result<Vec<(i64, usize)>, StoreError> {
    tx.all(
        "SELECT number, octet_length(body) FROM bot_answers ORDER BY number",
        &[],
        |row| Ok((row.get(0)?, usize::try_from(row.get::<i64>(1)?).unwrap_or(0))),
    )
}

/// Deletes the oldest rows up to `number`, at most `most` of them. How many turns there were.
pub(super) fn delete_up_to(tx: &Tx<'_>, number: i64, most: i64) -> Result<usize, StoreError> {
    let deleted = tx.execute(
        "DELETE FROM bot_turns WHERE number IN
            (SELECT number FROM bot_turns WHERE number <= ?1 ORDER BY number LIMIT ?2)",
        params![number, most],
    )?;
    if deleted == 0 {
        tx.execute("DELETE FROM bot_answers WHERE number <= ?1", params![number])?;
    }
    Ok(deleted)
}

/// An activity that was acknowledged and whose turn is not over.
pub(crate) struct Acknowledged {
    pub(crate) number: i64,
    pub(crate) key: Option<ActivityKey>,
    pub(crate) activity: String,
    pub(crate) identity: Option<String>,
    pub(crate) starts: u32,
}

impl Acknowledged {
    /// From the columns of the queries here and in [`shared`].
    pub(super) fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            number: row.get(0)?,
            key: row.get::<Option<Vec<u8>>>(1)?.and_then(ActivityKey::from_bytes),
            activity: row.get(2)?,
            identity: row.get(3)?,
            starts: row.get(4)?,
        })
    }
}

/// All of them in the order in which they arrived.
pub(super) fn acknowledged(tx: &Tx<'_>) -> Result<Vec<Acknowledged>, StoreError> {
    tx.all(
        "SELECT number, activity_key, activity, identity, starts FROM bot_acknowledged ORDER BY number",
        &[],
        Acknowledged::from_row,
    )
}

/// Stores an activity that is about to be acknowledged.
pub(super) struct ToAcknowledge {
    pub(super) number: i64,
    pub(super) key: Option<ActivityKey>,
    pub(super) activity: String,
    pub(super) identity: Option<String>,
    pub(super) started: bool,
    pub(super) at_ms: i64,
}

impl ToAcknowledge {
    pub(super) fn write(&self, tx: &Tx<'_>) -> Result<(), StoreError> {
        tx.execute(
            "INSERT INTO bot_acknowledged (number, activity_key, activity, identity, starts, acknowledged_at_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                self.number,
                self.key.as_ref().map(|key| key.as_str().as_bytes()),
                self.activity,
                self.identity,
                i64::from(self.started),
                self.at_ms
            ],
        )?;
        Ok(())
    }
}

/// Counts starts of the turn of an acknowledged activity.
pub(super) fn count_starts(tx: &Tx<'_>, number: i64, by: i64) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE bot_acknowledged SET starts = starts + ?2 WHERE number = ?1",
        params![number, by],
    )?;
    Ok(())
}
