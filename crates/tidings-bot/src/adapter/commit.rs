//! What a turn leaves behind, and how it is kept: all of it or nothing.

use std::sync::{Arc, Mutex, PoisonError};

use tidings_store::{Batch, Database, DocumentChange, Migrations, Step, Storage, StoreError, rusqlite};

use super::Core;
use crate::activity_key::ActivityKey;
use crate::error::{Error, Result};
use crate::state::{StateDocument, StateError};
use crate::turn::TurnContext;

/// How often a commit is tried when others keep changing the same documents.
const TRIES: u32 = 10;

/// How long it is remembered that a turn's steps were committed.
const REMEMBERED_MS: i64 = 24 * 60 * 60 * 1000;

/// The tables of this crate. Needed only in a database given by
/// [`AdapterBuilder::database`](super::AdapterBuilder::database), that is when state is kept elsewhere.
pub const MIGRATIONS: Migrations = Migrations {
    component: "bot",
    sqlite: &["CREATE TABLE bot_committed_turns (
            activity_key BLOB PRIMARY KEY,
            committed_at_ms INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX bot_committed_turns_by_time ON bot_committed_turns (committed_at_ms);"],
};

impl Core {
    /// Keeps what the turn and the observers leave behind. A turn that changed and staged nothing costs no
    /// I/O.
    pub(super) async fn commit_turn(&self, turn: &mut TurnContext, key: Option<&ActivityKey>) -> Result<()> {
        let mut batch = Batch {
            documents: Vec::new(),
            steps: turn.take_steps(),
        };
        let facts = Self::facts(turn, key);
        for observer in &self.observers {
            observer.stage(&facts, &mut batch);
        }
        let states = turn.states_mut().take_changed();
        if states.is_empty() && batch.is_empty() {
            return Ok(());
        }
        // Boxed for the same reason as a failure is: most turns have nothing to keep.
        Box::pin(self.keep(states, batch, key)).await
    }

    /// Keeps what was staged and changed, without the observers: what `on_turn_error` leaves behind.
    pub(super) async fn commit_staged(&self, turn: &mut TurnContext) -> Result<()> {
        let batch = Batch {
            documents: Vec::new(),
            steps: turn.take_steps(),
        };
        self.keep(turn.states_mut().take_changed(), batch, None).await
    }

    async fn keep(
        &self,
        mut states: Vec<StateDocument>,
        batch: Batch,
        key: Option<&ActivityKey>,
    ) -> Result<()> {
        if states.is_empty() && batch.is_empty() {
            return Ok(());
        }
        match &self.storage {
            Some(storage) if storage.database().is_none() => {
                self.keep_steps(batch, key).await?;
                keep_elsewhere(&**storage, &mut states).await
            }
            _ => keep_together(self.database()?, &mut states, batch).await,
        }
    }

    /// Commits the staged steps of a turn whose state is kept elsewhere: first, and once for each inbound
    /// activity, so that a turn that runs again because its state could not be kept does not take them twice.
    async fn keep_steps(&self, batch: Batch, key: Option<&ActivityKey>) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        let Batch { documents, steps } = batch;
        let steps = match key {
            Some(key) if !steps.is_empty() => {
                let now_ms = self.clock.now().as_millisecond();
                vec![Box::new(OncePerTurn {
                    key: key.clone(),
                    now_ms,
                    steps,
                }) as Box<dyn Step>]
            }
            _ => steps,
        };
        self.database()?.commit(Batch { documents, steps }).await?;
        Ok(())
    }

    fn database(&self) -> Result<&Database> {
        Ok(self.database.as_ref().ok_or(StateError::NoDatabase)?)
    }
}

