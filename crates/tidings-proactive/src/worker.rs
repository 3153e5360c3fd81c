//! Sends what is owed.
//!
//! A slot is the right to send one delivery at a time; there are as many as `ProactiveOptions::concurrency`. The
//! usual way of a delivery never touches the table a second time before it is sent: the call that puts it on
//! record takes a slot, claims its lane in the same commit and sends it in the same task (`commit`). Only when
//! no slot is free, no worker runs, or the conversation has something waiting, is it left for the table, which
//! `run` polls and from which the commit that settles deliveries (`settle`) takes the next ones.
//! Nothing is sent inside a transaction.
//!
//! Every task that sends belongs to one `run`: when that is dropped, they end where they are, as in a crash.

mod attempt;
mod doubt;
mod housekeeping;
mod lease;
mod lookout;
mod settle;

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tidings_activity::ConversationReference;
use tidings_store::{Clock, Database, StoreError, Tx};
use tokio::sync::{Mutex as AsyncMutex, Notify, OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::backlog_bounds::BacklogBounds;
use crate::channel::Channel;
use crate::closed_lanes::ClosedLanes;
use crate::error::ProactiveError;
use crate::handlers::Handlers;
use crate::ledger::{self, Allowance, Claimed, Claiming, NodeId};
use crate::proactive::ProactiveOptions;
use crate::state::DeliveryState;
use crate::stats::EngineCounters;
use crate::terms::{Terms, after_skew};

use housekeeping::Housekeeping;
use lease::Lease;
use lookout::Lookout;
use settle::{Settling, Tried};

/// How long to wait for lanes that another node's transaction has in hand.
const IN_HAND: Duration = Duration::from_millis(5);

pub(crate) struct Worker {
    pub(crate) db: Database,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) options: ProactiveOptions,
    pub(crate) handlers: Handlers,
    pub(crate) counters: Arc<EngineCounters>,
    /// What `run` was given, while it is running; slots are given out only then.
    open: Mutex<Option<Open>>,
    slots: Arc<Semaphore>,
    running: AsyncMutex<()>,
    wake: Notify,
    /// When `run` looks at the table by itself, in Unix microseconds; `i64::MAX` while nobody knows.
    next_look: AtomicI64,
    /// There may be lanes in the table that are ready and found no free slot.
    missed: AtomicBool,
    /// Nobody knows whether a commit that claimed lanes was kept.
    in_doubt: AtomicBool,
    /// Limits or pauses on record have changed.
    rules_changed: AtomicBool,
    /// Something was put on record in a commit that may not be done yet.
    staged: AtomicBool,
    settling: Settling,
    terms: Mutex<Terms>,
    closed_lanes: ClosedLanes,
    pub(crate) backlog_bounds: BacklogBounds,
    changed: watch::Sender<u64>,
}

struct Open {
    channel: Arc<dyn Channel>,
    shutdown: CancellationToken,
    node: NodeId,
    lease: Lease,
    tasks: JoinSet<()>,
}

/// The right to send.
struct Slot {
    channel: Arc<dyn Channel>,
    worker: Arc<Worker>,
    node: NodeId,
    lease: Lease,
    permit: Option<OwnedSemaphorePermit>,
}

