//! Recording how deliveries ended.
//!
//! Whoever has an outcome and finds nobody recording records it, and then all that came meanwhile in one commit.
//! So the outcomes of a busy moment share one operation of the writer, and no task waits only for its own.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tidings_store::StoreError;

use super::{Slot, Worker};
use crate::ledger::{self, Claimed, Ending, Next, Outcome};

/// After so many deliveries of one lane whatever is due longest goes first.
const SAME_LANE_IN_A_ROW: u32 = 16;

/// How long an outcome that the database refused waits before it is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// A delivery that was tried, and the slot it was tried on.
pub(super) struct Tried {
    slot: Slot,
    outcome: Arc<Outcome>,
    in_a_row: u32,
    refused: bool,
}

impl Tried {
    pub(super) fn new(slot: Slot, delivery: Claimed, ending: Ending, in_a_row: u32) -> Self {
        Self {
            slot,
            outcome: Arc::new(Outcome {
                id: delivery.id,
                channel_id: delivery.channel_id,
                conversation_id: delivery.conversation_id,
                ending,
            }),
            in_a_row,
            refused: false,
        }
    }
}

/// What waits to be recorded.
#[derive(Default)]
pub(super) struct Settling(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    tried: Vec<Tried>,
    somebody_records: bool,
}

impl Settling {
    /// Adds one; true if the caller has to record.
    fn put(&self, tried: Tried) -> bool {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.tried.push(tried);
        !std::mem::replace(&mut waiting.somebody_records, true)
    }

    /// All that waits; `None` ends the caller's duty.
    fn take(&self) -> Option<Vec<Tried>> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.tried.is_empty() {
            waiting.somebody_records = false;
            return None;
        }
        Some(std::mem::take(&mut waiting.tried))
    }
}

impl Worker {
    /// Records an outcome, or leaves it to the task that records already.
    pub(super) async fn settle(self: &Arc<Self>, tried: Tried) {
        if self.settling.put(tried) {
            while let Some(batch) = self.settling.take() {
                self.settle_all(batch).await;
            }
        }
    }

    async fn settle_all(self: &Arc<Self>, batch: Vec<Tried>) {
        let is_open = self.is_open();
        match self.record(&batch, is_open).await {
            Ok(claims) => {
                self.bump();
                for (tried, claim) in batch.into_iter().zip(claims) {
                    if let Some(next) = claim {
                        let same_lane = next.conversation_id == tried.outcome.conversation_id;
                        let in_a_row = if same_lane { tried.in_a_row + 1 } else { 0 };
                        self.send(tried.slot, next, in_a_row);
                    }
                }
            }
            // Perhaps only one of them is refused.
            Err(_) if batch.len() > 1 => {
                for tried in batch {
                    Box::pin(self.settle_all(vec![tried])).await;
                }
            }
            Err(error) => {
                for tried in batch {
                    self.settle_again(tried, &error, is_open);
                }
            }
        }
    }

    async fn record(&self, batch: &[Tried], is_open: bool) -> Result<Vec<Option<Claimed>>, StoreError> {
        let outcomes: Vec<(Arc<Outcome>, Next)> = batch
            .iter()
            .map(|tried| {
                let next = match is_open {
                    false => Next::Stop,
                    true if tried.in_a_row + 1 >= SAME_LANE_IN_A_ROW => Next::AnyLane,
                    true => Next::SameLane,
                };
                (Arc::clone(&tried.outcome), next)
            })
            .collect();
        // Slots become free here. What was left for the table because there was none is taken up in the same commit.
        let look = self.missed.swap(false, Ordering::AcqRel);
        let now = self.clock.now();
        let settled = self
            .db
            .write(move |tx| {
                let outcomes = outcomes.iter().map(|(outcome, next)| (&**outcome, *next));
                ledger::settle_all(tx, outcomes, now, look)
            })
            .await;
        let found_more = match &settled {
            Ok(settled) => settled.from_the_table > 0,
            Err(_) => true,
        };
        if look && found_more {
            self.missed.store(true, Ordering::Release);
        }
        settled.map(|settled| settled.claims)
    }

    /// As long as the row stays claimed, nothing of its conversation can overtake it or repeat it.
    fn settle_again(self: &Arc<Self>, mut tried: Tried, error: &StoreError, is_open: bool) {
        if !std::mem::replace(&mut tried.refused, true) {
            tracing::error!(delivery.id = %tried.outcome.id, %error, "the outcome of a delivery cannot be recorded; trying again");
        }
        if is_open {
            let worker = Arc::clone(self);
            tokio::spawn(async move {
                tokio::time::sleep(AGAIN_AFTER).await;
                worker.settle(tried).await;
            });
        }
        // Else it stays `sending`; the next start sends it again and notes that it may be a repeat.
    }
}
