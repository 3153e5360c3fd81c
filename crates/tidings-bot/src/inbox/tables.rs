//! The tables of this crate.

use tidings_activity::Raw;
use tidings_store::{Migrations, Step, StoreError, rusqlite};

use super::register::Forget;
use crate::activity_key::ActivityKey;

use rusqlite::{Connection, OptionalExtension, params};

/// The tables of this crate. A [`Database`](tidings_store::Database) that an adapter is given must have been opened
/// with them.
pub const MIGRATIONS: Migrations = Migrations {
    component: "bot",
    postgres: &[],
    sqlite: &[
        "CREATE TABLE bot_committed_turns (
            activity_key BLOB PRIMARY KEY,
            committed_at_ms INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX bot_committed_turns_by_time ON bot_committed_turns (committed_at_ms);",
        // Only ever appended to and cut off at the front: a further index would touch a page of its own for each turn.
        "CREATE TABLE bot_turns (
            number INTEGER PRIMARY KEY,
            activity_key BLOB NOT NULL,
            committed_at_ms INTEGER NOT NULL,
            -- What was answered. NULL: the steps are committed, the state, which is kept elsewhere, is not yet.
            status INTEGER
        ) STRICT;
        CREATE TABLE bot_answers (
            number INTEGER PRIMARY KEY,
            body TEXT NOT NULL
        ) STRICT;
        CREATE TABLE bot_acknowledged (
            number INTEGER PRIMARY KEY,
            activity_key BLOB,
            activity TEXT NOT NULL,
            identity TEXT,
            starts INTEGER NOT NULL,
            acknowledged_at_ms INTEGER NOT NULL
        ) STRICT;
        INSERT INTO bot_turns (number, activity_key, committed_at_ms)
            SELECT row_number() OVER (ORDER BY committed_at_ms), activity_key, committed_at_ms
            FROM bot_committed_turns;
        DROP TABLE bot_committed_turns;",
    ],
};

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

impl Record {
    pub(crate) fn write(&self, connection: &Connection) -> Result<(), StoreError> {
        if let Some(key) = &self.key {
            let key = key.as_str().as_bytes();
            let status = match self.progress {
                Progress::Half => None,
                Progress::Whole(status) | Progress::Completed(status) => Some(status),
            };
            if let Progress::Completed(_) = self.progress {
                connection
                    .prepare_cached("UPDATE bot_turns SET status = ?2 WHERE number = ?1")?
                    .execute(params![self.number, status])?;
            } else {
                connection
                    .prepare_cached(
                        "INSERT INTO bot_turns (number, activity_key, committed_at_ms, status) VALUES (?1, ?2, ?3, ?4)",
                    )?
                    .execute(params![self.number, key, self.at_ms, status])?;
            }
            if let Some(body) = &self.body {
                connection
                    .prepare_cached("INSERT OR REPLACE INTO bot_answers (number, body) VALUES (?1, ?2)")?
                    .execute(params![self.number, body.get()])?;
            }
        }
        if let Some(number) = self.acknowledged {
            connection
                .prepare_cached("DELETE FROM bot_acknowledged WHERE number = ?1")?
                .execute([number])?;
        }
        if let Some(number) = self.forget.turns {
            connection
                .prepare_cached("DELETE FROM bot_turns WHERE number <= ?1")?
                .execute([number])?;
        }
        if let Some(number) = self.forget.bodies.max(self.forget.turns) {
            connection
                .prepare_cached("DELETE FROM bot_answers WHERE number <= ?1")?
                .execute([number])?;
        }
        Ok(())
    }
}

impl Step for Record {
    fn write(self: Box<Self>, connection: &tidings_store::Tx<'_>) -> Result<(), StoreError> {
        Record::write(&self, connection)
    }
}

/// What a row says about its activity.
pub(super) struct Answer {
    pub(super) status: Option<u16>,
    pub(super) body: Option<String>,
}

/// The row `number`, if it is that of `key`.
pub(super) fn find(
    connection: &Connection,
    number: i64,
    key: &ActivityKey,
) -> Result<Option<Answer>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT status, body FROM bot_turns LEFT JOIN bot_answers USING (number)
         WHERE number = ?1 AND activity_key = ?2",
    )?;
    let found = select.query_row(params![number, key.as_str().as_bytes()], |row| {
        Ok(Answer {
            status: row.get(0)?,
            body: row.get(1)?,
        })
    });
    Ok(found.optional()?)
}

/// An activity that was acknowledged and whose turn is not over.
pub(crate) struct Acknowledged {
    pub(crate) number: i64,
    pub(crate) key: Option<ActivityKey>,
    pub(crate) activity: String,
    pub(crate) identity: Option<String>,
    pub(crate) starts: u32,
}

/// All of them in the order in which they arrived.
pub(super) fn acknowledged(connection: &Connection) -> Result<Vec<Acknowledged>, StoreError> {
    let mut select = connection.prepare(
        "SELECT number, activity_key, activity, identity, starts FROM bot_acknowledged ORDER BY number",
    )?;
    let rows = select.query_map([], |row| {
        Ok(Acknowledged {
            number: row.get(0)?,
            key: key_of(row.get(1)?),
            activity: row.get(2)?,
            identity: row.get(3)?,
            starts: row.get(4)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn key_of(bytes: Option<Vec<u8>>) -> Option<ActivityKey> {
    ActivityKey::from_bytes(bytes?)
}