impl Drop for Slot {
    /// Whoever found no slot while this one was held finds it now.
    fn drop(&mut self) {
        drop(self.permit.take());
        // Pairs with that of `round`: either the slot is seen there, or the flag is seen here.
        fence(Ordering::SeqCst);
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
            handlers: Handlers::default(),
            open: Mutex::new(None),
            slots: Arc::new(Semaphore::new(options.concurrency)),
            counters: Arc::default(),
            running: AsyncMutex::new(()),
            wake: Notify::new(),
            next_look: AtomicI64::new(i64::MAX),
            missed: AtomicBool::new(false),
            in_doubt: AtomicBool::new(false),
            rules_changed: AtomicBool::new(false),
            staged: AtomicBool::new(false),
            settling: Settling::default(),
            terms: Mutex::new(Terms::new(options.breaker)),
            closed_lanes: ClosedLanes::default(),
            backlog_bounds: BacklogBounds::new(
                options.max_backlog,
                options.max_tenant_backlog,
                options.shared,
            ),
            options,
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

    /// Something was put on record in somebody else's commit. Where that is the only writer, whoever looks at the table
    /// next comes after it; elsewhere [`committed`](Self::committed) says when it is done.
    pub(crate) fn staged(&self) {
        self.staged.store(true, Ordering::Release);
        self.wake();
    }

    /// Somebody else's commit is done.
    pub(crate) fn committed(&self) {
        if self.staged.load(Ordering::Relaxed) && self.staged.swap(false, Ordering::AcqRel) {
            self.wake();
            self.bump();
        }
    }

    /// Somebody speaks in the conversation: the channel takes something there.
    pub(crate) async fn is_spoken_to(&self, channel_id: &str, conversation_id: &str) {
        let closed = &self.closed_lanes;
        match closed
            .open(&self.db, self.options.shared, channel_id, conversation_id)
            .await
        {
            Ok(false) => {}
            Ok(true) => {
                tracing::info!(
                    channel.id = channel_id,
                    "a conversation that the channel had closed is open again: somebody spoke there"
                );
                self.bump();
            }
            Err(error) => {
                tracing::warn!(%error, "nobody knows whether the conversation of a turn is closed; it stays as it is");
            }
        }
    }

    /// After a commit: has `run` look in time at what got a time in it.
    fn look_in_time(&self) {
        let due = self.terms().take_due();
        if due.is_some_and(|due| due.as_microsecond() < self.next_look.load(Ordering::SeqCst)) {
            self.wake();
        }
    }

    /// Has `run` read limits and pauses again before it claims anything more.
    pub(crate) fn rules_changed(&self) {
        self.rules_changed.store(true, Ordering::Release);
        self.wake();
    }

    /// Runs `change` in a commit of the database, with the time at which it runs: a time from before it was handed over
    /// would be old where the database is slow, and pass for that of a clock which was set back. If it collides with
    /// others it runs again.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        mut change: impl FnMut(&Tx<'_>, Timestamp) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let clock = Arc::clone(&self.clock);
        self.db.write_repeatable(move |tx| change(tx, clock.now())).await
    }

