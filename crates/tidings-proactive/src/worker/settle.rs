//! Recording how deliveries ended.
//!
//! Outcomes gather until the writer comes to the operation that records them, and share it: however many deliveries end
//! while a commit runs, the next one settles them all, by one operation and one task. On PostgreSQL, which runs several
//! operations at once, the next begins only then.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tidings_store::{Dialect, StoreError, Tx};

use super::{Slot, Worker};
use crate::ledger::{self, Claimed, Next, Outcome, Settled};

/// After so many deliveries of one lane whatever is ready longest goes first.
const SAME_LANE_IN_A_ROW: u32 = 16;

/// How long an outcome that the database refused waits before it is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// A delivery that was tried, and the slot it was tried on.
pub(super) struct Tried {
    slot: Slot,
    outcome: Outcome,
    in_a_row: u32,
    refused: bool,
}

impl Tried {
    pub(super) fn new(slot: Slot, outcome: Outcome, in_a_row: u32) -> Self {
        Self {
            slot,
            outcome,
            in_a_row,
            refused: false,
        }
    }
}

/// What waits to be recorded.
#[derive(Default)]
pub(super) struct Settling(Mutex<Gathered>);

#[derive(Default)]
struct Gathered {
    waiting: Vec<Tried>,
    /// How many record what gathers, until nothing does.
    tending: u8,
}

/// So many operations record outcomes at the same time on PostgreSQL: what ends while one waits for its commit begins
/// the other, and they hold many each.
const TENDING: u8 = 2;

impl Settling {
    /// Adds one; true if the caller has to see to it that all are recorded.
    fn put(&self, tried: Tried, dialect: Dialect) -> bool {
        let mut gathered = lock(&self.0);
        gathered.waiting.push(tried);
        match dialect {
            Dialect::Sqlite => gathered.waiting.len() == 1,
            // There an operation would not wait for the commit of the one before it, and hold few.
            Dialect::Postgres => {
                let may_tend = gathered.tending < TENDING;
                gathered.tending += u8::from(may_tend);
                may_tend
            }
        }
    }

    fn take(&self) -> Vec<Tried> {
        std::mem::take(&mut lock(&self.0).waiting)
    }

    /// Whether more has gathered. If not, whoever puts the next sees to it.
    fn has_more(&self) -> bool {
        let mut gathered = lock(&self.0);
        let has_more = !gathered.waiting.is_empty();
        gathered.tending = gathered.tending.saturating_sub(u8::from(!has_more));
        has_more
    }

