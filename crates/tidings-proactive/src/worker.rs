//! Sends what is owed.
//!
//! A slot is the right to send one delivery at a time; there are as many as `ProactiveOptions::concurrency`. The
//! usual way of a delivery never touches the table a second time before it is sent: the call that puts it on
//! record takes a slot, claims it in the same commit and sends it in the same task (`commit`). Only when
//! no slot is free, no worker runs, or the conversation has something waiting, is it left for the table, which
//! `run` polls and from which the commit that settles deliveries (`settle`) takes the next ones.
//! Nothing is sent inside a transaction.

mod attempt;
mod settle;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tidings_store::rusqlite::Connection;
use tidings_store::{Clock, Database, StoreError};
use tokio::sync::{Mutex as AsyncMutex, Notify, OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::channel::Channel;
use crate::error::ProactiveError;
use crate::ledger::{self, Claimed};
use crate::proactive::ProactiveOptions;
use crate::stats::EngineCounters;

use settle::{Settling, Tried};

/// A wake-up comes before the rows are visible to readers, so it claims without looking, this many.
const CLAIM_ON_WAKE: usize = 8;

pub(crate) struct Worker {
    pub(crate) db: Database,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) options: ProactiveOptions,
    pub(crate) counters: Arc<EngineCounters>,
    /// What `run` was given, while it is running; slots are given out only then.
    open: Mutex<Option<Open>>,
    slots: Arc<Semaphore>,
    running: AsyncMutex<()>,
    wake: Notify,
    /// There may be deliveries in the table that are due and found no free slot.
    missed: AtomicBool,
    settling: Settling,
    changed: watch::Sender<u64>,
}

struct Open {
    channel: Arc<dyn Channel>,
    shutdown: CancellationToken,
}

/// The right to send.
struct Slot {
    channel: Arc<dyn Channel>,
    worker: Arc<Worker>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Drop for Slot {
    /// Whoever found no slot while this one was held finds it now.
    fn drop(&mut self) {
        drop(self.permit.take());
        if self.worker.missed.load(Ordering::Relaxed) && self.worker.missed.swap(false, Ordering::AcqRel) {
            self.worker.wake();
        }
    }
}

impl Worker {
    pub(crate) fn new(db: Database, clock: Arc<dyn Clock>, options: ProactiveOptions) -> Self {
        Worker {
            db,
            clock,
            open: Mutex::new(None),
            slots: Arc::new(Semaphore::new(options.concurrency)),
            options,
            counters: Arc::default(),
            running: AsyncMutex::new(()),
            wake: Notify::new(),
            missed: AtomicBool::new(false),
            settling: Settling::default(),
            changed: watch::Sender::new(0),
        }
    }

