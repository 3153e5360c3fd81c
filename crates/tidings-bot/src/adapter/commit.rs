//! What a turn leaves behind, and how it is kept: all of it or nothing.

use std::sync::{Arc, Mutex, PoisonError};

use tidings_store::{Batch, Database, DocumentChange, Step, Storage, StoreError, Tx};

use super::Core;
use super::running::{Promise, Running};
use crate::activity_key::ActivityKey;
use crate::error::{Error, Result};
use crate::inbound::TurnResponse;
use crate::inbox::{Inbox, Known, Noted, Record, Superseded};
use crate::state::{StateDocument, StateError};
use crate::turn::TurnContext;

/// How often a commit is tried when others keep changing the same documents.
const TRIES: u32 = 10;

impl Core {
    /// Keeps what the turn and the observers leave behind, together with the row that says that the turn is over and
    /// was answered by `response`. Without an inbox, a turn that changed and staged nothing costs no I/O.
    pub(super) async fn commit_turn(
        &self,
        turn: &mut TurnContext,
        running: Option<&Running>,
        response: &TurnResponse,
    ) -> Result<()> {
        let mut batch = Batch {
            documents: Vec::new(),
            steps: turn.take_steps(),
        };
        let facts = Self::facts(turn, running.and_then(|running| running.arrived().key.as_ref()));
        for observer in &self.observers {
            observer.stage(&facts, &mut batch);
        }
        let states = turn.states_mut().take_changed();
        let is_empty = states.is_empty() && batch.is_empty();
        let (Some(inbox), Some(running)) = (&self.inbox, running) else {
            if is_empty {
                return Ok(());
            }
            // Boxed for the same reason as a failure is: most turns have nothing to keep.
            return Box::pin(self.keep(states, batch, None)).await;
        };
        // Nobody is told 202 from here until it is committed.
        let mut promise = running.arrived().promise.lock().await;
        let over = Over::new(inbox, running, &promise, response);
        if over.is_nothing() && is_empty {
            return Ok(());
        }
        if is_empty {
            over.commit().await?;
        } else {
            Box::pin(self.keep(states, batch, Some(over))).await?;
        }
        *promise = Promise::Over;
        Ok(())
    }

    /// Keeps what was staged and changed, without the observers: what `on_turn_error` leaves behind. The turn has
    /// failed and may run again, unless its sender was told that it would not have to.
    pub(super) async fn commit_staged(
        &self,
        turn: &mut TurnContext,
        running: Option<&Running>,
    ) -> Result<()> {
        let batch = Batch {
            documents: Vec::new(),
            steps: turn.take_steps(),
        };
        let states = turn.states_mut().take_changed();
        if states.is_empty() && batch.is_empty() {
            return Ok(());
        }
        if let (Some(inbox), Some(running)) = (&self.inbox, running) {
            let mut promise = running.arrived().promise.lock().await;
            if let Promise::Stored { .. } = *promise {
                let accepted = TurnResponse::accepted();
                let mut over = Over::new(inbox, running, &promise, &accepted);
                over.once = false;
                self.keep(states, batch, Some(over)).await?;
                *promise = Promise::Over;
                return Ok(());
            }
        }
        self.keep(states, batch, None).await
    }

    async fn keep(
        &self,
        mut states: Vec<StateDocument>,
        mut batch: Batch,
        over: Option<Over<'_>>,
    ) -> Result<()> {
        match &self.storage {
            Some(storage) if storage.database().is_none() => {
                self.keep_apart(&**storage, &mut states, batch, over).await
            }
            _ => {
                let over = over.filter(|over| !over.is_nothing());
                let noted = over.as_ref().map(|over| {
                    let (record, noted) = over.record();
                    // First: if another node has had the turn, no other step gets to stumble over what that left.
                    batch.steps.insert(0, Box::new(record));
                    noted
                });
                keep_together(self.database()?, &mut states, batch, over.as_ref()).await?;
                if let (Some(over), Some(noted)) = (over, noted) {
                    over.inbox.committed(noted);
                }
                Ok(())
            }
        }
    }

