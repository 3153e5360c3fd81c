//! Recording how deliveries ended.
//!
//! Outcomes gather until the writer comes to the operation that records them, and share it: however many deliveries end
//! while a commit runs, the next one settles them all, by one operation and one task.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tidings_store::StoreError;
use tidings_store::rusqlite::Connection;

use super::{Slot, Worker};
use crate::ledger::{self, Claimed, Ending, Next, Outcome};

/// After so many deliveries of one lane whatever is due longest goes first.
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
    pub(super) fn new(slot: Slot, delivery: Claimed, ending: Ending, in_a_row: u32) -> Self {
        Self {
            slot,
            outcome: Outcome {
                id: delivery.id,
                channel_id: delivery.channel_id,
                conversation_id: delivery.conversation_id,
                ending,
            },
            in_a_row,
            refused: false,
        }
    }
}

/// What waits to be recorded.
#[derive(Default)]
pub(super) struct Settling(Mutex<Vec<Tried>>);

impl Settling {
    /// Adds one; true if it is the first, and the caller has to see to it that all are recorded.
    fn put(&self, tried: Tried) -> bool {
        let mut waiting = lock(&self.0);
        waiting.push(tried);
        waiting.len() == 1
    }

    fn take(&self) -> Vec<Tried> {
        std::mem::take(&mut *lock(&self.0))
    }
}

fn lock(tried: &Mutex<Vec<Tried>>) -> MutexGuard<'_, Vec<Tried>> {
    tried.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Worker {
    /// Records an outcome, or leaves it to the operation that waits for the writer already.
    pub(super) async fn settle(self: &Arc<Self>, tried: Tried) {
        if self.settling.put(tried) {
            self.settle_all(None).await;
        }
    }

    /// Records `one`, or else all that has gathered when the writer comes to it, and sends on.
    async fn settle_all(self: &Arc<Self>, one: Option<Tried>) {
        // Shared, because of an operation that fails nothing comes back.
        let tried = Arc::new(Mutex::new(Vec::from_iter(one)));
        let claims = {
            let (worker, tried) = (Arc::clone(self), Arc::clone(&tried));
            self.db
                .write(move |tx| {
                    let mut tried = lock(&tried);
                    if tried.is_empty() {
                        *tried = worker.settling.take();
                    }
                    worker.record(tx, &tried)
                })
                .await
        };
        let mut tried = std::mem::take(&mut *lock(&tried));
        if tried.is_empty() {
            // The writer did not come to it.
            tried = self.settling.take();
        }
        match claims {
            Ok(claims) => {
                self.bump();
                for (tried, claim) in tried.into_iter().zip(claims) {
                    if let Some(next) = claim {
                        let same_lane = next.conversation_id == tried.outcome.conversation_id
                            && next.channel_id == tried.outcome.channel_id;
                        let in_a_row = if same_lane { tried.in_a_row + 1 } else { 0 };
                        self.send(tried.slot, next, in_a_row);
                    }
                }
            }
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

    fn record(&self, tx: &Connection, tried: &[Tried]) -> Result<Vec<Option<Claimed>>, StoreError> {
        let is_open = self.is_open();
        let outcomes = tried.iter().map(|tried| {
            let next = match is_open {
                false => Next::Stop,
                true if tried.in_a_row + 1 >= SAME_LANE_IN_A_ROW => Next::AnyLane,
                true => Next::SameLane,
            };
            (&tried.outcome, next)
        });
        // Slots become free here: what was left for the table because there was none is taken up.
        let look = self.missed.swap(false, Ordering::AcqRel);
        let settled = ledger::settle_all(tx, outcomes, self.clock.now(), look);
        if look
            && settled
                .as_ref()
                .map_or(true, |settled| settled.from_the_table > 0)
        {
            self.missed.store(true, Ordering::Release);
        }
        Ok(settled?.claims)
    }

    /// As long as the row stays claimed, nothing of its conversation can overtake it or repeat it.
    fn settle_again(self: &Arc<Self>, mut tried: Tried, error: &StoreError) {
        if !std::mem::replace(&mut tried.refused, true) {
            tracing::error!(delivery.id = %tried.outcome.id, %error, "the outcome of a delivery cannot be recorded; trying again");
        }
        if self.is_open() {
            let worker = Arc::clone(self);
            tokio::spawn(async move {
                tokio::time::sleep(AGAIN_AFTER).await;
                worker.settle(tried).await;
            });
        }
        // Else it stays `sending`; the next start sends it again and notes that it may be a repeat.
    }
}