    /// Bumped after every commit that changed a job or a delivery.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Has `run` look at the table soon; may be called before the commit.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Runs `change` in a commit of the database. It is told whether it may claim the delivery it puts on
    /// record; one that it claims is sent from here as soon as the commit is durable.
    pub(crate) async fn commit<T: Send + 'static>(
        self: &Arc<Self>,
        change: impl FnOnce(&Connection, bool) -> Result<(T, Option<Claimed>), StoreError> + Send + 'static,
    ) -> Result<T, ProactiveError> {
        // In a task of its own: if the caller is dropped while it waits, the claimed delivery still has an owner.
        let (answer, answered) = oneshot::channel();
        let worker = Arc::clone(self);
        tokio::spawn(async move {
            let here = Arc::clone(&worker);
            let committed = worker
                .db
                .write(move |tx| {
                    // Taken only now, so that nobody holds a slot while he waits for the writer.
                    let slot = here.slot();
                    let (value, claimed) = change(tx, slot.is_some())?;
                    Ok((value, slot, claimed))
                })
                .await;
            let (value, slot, claimed) = match committed {
                Ok(committed) => committed,
                Err(error) => return drop(answer.send(Err(error))),
            };
            worker.bump();
            let _ = answer.send(Ok(value));
            match (slot, claimed) {
                (Some(slot), Some(claimed)) => worker.send_here(slot, claimed, 0).await,
                (Some(_), None) => {}
                (None, _) => {
                    worker.missed.store(true, Ordering::Release);
                    worker.wake();
                }
            }
        });
        match answered.await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(ProactiveError::Interrupted),
        }
    }

    /// Sends until `shutdown`, then waits for what is being sent.
    pub(crate) async fn run(
        self: &Arc<Self>,
        channel: Arc<dyn Channel>,
        shutdown: CancellationToken,
    ) -> Result<(), ProactiveError> {
        let _running = self
            .running
            .try_lock()
            .map_err(|_| ProactiveError::AlreadyRunning)?;
        // A run that was dropped instead of stopped may still have deliveries in flight: those are not taken back.
        self.all_slots_are_back().await;
        let now = self.clock.now();
        let taken_back = self.db.write(move |tx| ledger::recover(tx, now)).await?;
        if taken_back > 0 {
            tracing::info!(
                deliveries = taken_back,
                "sending again what was being sent when the process ended"
            );
        }
        *self.open() = Some(Open {
            channel,
            shutdown: shutdown.clone(),
        });
        let open = CloseOnDrop(self);
        let mut woken = true;
        loop {
            let pause = match self.poll(woken).await {
                Ok(pause) => pause,
                Err(error) => {
                    tracing::error!(%error, "the deliveries cannot be claimed; trying again");
                    self.options.poll_every
                }
            };
            woken = tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                () = self.wake.notified() => true,
                () = tokio::time::sleep(pause) => false,
            };
        }
        drop(open);
        self.all_slots_are_back().await;
        Ok(())
    }

    /// Waits until every delivery in flight is settled.
    async fn all_slots_are_back(&self) {
        let all = u32::try_from(self.options.concurrency).unwrap_or(u32::MAX);
        let _ = self.slots.acquire_many(all).await;
    }

    /// Claims what is due for the free slots and returns how long to wait before the next look.
    async fn poll(self: &Arc<Self>, woken: bool) -> Result<Duration, StoreError> {
        let mut unseen = woken;
        loop {
            let now = self.clock.now();
            let free = self.slots.available_permits();
            if free == 0 {
                // The tasks that hold the slots take the next delivery themselves.
                self.missed.store(true, Ordering::Release);
                return Ok(self.options.poll_every);
            }
            let due = self.db.read(move |conn| ledger::due(conn, now, free)).await?;
            let wanted = if unseen {
                due.count.max(CLAIM_ON_WAKE)
            } else {
                due.count
            };
            unseen = false;
            if wanted == 0 {
                let until = due.next.map(|next| next.duration_since(now).unsigned_abs());
                return Ok(until.map_or(self.options.poll_every, |until| {
                    until.min(self.options.poll_every)
                }));
            }
            let slots: Vec<Slot> = std::iter::from_fn(|| self.slot())
                .take(wanted.min(free))
                .collect();
            if due.count >= free {
                // The tasks that hold the slots look for the rest.
                self.missed.store(true, Ordering::Release);
            }
            if slots.is_empty() {
                return Ok(self.options.poll_every);
            }
            let limit = slots.len();
            let claimed = self.db.write(move |tx| ledger::claim_due(tx, now, limit)).await?;
            for (slot, delivery) in slots.into_iter().zip(claimed) {
                self.send(slot, delivery, 0);
            }
        }
    }

    /// Sends a delivery in a task of its own.
    fn send(self: &Arc<Self>, slot: Slot, delivery: Claimed, in_a_row: u32) {
        let worker = Arc::clone(self);
        tokio::spawn(async move { worker.send_here(slot, delivery, in_a_row).await });
    }

    async fn send_here(self: &Arc<Self>, slot: Slot, delivery: Claimed, in_a_row: u32) {
        let ending = self.attempt(&*slot.channel, &delivery).await;
        self.settle(Tried::new(slot, delivery, ending, in_a_row)).await;
    }

    /// When a delivery put on record now expires.
    pub(crate) fn expiry(&self) -> Timestamp {
        self.clock
            .now()
            .checked_add(self.options.expires_after)
            .unwrap_or(Timestamp::MAX)
    }

    pub(crate) fn bump(&self) {
        self.changed
            .send_modify(|version| *version = version.wrapping_add(1));
    }

    fn open(&self) -> MutexGuard<'_, Option<Open>> {
        // No code of others runs under the lock.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_open(&self) -> bool {
        self.open()
            .as_ref()
            .is_some_and(|open| !open.shutdown.is_cancelled())
    }

    /// A free slot, if a worker runs. Taken under the lock, so that none is given out once `run` waits for all.
    fn slot(self: &Arc<Self>) -> Option<Slot> {
        let open = self.open();
        let open = open.as_ref().filter(|open| !open.shutdown.is_cancelled())?;
        let permit = Arc::clone(&self.slots).try_acquire_owned().ok()?;
        Some(Slot {
            channel: Arc::clone(&open.channel),
            worker: Arc::clone(self),
            permit: Some(permit),
        })
    }
}

/// Closes the worker when `run` ends, also when it is dropped.
struct CloseOnDrop<'a>(&'a Worker);

impl Drop for CloseOnDrop<'_> {
    fn drop(&mut self) {
        *self.0.open() = None;
    }
}