    /// Keeps what a turn leaves behind when its state is kept elsewhere: first the staged steps, once for each inbound
    /// activity, so that a turn that runs again because its state could not be kept does not take them twice; then the
    /// state; then that the turn is over.
    async fn keep_apart(
        &self,
        storage: &dyn Storage,
        states: &mut [StateDocument],
        mut batch: Batch,
        mut over: Option<Over<'_>>,
    ) -> Result<()> {
        if over.as_ref().is_some_and(|over| over.once && over.half.is_some()) {
            batch = Batch::default();
        }
        if !batch.is_empty() {
            // With nothing to follow, the turn is over with its steps.
            let is_half = !states.is_empty();
            let noted = match over.as_mut().filter(|over| !is_half || over.once) {
                Some(over) if is_half => over.take_half(),
                Some(over) if !over.is_nothing() => Some(over.record()),
                _ => None,
            };
            let noted = noted.map(|(record, noted)| {
                batch.steps.insert(0, Box::new(record));
                noted
            });
            self.database()?.commit(batch).await?;
            if let (Some(over), Some(noted)) = (&over, noted) {
                over.inbox.committed(noted);
                if !is_half {
                    return Ok(());
                }
            }
        }
        keep_elsewhere(storage, states).await?;
        match over {
            Some(over) if !over.is_nothing() => over.commit().await,
            _ => Ok(()),
        }
    }

    fn database(&self) -> Result<&Database> {
        Ok(self.database.as_ref().ok_or(StateError::NoDatabase)?)
    }
}

/// That a turn is over, to be committed with what it leaves behind.
struct Over<'a> {
    inbox: &'a Inbox,
    key: Option<&'a ActivityKey>,
    response: &'a TurnResponse,
    /// The row of the turn's steps, if they were committed before.
    half: Option<i64>,
    /// The row of the activity, if its sender was told 202.
    acknowledged: Option<i64>,
    /// Whether the steps are the turn's own, taken once for each activity.
    once: bool,
}

impl<'a> Over<'a> {
    fn new(inbox: &'a Inbox, running: &'a Running, promise: &Promise, response: &'a TurnResponse) -> Self {
        let arrived = running.arrived();
        Self {
            inbox,
            key: arrived.key.as_ref(),
            response,
            half: running.half,
            acknowledged: matches!(promise, Promise::Stored { .. }).then_some(arrived.number),
            once: true,
        }
    }

    /// There is nothing by which the activity could be recognised, nor a row of it.
    fn is_nothing(&self) -> bool {
        self.key.is_none() && self.acknowledged.is_none()
    }

    fn record(&self) -> (Record, Noted) {
        self.inbox
            .record(self.key, self.response, self.half, self.acknowledged)
    }

    /// Fails if another node has committed the turn of the activity.
    async fn check_first(&self) -> Result<()> {
        match self.key {
            Some(key) if self.inbox.is_shared() => match self.inbox.find_turn(key).await? {
                Known::Answered(_) => Err(Superseded.into()),
                Known::No | Known::Half(_) => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// The row that says that the steps are committed.
    fn take_half(&mut self) -> Option<(Record, Noted)> {
        let (record, noted, number) = self.inbox.half_record(self.key?);
        self.half = Some(number);
        Some((record, noted))
    }

    async fn commit(&self) -> Result<()> {
        let (record, noted) = self.record();
        self.inbox.write(record).await?;
        self.inbox.committed(noted);
        Ok(())
    }
}

/// Documents and steps in one commit, tried again when somebody else wrote one of the documents meanwhile.
async fn keep_together(
    database: &Database,
    states: &mut [StateDocument],
    batch: Batch,
    over: Option<&Over<'_>>,
) -> Result<()> {
    if states.is_empty() {
        database.commit(batch).await?;
        return Ok(());
    }
    let Batch { documents, steps } = batch;
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
        // Merging with what this activity itself has changed, on another node, would change it twice.
        if let Some(over) = over {
            over.check_first().await?;
        }
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

/// Steps that stay with the turn, for the transaction after the one that was undone.
struct Shared(Arc<Mutex<Vec<Box<dyn Step>>>>);

impl Step for Shared {
    fn write(&mut self, tx: &Tx<'_>) -> Result<(), StoreError> {
        let mut steps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        steps.iter_mut().try_for_each(|step| step.write(tx))
    }
}
