//! The live sockets: one per conversation, and how news reaches it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;

/// How many passing activities (`typing`) may wait for a slow socket; further ones are dropped.
const PASSING_QUEUE: usize = 16;

/// An activity that no history keeps: shown to whoever is connected, after everything up to `position`.
#[derive(Debug)]
pub(crate) struct Passing {
    pub(crate) position: i64,
    pub(crate) body: String,
}

/// The sockets of this process.
#[derive(Debug)]
pub(crate) struct LiveSockets {
    /// By the number of the conversation.
    sockets: Mutex<HashMap<i64, Live>>,
    signed_on: Notify,
    seats: Arc<Semaphore>,
    generations: std::sync::atomic::AtomicU64,
}

#[derive(Debug)]
struct Live {
    generation: u64,
    collision: CancellationToken,
    committed: watch::Sender<i64>,
    passing: mpsc::Sender<Passing>,
}

/// What the task of one socket holds. Dropping it signs the socket off.
pub(crate) struct Seat {
    sockets: Arc<LiveSockets>,
    conversation: i64,
    generation: u64,
    /// Ends when a newer socket took the conversation over.
    pub(crate) collision: CancellationToken,
    /// The newest committed position that is known of.
    pub(crate) committed: watch::Receiver<i64>,
    pub(crate) passing: mpsc::Receiver<Passing>,
    _permit: OwnedSemaphorePermit,
}

impl LiveSockets {
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            sockets: Mutex::default(),
            signed_on: Notify::new(),
            seats: Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))),
            generations: std::sync::atomic::AtomicU64::new(0),
        })
    }

    /// A free place, or `None` when there are as many sockets as allowed.
    pub(crate) fn reserve(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.seats).try_acquire_owned().ok()
    }

    /// Signs a socket on; the conversation's older socket is told of the collision. From here on, no commit
    /// goes unnoticed.
    pub(crate) fn sign_on(self: &Arc<Self>, conversation: i64, permit: OwnedSemaphorePermit) -> Seat {
        let generation = self
            .generations
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let collision = CancellationToken::new();
        let (committed_tx, committed) = watch::channel(0);
        let (passing_tx, passing) = mpsc::channel(PASSING_QUEUE);
        let live = Live {
            generation,
            collision: collision.clone(),
            committed: committed_tx,
            passing: passing_tx,
        };
        if let Some(older) = self.lock().insert(conversation, live) {
            older.collision.cancel();
        }
        self.signed_on.notify_one();
        Seat {
            sockets: Arc::clone(self),
            conversation,
            generation,
            collision,
            committed,
            passing,
            _permit: permit,
        }
    }

    /// Wakes the conversation's socket: history has been committed up to this position.
    pub(crate) fn committed(&self, conversation: i64, position: i64) {
        if let Some(live) = self.lock().get(&conversation) {
            live.committed.send_if_modified(|known| {
                let newer = position > *known;
                *known = position.max(*known);
                newer
            });
        }
    }

    /// Shows a passing activity to the conversation's socket, if there is one with room for it.
    pub(crate) fn pass(&self, conversation: i64, passing: Passing) {
        if let Some(live) = self.lock().get(&conversation) {
            let _no_room = live.passing.try_send(passing);
        }
    }

    /// The conversations that somebody listens to.
    pub(crate) fn conversations(&self) -> Vec<i64> {
        self.lock().keys().copied().collect()
    }

    /// Returns once somebody listens.
    pub(crate) async fn somebody_listens(&self) {
        while self.lock().is_empty() {
            self.signed_on.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<i64, Live>> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut sockets = self.sockets.lock();
        if sockets
            .get(&self.conversation)
            .is_some_and(|live| live.generation == self.generation)
        {
            sockets.remove(&self.conversation);
        }
    }
}