/// Documents and steps in one commit, tried again when somebody else wrote one of the documents meanwhile.
async fn keep_together(database: &Database, states: &mut [StateDocument], batch: Batch) -> Result<()> {
    if states.is_empty() {
        database.commit(batch).await?;
        return Ok(());
    }
    let Batch { documents, steps } = batch;
    // The database checks the documents before it runs a step, so after a conflict the steps are all still
    // here.
    let steps = Arc::new(Mutex::new(steps));
    for _ in 0..TRIES {
        let changes = states
            .iter()
            .map(StateDocument::change)
            .chain(documents.iter().cloned());
        let attempt = Batch {
            documents: changes.collect(),
            steps: vec![Box::new(Shared(Arc::clone(&steps)))],
        };
        let conflict = match database.commit(attempt).await {
            Ok(_) => return Ok(()),
            Err(StoreError::Conflict { key }) if states.iter().any(|state| state.key() == key) => key,
            Err(error) => return Err(error.into()),
        };
        tracing::debug!(
            document.key = conflict,
            "somebody else wrote the state meanwhile; merging"
        );
        rebase(database, states).await?;
    }
    Err(too_busy(states))
}

/// Documents into a storage of its own, in one call, tried again when somebody else wrote one of them meanwhile.
async fn keep_elsewhere(storage: &dyn Storage, states: &mut [StateDocument]) -> Result<()> {
    if states.is_empty() {
        return Ok(());
    }
    for _ in 0..TRIES {
        if states.iter().any(StateDocument::is_deleted) {
            // A storage deletes without comparing, so compare first.
            rebase(storage, states).await?;
        }
        let (mut writes, mut deletions) = (Vec::new(), Vec::new());
        for change in states.iter().map(StateDocument::change) {
            match change {
                DocumentChange::Write { key, document } => writes.push((key, document)),
                DocumentChange::Delete { key, .. } => deletions.push(key),
            }
        }
        if !writes.is_empty() {
            match storage.write(writes).await {
                Ok(_) => {}
                Err(StoreError::Conflict { .. }) => {
                    rebase(storage, states).await?;
                    continue;
                }
                Err(error) => return Err(error.into()),
            }
        }
        if !deletions.is_empty() {
            let deletions: Vec<&str> = deletions.iter().map(String::as_str).collect();
            storage.delete(&deletions).await?;
        }
        return Ok(());
    }
    Err(too_busy(states))
}

/// Moves the turn's changes onto what the storage has now.
async fn rebase(storage: &dyn Storage, states: &mut [StateDocument]) -> Result<()> {
    let keys: Vec<&str> = states.iter().map(StateDocument::key).collect();
    let mut found = storage.read(&keys).await?;
    for state in states {
        let document = found.remove(state.key());
        state.rebase(document)?;
    }
    Ok(())
}

fn too_busy(states: &[StateDocument]) -> Error {
    let keys: Vec<&str> = states.iter().map(StateDocument::key).collect();
    Error::new(StateError::TooBusy {
        key: keys.join(", "),
        tries: TRIES,
    })
}

/// Steps that stay with the turn until a transaction takes them.
struct Shared(Arc<Mutex<Vec<Box<dyn Step>>>>);

impl Step for Shared {
    fn sqlite(self: Box<Self>, connection: &rusqlite::Connection) -> Result<(), StoreError> {
        let steps = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        run_all(steps, connection)
    }
}

/// Steps that are taken once for each inbound activity.
struct OncePerTurn {
    key: ActivityKey,
    now_ms: i64,
    steps: Vec<Box<dyn Step>>,
}

impl Step for OncePerTurn {
    fn sqlite(self: Box<Self>, connection: &rusqlite::Connection) -> Result<(), StoreError> {
        let first = connection
            .prepare_cached(
                "INSERT OR IGNORE INTO bot_committed_turns (activity_key, committed_at_ms) VALUES (?1, ?2)",
            )?
            .execute(rusqlite::params![self.key.as_str().as_bytes(), self.now_ms])?;
        if first == 0 {
            return Ok(());
        }
        // A few at a time, more than come in.
        connection
            .prepare_cached(
                "DELETE FROM bot_committed_turns WHERE activity_key IN (
                    SELECT activity_key FROM bot_committed_turns
                    WHERE committed_at_ms <= ?1 ORDER BY committed_at_ms LIMIT 10)",
            )?
            .execute([self.now_ms - REMEMBERED_MS])?;
        run_all(self.steps, connection)
    }
}

fn run_all(steps: Vec<Box<dyn Step>>, connection: &rusqlite::Connection) -> Result<(), StoreError> {
    steps.into_iter().try_for_each(|step| step.sqlite(connection))
}