    /// What a run left behind that was dropped.
    pub(super) fn clear(&self) {
        let left = std::mem::take(&mut *lock(&self.0));
        drop(left);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a commit of outcomes did.
struct Recorded {
    /// In the order of the outcomes.
    settled: Vec<Settled>,
    /// Claimed for the slots that became free.
    from_the_table: VecDeque<Claimed>,
    /// Whether there may be more in the table, if it was looked at.
    missed: Option<bool>,
}

impl Worker {
    /// Records an outcome, or leaves it to the operation that waits for the writer already.
    pub(super) async fn settle(self: &Arc<Self>, tried: Tried) {
        let dialect = self.db.dialect();
        if self.settling.put(tried, dialect) {
            self.settle_all(None).await;
            while dialect == Dialect::Postgres && self.settling.has_more() {
                self.settle_all(None).await;
            }
        }
    }

    /// Records `one`, or else all that has gathered when the writer comes to it, and sends on.
    async fn settle_all(self: &Arc<Self>, one: Option<Tried>) {
        // Shared, because of an operation that fails nothing comes back.
        let tried = Arc::new(Mutex::new(Vec::from_iter(one)));
        let recorded = {
            let (worker, tried) = (Arc::clone(self), Arc::clone(&tried));
            self.db
                .write_repeatable(move |tx| {
                    let mut tried = lock(&tried);
                    if tried.is_empty() {
                        *tried = worker.settling.take();
                    }
                    worker.record(tx, &tried)
                })
                .await
        };
        let mut tried = std::mem::take(&mut *lock(&tried));
        if let Err(error) = &recorded {
            if tried.is_empty() {
                // No writer came to it.
                tried = self.settling.take();
            }
            self.claims_failed(error);
        }
        match recorded {
            Ok(recorded) => self.go_on(tried, recorded),
            // Perhaps only one of them is refused.
            Err(_) if tried.len() > 1 => {
                for one in tried {
                    Box::pin(self.settle_all(Some(one))).await;
                }
            }
            Err(error) => {
                for one in tried {
                    self.settle_again(one, &error);
                }
            }
        }
    }

    fn go_on(self: &Arc<Self>, tried: Vec<Tried>, mut recorded: Recorded) {
        self.bump();
        if let Some(missed) = recorded.missed {
            self.missed.store(missed, Ordering::Release);
        }
        self.look_in_time();
        for (tried, settled) in tried.into_iter().zip(recorded.settled) {
            match settled {
                Settled::Recorded(Some(next)) => self.send(tried.slot, *next, tried.in_a_row + 1),
                settled => {
                    if matches!(settled, Settled::LeaseLost) {
                        tracing::warn!(
                            delivery.id = %tried.outcome.claimed.id,
                            "the outcome of a delivery came after its conversation was taken over, and was not recorded"
                        );
                    }
                    if let Some(next) = recorded.from_the_table.pop_front() {
                        self.send(tried.slot, next, 0);
                    }
                }
            }
        }
    }

    fn record(&self, tx: &Tx<'_>, tried: &[Tried]) -> Result<Recorded, StoreError> {
        let Some(first) = tried.first() else {
            return Ok(Recorded {
                settled: Vec::new(),
                from_the_table: VecDeque::new(),
                missed: None,
            });
        };
        // A slot of an earlier run settles what it has, and takes on nothing.
        let open = self.open_node();
        let in_doubt = self.is_in_doubt();
        let takes_on = |tried: &Tried| !in_doubt && open == Some(tried.slot.node) && tried.slot.lease.holds();
        let outcomes = tried.iter().map(|tried| {
            let goes_on = tried.in_a_row + 1 < SAME_LANE_IN_A_ROW && takes_on(tried);
            let next = if goes_on { Next::SameLane } else { Next::AnyLane };
            (&tried.outcome, next)
        });
        let now = self.clock.now();
        let claiming = self.claiming(open.unwrap_or(first.slot.node));
        let gave_way = tried.iter().any(|tried| tried.in_a_row + 1 >= SAME_LANE_IN_A_ROW);
        let settled = ledger::settle_all(tx, outcomes, now, claiming)?;
        let mut from_the_table = VecDeque::new();
        let mut missed = None;
        let free = settled
            .iter()
            .filter(|settled| !matches!(settled, Settled::Recorded(Some(_))))
            .count();
        // Slots become free here: what was left for the table because there was none is taken up.
        if free > 0 && tried.iter().all(takes_on) && (gave_way || self.missed.load(Ordering::Acquire)) {
            let released = ledger::release_due(tx, now)?;
            let ready = ledger::claim_ready(tx, claiming, now, free)?;
            missed = Some(released.more || ready.more);
            from_the_table = ready.claimed.into();
        }
        Ok(Recorded {
            settled,
            from_the_table,
            missed,
        })
    }

    /// As long as the lane stays claimed, nothing of its conversation can overtake it or repeat it.
    fn settle_again(self: &Arc<Self>, mut tried: Tried, error: &StoreError) {
        if !std::mem::replace(&mut tried.refused, true) {
            tracing::error!(delivery.id = %tried.outcome.claimed.id, %error, "the outcome of a delivery cannot be recorded; trying again");
        }
        if self.open_node() == Some(tried.slot.node) {
            let worker = Arc::clone(self);
            self.spawn(async move {
                tokio::time::sleep(AGAIN_AFTER).await;
                worker.settle(tried).await;
            });
        }
        // Else it stays `sending`; whoever takes the lane over sends it again and notes that it may be a repeat.
    }
}
