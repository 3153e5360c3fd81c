//! Forgetting what is long over.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Worker;
use crate::deliveries::Deliveries;
use crate::ledger::prune::Pruner;
use crate::proactive::Proactive;

const EVERY: Duration = Duration::from_secs(60);

/// Prunes once a minute, between two looks at what is ready.
pub(super) struct Housekeeping {
    deliveries: Deliveries,
    pruner: Pruner,
    next: Instant,
}

impl Housekeeping {
    pub(super) fn new(worker: &Arc<Worker>) -> Self {
        let proactive = Proactive {
            worker: Arc::clone(worker),
        };
        Self {
            pruner: Pruner::new(worker.options.retention),
            deliveries: proactive.deliveries(),
            next: Instant::now() + EVERY,
        }
    }

    pub(super) async fn keep(&mut self) {
        if Instant::now() < self.next {
            return;
        }
        self.next = Instant::now() + EVERY;
        match self.deliveries.prune(&mut self.pruner).await {
            Ok(pruned) if pruned.deliveries > 0 => {
                tracing::info!(
                    deliveries = pruned.deliveries,
                    lanes = pruned.lanes,
                    "forgot deliveries that ended longer ago than the retention"
                );
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%error, "what is long over cannot be deleted; trying again in a minute");
            }
        }
    }
}
