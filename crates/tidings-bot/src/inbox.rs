//! What is known of inbound activities, in the database: which have had their turn and what they were answered, and
//! which were acknowledged before their turn was over.
//!
//! The rows are the truth. In memory is only what tells, without asking the database, that an activity has *not* been
//! seen, which is what is true of almost all: a fingerprint and the number of the row for each.

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tidings_activity::Raw;
use tidings_store::{Clock, Database, StoreError};
use tokio::sync::OnceCell;

use crate::activity_key::ActivityKey;
use crate::error::Result;
use crate::inbound::{Inbound, TurnResponse};
use crate::observer::DeduplicationLimits;

mod register;
mod tables;

pub use tables::MIGRATIONS;
pub(crate) use tables::{Acknowledged, Record};

use register::{Entry, Register};
use tables::Progress;

/// The longest body of an answer that is kept, in bytes. A repeated activity whose answer was longer gets its status.
const MAX_BODY_BYTES: usize = 1024 * 1024;

/// How many rows are deleted at a time when more are there at the start than are to be remembered.
const DELETED_AT_START: i64 = 4096;

/// What is known of inbound activities. Opened at its first use.
pub(crate) struct Inbox {
    database: Database,
    limits: DeduplicationLimits,
    clock: Arc<dyn Clock>,
    /// Keyed at random: activities come from outside, and none may be made to look like another.
    fingerprints: RandomState,
    register: Mutex<Register>,
    /// The next row, of whichever table.
    next: AtomicI64,
    /// Acknowledged by an earlier process, and not taken up by this one yet.
    waiting: Mutex<HashSet<ActivityKey>>,
    /// The last row of an earlier process, until its rows are taken up.
    unfinished_up_to: AtomicI64,
    opened: OnceCell<()>,
}

/// What is known of an activity that arrived.
#[derive(Debug, PartialEq)]
pub(crate) enum Known {
    /// Nothing: it gets a turn.
    No,
    /// It gets a turn, whose steps were committed before: the row says so.
    Half(i64),
    /// It has had its turn, or was promised one.
    Answered(TurnResponse),
}

/// What has to be remembered once the record is committed.
#[derive(Clone, Copy)]
pub(crate) struct Noted {
    entry: Option<Entry>,
    body_len: usize,
}

impl Inbox {
    pub(crate) fn new(database: Database, limits: DeduplicationLimits, clock: Arc<dyn Clock>) -> Self {
        Self {
            database,
            limits,
            clock,
            fingerprints: RandomState::new(),
            register: Mutex::default(),
            next: AtomicI64::new(1),
            waiting: Mutex::default(),
            unfinished_up_to: AtomicI64::new(0),
            opened: OnceCell::new(),
        }
    }

    /// Reads what earlier processes left. Once; afterwards it is free.
    pub(crate) async fn open(&self) -> Result<()> {
        if !self.opened.initialized() {
            Box::pin(self.opened.get_or_try_init(|| self.load())).await?;
        }
        Ok(())
    }

    async fn load(&self) -> Result<()> {
        let (turns, bodies, waiting) = self.read_all().await?;
        let now_ms = self.now_ms();
        let mut register = Register::default();
        let mut lengths = bodies.into_iter().peekable();
        let mut last = 0;
        for entry in turns {
            last = entry.number;
            while lengths.next_if(|(number, _)| *number < entry.number).is_some() {}
            let body_len = lengths.next_if(|(number, _)| *number == entry.number);
            register.insert(
                entry,
                body_len.map_or(0, |(_, length)| length),
                &self.limits,
                now_ms,
            );
        }
        last = waiting.iter().map(|(number, _)| *number).fold(last, i64::max);
        let stale = register.forgotten_up_to();
        tracing::debug!(
            activities = register.len(),
            waiting = waiting.len(),
            "the inbox is open"
        );
        *self.register() = register;
        *self.waiting() = waiting.into_iter().filter_map(|(_, key)| key).collect();
        self.next.store(last + 1, Ordering::Relaxed);
        self.unfinished_up_to.store(last, Ordering::Relaxed);
        self.delete_up_to(stale).await
    }

