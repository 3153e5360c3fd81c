//! What is known of inbound activities, in the database: which have had their turn and what they were answered, and
//! which were acknowledged before their turn was over.
//!
//! The rows are the truth. Where one process has the database to itself, it keeps in memory what tells, without asking
//! the database, that an activity has *not* been seen, which is what is true of almost all: a fingerprint and the number
//! of the row for each. Where several nodes share it, the table is asked: see [`shared`].

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tidings_activity::Raw;
use tidings_store::{Clock, Database, StoreError, Tx};
use tokio::sync::OnceCell;

use crate::activity_key::ActivityKey;
use crate::error::Result;
use crate::inbound::{Inbound, TurnResponse};
use crate::observer::DeduplicationLimits;

mod custody;
mod register;
mod schema;
mod shared;
mod tables;

pub use schema::MIGRATIONS;
pub(crate) use shared::Superseded;
pub(crate) use tables::{Acknowledged, Record};

use custody::Custody;
use register::{Entry, Forget, Register};
use tables::{Answer, Progress, ToAcknowledge};

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
    custody: Custody,
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
    pub(crate) fn new(
        database: Database,
        limits: DeduplicationLimits,
        clock: Arc<dyn Clock>,
        take_over_after: Duration,
    ) -> Self {
        let fingerprints = RandomState::new();
        Self {
            database,
            limits,
            clock,
            custody: Custody::new(take_over_after, fingerprints.hash_one("holder")),
            fingerprints,
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

    /// Whether other nodes may have the database open too.
    pub(crate) fn is_shared(&self) -> bool {
        self.database.is_multi_node()
    }

    async fn load(&self) -> Result<()> {
        if self.is_shared() {
            self.prune_aside();
            return Ok(());
        }
        let fingerprints = self.fingerprints.clone();
        let read = move |tx: &Tx<'_>| {
            let turns = tables::turns(tx, |key| fingerprints.hash_one(key))?;
            Ok((turns, tables::bodies(tx)?, tables::acknowledged(tx)?))
        };
        let (turns, bodies, waiting) = self.database.read(read).await?;
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
        last = waiting.iter().map(|row| row.number).fold(last, i64::max);
        let stale = register.forgotten_up_to();
        tracing::debug!(
            activities = register.len(),
            waiting = waiting.len(),
            "the inbox is open"
        );
        *self.register() = register;
        *self.waiting() = waiting.into_iter().filter_map(|row| row.key).collect();
        self.next.store(last + 1, Ordering::Relaxed);
        self.unfinished_up_to.store(last, Ordering::Relaxed);
        self.delete_up_to(stale).await
    }

    async fn delete_up_to(&self, number: i64) -> Result<()> {
        if number == 0 {
            return Ok(());
        }
        loop {
            let delete = move |tx: &Tx<'_>| tables::delete_up_to(tx, number, DELETED_AT_START);
            if self.database.write(delete).await? == 0 {
                return Ok(());
            }
        }
    }

    /// What is known of the activity. Its turn must not be running.
    pub(crate) async fn find(&self, key: &ActivityKey) -> Result<Known> {
        if self.is_shared() {
            return Box::pin(self.find_shared(key, true)).await;
        }
        if self.waiting().contains(key) {
            return Ok(Known::Answered(TurnResponse::accepted()));
        }
        self.find_turn(key).await
    }

    /// As [`find`](Self::find), but only by the rows of turns.
    pub(crate) async fn find_turn(&self, key: &ActivityKey) -> Result<Known> {
        if self.is_shared() {
            return Box::pin(self.find_shared(key, false)).await;
        }
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
            .read(move |tx| tables::find(tx, number, &wanted))
            .await?;
        match found {
            None => Ok(Known::No),
            Some(answer) => known(number, answer),
        }
    }

    /// The number of a turn, in the order in which they arrive.
    pub(crate) fn number(&self) -> i64 {
        if self.is_shared() {
            return self.shared_number();
        }
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
        let sharing = self.sharing(at_ms);
        let forget = match sharing {
            None => self.register().forget(body_len, &self.limits),
            Some(_) => Forget::default(),
        };
        let record = Record {
            number,
            key: key.cloned(),
            at_ms,
            body: body.cloned(),
            progress,
            acknowledged,
            forget,
            sharing,
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
            .write_repeatable(move |tx| Record::write(&record, tx))
            .await
    }

    /// Commits a record that nothing depends on: if another node has had the turn meanwhile, that stands.
    pub(crate) async fn write_if_first(&self, mut record: Record) -> Result<(), StoreError> {
        if let Some(sharing) = &mut record.sharing {
            sharing.may_yield = true;
        }
        self.write(record).await
    }

    /// A record was committed.
    pub(crate) fn committed(&self, noted: Noted) {
        if self.is_shared() {
            return self.count_for_pruning(noted.body_len);
        }
        if let Some(entry) = noted.entry {
            self.register()
                .insert(entry, noted.body_len, &self.limits, entry.at_ms);
        }
    }

    /// Stores an activity, so that its sender can be told 202: whatever happens, its turn comes. False if another node
    /// has stored it before: then its turn is that node's to bring.
    pub(crate) async fn acknowledge(
        self: &Arc<Self>,
        number: i64,
        key: Option<&ActivityKey>,
        inbound: &Inbound,
        started: bool,
    ) -> Result<bool> {
        let row = ToAcknowledge {
            number,
            key: key.cloned(),
            activity: serde_json::to_string(&inbound.activity)?,
            identity: inbound.identity.to_json()?,
            started,
            at_ms: self.now_ms(),
        };
        if self.is_shared() {
            return Ok(self.acknowledge_shared(row).await?);
        }
        self.database.write_repeatable(move |tx| row.write(tx)).await?;
        Ok(true)
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
        let holder = self.is_shared().then(|| self.custody.holder());
        let count = move |tx: &Tx<'_>| match &holder {
            Some(holder) => shared::count_starts(tx, number, by, holder),
            None => tables::count_starts(tx, number, by),
        };
        self.database.write_repeatable(count).await
    }

    /// What earlier processes, or nodes that are gone, acknowledged and did not finish, in the order of arrival;
    /// nothing when asked again, but what came since.
    pub(crate) async fn unfinished(self: &Arc<Self>) -> Result<Vec<Acknowledged>> {
        if self.is_shared() {
            return Ok(self.take_up().await?);
        }
        let up_to = self.unfinished_up_to.load(Ordering::Relaxed);
        let mut rows = self.database.read(tables::acknowledged).await?;
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

/// What the row `number` says.
fn known(number: i64, answer: Answer) -> Result<Known> {
    let Some(status) = answer.status else {
        return Ok(Known::Half(number));
    };
    let body = answer.body.map(Raw::from_json).transpose()?;
    Ok(Known::Answered(TurnResponse { status, body }))
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox")
            .field("limits", &self.limits)
            .field("activities", &self.register().len())
            .finish_non_exhaustive()
    }
}