    /// Runs `change` in such a commit, which may claim up to `most` of the deliveries that it puts on
    /// record. Those that it claims are sent from here as soon as the commit is durable.
    pub(crate) async fn commit<T: Send + 'static>(
        self: &Arc<Self>,
        most: usize,
        mut change: impl FnMut(&Tx<'_>, Timestamp, &mut Allowance<'_>) -> Result<(T, Vec<Claimed>), StoreError>
        + Send
        + 'static,
    ) -> Result<T, ProactiveError> {
        // In a task of its own: if the caller is dropped while it waits, what was claimed still has an owner.
        let (answer, answered) = oneshot::channel();
        let worker = Arc::clone(self);
        let owner = async move {
            let here = Arc::clone(&worker);
            let committed = worker
                .write(move |tx, now| {
                    // Taken only now, so that nobody holds a slot while he waits for the writer.
                    let slots: Vec<Slot> = here.slots(most);
                    let claiming = slots.first().map(|slot| here.claiming(slot.node));
                    let mut allowance = Allowance::new(Some(&here.backlog_bounds), claiming, slots.len());
                    let (value, claimed) = change(tx, now, &mut allowance)?;
                    Ok((value, slots, claimed, allowance.left()))
                })
                .await;
            let (value, slots, claimed, left) = match committed {
                Ok(committed) => committed,
                Err(error) => {
                    worker.claims_failed(&error);
                    return drop(answer.send(Err(error)));
                }
            };
            worker.bump();
            worker.look_in_time();
            let _ = answer.send(Ok(value));
            let mut claimed = slots.into_iter().zip(claimed);
            let first = claimed.next();
            for (slot, delivery) in claimed {
                worker.send(slot, delivery, 0);
            }
            if left {
                worker.missed.store(true, Ordering::Release);
                worker.wake();
            }
            if let Some((slot, delivery)) = first {
                worker.send_here(slot, delivery, 0).await;
            }
        };
        self.spawn(owner);
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
        let (node, lease) = self.join().await?;
        // Where no other process may have the database, whatever another has was left by one that is gone.
        let mut lookout = self.options.shared.then(|| Lookout::new(self.options.lease));
        match &mut lookout {
            Some(lookout) => self.look_around(node, lookout).await?,
            None => self.take_over_all(node).await?,
        }
        *self.open() = Some(Open {
            channel,
            shutdown: shutdown.clone(),
            node,
            lease: lease.clone(),
            tasks: JoinSet::new(),
        });
        let open = CloseOnDrop(self);
        let mut housekeeping = Housekeeping::new(self);
        let mut woken = true;
        let mut last = self.clock.now();
        loop {
            housekeeping.keep().await;
            self.next_look.store(i64::MAX, Ordering::SeqCst);
            let pause = match self.round(node, &lease, lookout.as_mut(), woken, &mut last).await {
                Ok(pause) => {
                    let looks = lookout.as_ref().map(Lookout::next);
                    let next = looks.map_or(lease.renew_at(), |looks| looks.min(lease.renew_at()));
                    pause.min(next.saturating_duration_since(Instant::now()))
                }
                Err(error) => {
                    tracing::error!(%error, "the deliveries cannot be claimed; trying again");
                    self.options.poll_every.min(lease.patience())
                }
            };
            let next_look = last.checked_add(pause).unwrap_or(Timestamp::MAX);
            self.next_look.store(next_look.as_microsecond(), Ordering::SeqCst);
            woken = tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                () = self.wake.notified() => true,
                () = tokio::time::sleep(pause) => false,
            };
        }
        // Whoever sends now still needs the lease.
        loop {
            tokio::select! {
                biased;
                () = self.all_slots_are_back() => break,
                () = tokio::time::sleep_until(lease.renew_at()) => {
                    if let Err(error) = self.renew(node, &lease).await {
                        tracing::error!(%error, "the lease of this process cannot be renewed; trying again");
                        tokio::time::sleep(self.options.poll_every.min(lease.patience())).await;
                    }
                }
            }
        }
        // Whoever still waits for a commit of his keeps waiting.
        if let Some(open) = &mut *self.open() {
            open.tasks.detach_all();
        }
        drop(open);
        self.db.write(move |tx| ledger::leave(tx, node)).await?;
        Ok(())
    }

    /// Waits until every delivery in flight is settled.
    async fn all_slots_are_back(&self) {
        let all = u32::try_from(self.options.concurrency).unwrap_or(u32::MAX);
        let _ = self.slots.acquire_many(all).await;
    }

    /// Keeps the lease, looks after the other processes, lets go what is due, claims for the free slots, and returns how
    /// long to wait before the next round, unless one of the first two comes earlier. `last` is when it looked the last
    /// time.
    async fn round(
        self: &Arc<Self>,
        node: NodeId,
        lease: &Lease,
        lookout: Option<&mut Lookout>,
        woken: bool,
        last: &mut Timestamp,
    ) -> Result<Duration, StoreError> {
        if lease.renew_at() <= Instant::now() {
            self.renew(node, lease).await?;
        }
        if let Some(lookout) = lookout.filter(|lookout| lookout.next() <= Instant::now()) {
            self.look_around(node, lookout).await?;
        }
        if self.is_in_doubt() {
            self.end_doubt(node, lease).await?;
        }
        if self.rules_changed.swap(false, Ordering::AcqRel) {
            let read = self.read_rules().await;
            read.inspect_err(|_| self.rules_changed.store(true, Ordering::Release))?;
        }
        // A wake-up comes before the rows are visible to readers, so the first look claims without asking.
        let mut look = woken;
        let mut woken_first = woken;
        let mut idle = false;
        loop {
            self.counters.cycle();
            // Each time: it may be set back between two looks of one round.
            let now = self.follow_the_clock(last).await?;
            if self.slots.available_permits() == 0 {
                // The tasks that hold the slots take the next delivery themselves.
                self.missed.store(true, Ordering::Release);
                fence(Ordering::SeqCst);
                if self.slots.available_permits() == 0 {
                    return Ok(self.options.poll_every);
                }
            }
            if !look {
                let next = self.db.read(ledger::next_due).await?;
                if next.is_none_or(|next| next > now) {
                    let until = next.map(|next| next.duration_since(now).unsigned_abs());
                    return Ok(until
                        .unwrap_or(self.options.poll_every)
                        .min(self.options.poll_every));
                }
                if idle {
                    // What is ready is in the hands of another transaction.
                    return Ok(IN_HAND);
                }
            }
            look = false;
            let slots = self.slots(usize::MAX);
            if slots.is_empty() {
                return Ok(self.options.poll_every);
            }
            // The slots go along, and come back when the commit is over, whoever waits for it then.
            let (here, mut slots) = (Arc::clone(self), Some(slots));
            let (slots, released, ready) = self
                .write(move |tx, now| {
                    let released = ledger::release_due(tx, now)?;
                    let free = slots.as_ref().map_or(0, Vec::len);
                    let ready = ledger::claim_ready(tx, here.claiming(node), now, free)?;
                    Ok((slots.take().unwrap_or_default(), released, ready))
                })
                .await
                .inspect_err(|error| self.claims_failed(error))?;
            let (claimed, more) = (ready.claimed, released.more || ready.more);
            if more {
                // The tasks that hold the slots look for the rest.
                self.missed.store(true, Ordering::Release);
            }
            idle = claimed.is_empty() && !more && !woken_first;
            woken_first = false;
            if released.changed || ready.changed {
                self.bump();
            }
            for (slot, delivery) in slots.into_iter().zip(claimed) {
                self.send(slot, delivery, 0);
            }
        }
    }

    /// A clock that was set back would have everything wait until it has caught up.
    async fn follow_the_clock(&self, last: &mut Timestamp) -> Result<Timestamp, StoreError> {
        let now = self.clock.now();
        if after_skew(now) < *last {
            tracing::warn!(clock.was = %last, clock.is = %now, "the clock was set back");
            let by = last.duration_since(now).unsigned_abs();
            let is_only_clock = !self.options.shared;
            self.write(move |tx, now| ledger::clock_was_set_back(tx, now, by, is_only_clock))
                .await?;
            self.read_rules().await?;
        }
        *last = now;
        Ok(now)
    }

    /// Sends a delivery in a task of its own.
    fn send(self: &Arc<Self>, slot: Slot, delivery: Claimed, in_a_row: u32) {
        let worker = Arc::clone(self);
        self.spawn(async move { worker.send_here(slot, delivery, in_a_row).await });
    }

    async fn send_here(self: &Arc<Self>, slot: Slot, delivery: Claimed, in_a_row: u32) {
        let in_flight = self.counters.sending();
        let outcome = self.attempt(&*slot.channel, &slot.lease, delivery).await;
        drop(in_flight);
        match outcome {
            Some(outcome) => self.settle(Tried::new(slot, outcome, in_a_row)).await,
            // Its handler's turn has settled it.
            None => {
                self.counters.attempted(None);
                self.counters.ended(DeliveryState::Delivered);
                self.bump();
                drop(slot);
                self.wake();
            }
        }
    }

    /// A task of the run, if there is one.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        // On its way into the runtime, and again when it ends, a task is copied several times over.
        let task = Box::pin(task);
        match &mut *self.open() {
            Some(open) => {
                while open.tasks.try_join_next().is_some() {}
                open.tasks.spawn(task);
            }
            None => drop(tokio::spawn(task)),
        }
    }

    /// The trace that a delivery put on record now goes on with.
    pub(crate) fn trace(&self) -> Option<String> {
        self.options.trace.as_ref().and_then(|carrier| carrier.current())
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

    pub(crate) fn terms(&self) -> MutexGuard<'_, Terms> {
        self.terms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn claiming(&self, node: NodeId) -> Claiming<'_> {
        Claiming {
            node,
            terms: &self.terms,
            counters: &self.counters,
        }
    }

    /// Whether the channel recognises repeats there; nobody knows before a worker runs.
    pub(crate) fn reconciles(&self, conversation: &ConversationReference) -> bool {
        let channel = self.open().as_ref().map(|open| Arc::clone(&open.channel));
        channel.is_some_and(|channel| channel.reconciles(conversation))
    }

    /// The node of the run that takes on deliveries.
    fn open_node(&self) -> Option<NodeId> {
        let open = self.open();
        let open = open.as_ref().filter(|open| !open.shutdown.is_cancelled());
        open.map(|open| open.node)
    }

    /// Up to `most` free slots, if a worker runs and its lease holds. Taken under the lock, so that none is given out
    /// once `run` waits for all.
    fn slots(self: &Arc<Self>, most: usize) -> Vec<Slot> {
        let open = self.open();
        let Some(open) = open
            .as_ref()
            .filter(|open| !open.shutdown.is_cancelled() && open.lease.holds())
        else {
            return Vec::new();
        };
        let slot = || {
            let permit = Arc::clone(&self.slots).try_acquire_owned().ok()?;
            Some(Slot {
                channel: Arc::clone(&open.channel),
                worker: Arc::clone(self),
                node: open.node,
                lease: open.lease.clone(),
                permit: Some(permit),
            })
        };
        std::iter::from_fn(slot).take(most).collect()
    }
}

/// Closes the worker when `run` ends, also when it is dropped; then what is being sent ends where it is.
struct CloseOnDrop<'a>(&'a Worker);

impl Drop for CloseOnDrop<'_> {
    fn drop(&mut self) {
        let closed = self.0.open().take();
        // Dropped outside of the lock: the tasks hold slots, whose drop may take it.
        drop(closed);
        self.0.settling.clear();
    }
}