    async fn read_all(&self) -> Result<(Vec<Entry>, Vec<(i64, usize)>, Vec<(i64, Option<ActivityKey>)>)> {
        let fingerprints = self.fingerprints.clone();
        let read = move |connection: &tidings_store::Tx<'_>| {
            let mut turns = Vec::new();
            let mut select = connection
                .prepare("SELECT number, committed_at_ms, activity_key FROM bot_turns ORDER BY number")?;
            let mut rows = select.query([])?;
            while let Some(row) = rows.next()? {
                turns.push(Entry {
                    number: row.get(0)?,
                    at_ms: row.get(1)?,
                    fingerprint: fingerprints.hash_one(row.get_ref(2)?.as_blob().unwrap_or_default()),
                });
            }
            let mut select =
                connection.prepare("SELECT number, octet_length(body) FROM bot_answers ORDER BY number")?;
            let bodies = select
                .query_map([], |row| {
                    Ok((row.get(0)?, usize::try_from(row.get::<_, i64>(1)?).unwrap_or(0)))
                })?
                .collect::<Result<_, _>>()?;
            let waiting = tables::acknowledged(connection)?;
            Ok((
                turns,
                bodies,
                waiting.into_iter().map(|row| (row.number, row.key)).collect(),
            ))
        };
        Ok(self.database.read(read).await?)
    }

    async fn delete_up_to(&self, number: i64) -> Result<()> {
        if number == 0 {
            return Ok(());
        }
        loop {
            let deleted = self
                .database
                .write(move |connection| {
                    let mut delete = connection.prepare_cached(
                        "DELETE FROM bot_turns WHERE number IN
                            (SELECT number FROM bot_turns WHERE number <= ?1 ORDER BY number LIMIT ?2)",
                    )?;
                    let deleted = delete.execute([number, DELETED_AT_START])?;
                    if deleted == 0 {
                        connection.execute(
                            "DELETE FROM bot_answers WHERE number <= ?1",
                            tidings_store::params![number],
                        )?;
                    }
                    Ok(deleted)
                })
                .await?;
            if deleted == 0 {
                return Ok(());
            }
        }
    }

    /// What is known of the activity. Its turn must not be running.
    pub(crate) async fn find(&self, key: &ActivityKey) -> Result<Known> {
        if self.waiting().contains(key) {
            return Ok(Known::Answered(TurnResponse::accepted()));
        }
        self.find_turn(key).await
    }

    /// As [`find`](Self::find), but only by the rows of turns.
    pub(crate) async fn find_turn(&self, key: &ActivityKey) -> Result<Known> {
        let fingerprint = self.fingerprint(key);
        let now_ms = self.now_ms();
        let found = self.register().find(fingerprint, &self.limits, now_ms);
        match found {
            Some(number) => Box::pin(self.confirm(number, key)).await,
            None => Ok(Known::No),
        }
    }

    async fn confirm(&self, number: i64, key: &ActivityKey) -> Result<Known> {
        let wanted = key.clone();
        let found = self
            .database
            .read(move |connection| tables::find(connection, number, &wanted))
            .await?;
        let Some(answer) = found else {
            return Ok(Known::No);
        };
        let Some(status) = answer.status else {
            return Ok(Known::Half(number));
        };
        let body = answer.body.map(Raw::from_json).transpose()?;
        Ok(Known::Answered(TurnResponse { status, body }))
    }

    /// The number of a turn, in the order in which they arrive.
    pub(crate) fn number(&self) -> i64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// The row that says that the turn of `key` is over and what its sender was told, to be committed with what the
    /// turn leaves behind. `half` is the row of its steps if they were committed before, `acknowledged` the activity's
    /// own row if the sender was told 202 already.
    pub(crate) fn record(
        &self,
        key: Option<&ActivityKey>,
        response: &TurnResponse,
        half: Option<i64>,
        acknowledged: Option<i64>,
    ) -> (Record, Noted) {
        let status = if acknowledged.is_some() {
            202
        } else {
            response.status
        };
        let body = response.body.as_ref().filter(|body| {
            acknowledged.is_none()
                && key.is_some()
                && body.get().len() <= MAX_BODY_BYTES.min(self.limits.body_bytes)
        });
        let body_len = body.map_or(0, |body| body.get().len());
        let at_ms = self.now_ms();
        let (number, progress) = match half {
            Some(number) => (number, Progress::Completed(status)),
            None => (self.number(), Progress::Whole(status)),
        };
        let entry = key.filter(|_| half.is_none()).map(|key| Entry {
            fingerprint: self.fingerprint(key),
            number,
            at_ms,
        });
        let record = Record {
            number,
            key: key.cloned(),
            at_ms,
            body: body.cloned(),
            progress,
            acknowledged,
            forget: self.register().forget(body_len, &self.limits),
        };
        (record, Noted { entry, body_len })
    }

    /// The row that says that the steps of the turn of `key` are committed, and its number.
    pub(crate) fn half_record(&self, key: &ActivityKey) -> (Record, Noted, i64) {
        let (mut record, noted) = self.record(Some(key), &TurnResponse::ok(), None, None);
        record.progress = Progress::Half;
        let number = record.number;
        (record, noted, number)
    }

    /// Commits a record that nothing goes with.
    pub(crate) async fn write(&self, record: Record) -> Result<(), StoreError> {
        self.database
            .write(move |connection| record.write(connection))
            .await
    }

    /// A record was committed.
    pub(crate) fn committed(&self, noted: Noted) {
        if let Some(entry) = noted.entry {
            self.register()
                .insert(entry, noted.body_len, &self.limits, entry.at_ms);
        }
    }

    /// Stores an activity, so that its sender can be told 202: whatever happens, its turn comes.
    pub(crate) async fn acknowledge(
        &self,
        number: i64,
        key: Option<&ActivityKey>,
        inbound: &Inbound,
        started: bool,
    ) -> Result<()> {
        let activity = serde_json::to_string(&inbound.activity)?;
        let identity = inbound.identity.to_json()?;
        let (key, now_ms) = (key.cloned(), self.now_ms());
        let insert = move |connection: &tidings_store::Tx<'_>| {
            let mut insert = connection.prepare_cached(
                "INSERT INTO bot_acknowledged
                    (number, activity_key, activity, identity, starts, acknowledged_at_ms)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?;
            let key = key.as_ref().map(|key| key.as_str().as_bytes());
            insert.execute(tidings_store::rusqlite::params![
                number, key, activity, identity, started, now_ms
            ])?;
            Ok(())
        };
        Ok(self.database.write(insert).await?)
    }

    /// Notes, before it begins, that the turn of an acknowledged activity is started.
    pub(crate) async fn started(&self, number: i64) -> Result<(), StoreError> {
        self.count_starts(number, 1).await
    }

    /// The turn of an acknowledged activity is put down and does not count as started: it ended no process.
    pub(crate) async fn put_down(&self, number: i64) -> Result<(), StoreError> {
        self.count_starts(number, -1).await
    }

    async fn count_starts(&self, number: i64, by: i64) -> Result<(), StoreError> {
        let update = move |connection: &tidings_store::Tx<'_>| {
            connection
                .prepare_cached("UPDATE bot_acknowledged SET starts = starts + ?2 WHERE number = ?1")?
                .execute([number, by])?;
            Ok(())
        };
        self.database.write(update).await
    }

    /// What earlier processes acknowledged and did not finish, in the order of arrival; nothing when asked again.
    pub(crate) async fn unfinished(&self) -> Result<Vec<Acknowledged>> {
        let up_to = self.unfinished_up_to.load(Ordering::Relaxed);
        let mut rows = self.database.read(|tx| tables::acknowledged(tx)).await?;
        // Two may ask at once: one gets them.
        if self.unfinished_up_to.swap(0, Ordering::Relaxed) != up_to {
            return Ok(Vec::new());
        }
        rows.retain(|row| row.number <= up_to);
        Ok(rows)
    }

    /// This process has taken up what an earlier one acknowledged.
    pub(crate) fn taken_up(&self, key: &ActivityKey) {
        self.waiting().remove(key);
    }

    fn fingerprint(&self, key: &ActivityKey) -> u64 {
        self.fingerprints.hash_one(key.as_str().as_bytes())
    }

    fn now_ms(&self) -> i64 {
        self.clock.now().as_millisecond()
    }

    fn register(&self) -> MutexGuard<'_, Register> {
        self.register.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn waiting(&self) -> MutexGuard<'_, HashSet<ActivityKey>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox")
            .field("limits", &self.limits)
            .field("activities", &self.register().len())
            .finish_non_exhaustive()
    }
}
