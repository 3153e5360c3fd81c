//! Claims of which nobody knows whether they were kept, because the database went away while it committed them.
//!
//! The lane may be this process's, which goes on renewing its lease, while no task has it: nobody would ever send in it
//! again. So once every slot is back, and with it every claim that a task knows of, whatever is still claimed is put back.

use std::pin::pin;
use std::sync::atomic::Ordering;

use tidings_store::{StoreError, StoreErrorKind};

use super::Worker;
use super::lease::Lease;
use crate::ledger::{self, NodeId};

impl Worker {
    /// A commit that may have claimed lanes failed.
    pub(super) fn claims_failed(&self, error: &StoreError) {
        if error.kind() == StoreErrorKind::Unknown {
            self.in_doubt.store(true, Ordering::Release);
            self.wake();
        }
    }

    /// Whether slots have to come back before anything more is claimed with them.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.in_doubt.load(Ordering::Acquire)
    }

    /// Waits for every slot and puts back what is claimed nevertheless. It was not sent: whoever sends has a slot.
    pub(super) async fn end_doubt(&self, node: NodeId, lease: &Lease) -> Result<(), StoreError> {
        let all = u32::try_from(self.options.concurrency).unwrap_or(u32::MAX);
        let slots = {
            let mut back = pin!(self.slots.acquire_many(all));
            loop {
                tokio::select! {
                    biased;
                    slots = &mut back => break slots,
                    // What is being sent still needs the lease.
                    () = tokio::time::sleep_until(lease.renew_at()) => self.renew(node, lease).await?,
                }
            }
        };
        let put_back = self
            .write(move |tx, now| ledger::put_back_all(tx, node, now))
            .await?;
        self.in_doubt.store(false, Ordering::Release);
        if put_back > 0 {
            tracing::warn!(
                lanes = put_back,
                "put back conversations that were claimed in commits of which the answer was lost; nothing was sent there"
            );
            self.wake();
        }
        drop(slots);
        Ok(())
    }
}
