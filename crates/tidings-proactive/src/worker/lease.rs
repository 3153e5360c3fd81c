//! That this process is alive, as the others know it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tidings_store::StoreError;
use tokio::time::Instant;

use super::Worker;
use crate::error::ProactiveError;
use crate::ledger::{self, NodeId};

/// How long the lease of a process lasts, by its own monotonic clock. A process that slept through its end must not
/// send: another may have its lanes.
#[derive(Clone, Debug)]
pub(crate) struct Lease {
    length: Duration,
    renewed_at: Arc<Mutex<Option<Instant>>>,
}

impl Lease {
    fn new(length: Duration, renewed_at: Instant) -> Self {
        Self {
            length,
            renewed_at: Arc::new(Mutex::new(Some(renewed_at))),
        }
    }

    /// Renewed by a write that began then.
    fn renewed(&self, at: Instant) {
        *self.lock() = Some(at);
    }

    /// Others have declared this process dead.
    fn lose(&self) {
        *self.lock() = None;
    }

    /// Whether there is time to call a channel before the lease ends, with a margin of a fifth.
    pub(super) fn holds(&self) -> bool {
        let renewed_at = *self.lock();
        renewed_at.is_some_and(|at| at.elapsed() < self.length * 4 / 5)
    }

    /// How long to wait after a renewal that failed before the next.
    pub(super) fn patience(&self) -> Duration {
        self.length / 10
    }

    pub(super) fn renew_at(&self) -> Instant {
        let renewed_at = *self.lock();
        renewed_at.map_or_else(Instant::now, |at| at + self.length / 3)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.renewed_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Worker {
    /// Registers this process as a node.
    pub(super) async fn join(&self) -> Result<(NodeId, Lease), ProactiveError> {
        let began = Instant::now();
        let (name, length) = (self.options.node.clone(), self.options.lease);
        let node = self
            .write(move |tx, now| ledger::register(tx, &name, now, length))
            .await?;
        if !self.options.shared {
            self.write(ledger::end_own_waits).await?;
        }
        self.read_rules().await?;
        Ok((node, Lease::new(length, began)))
    }

    /// Renews the lease.
    pub(super) async fn renew(&self, node: NodeId, lease: &Lease) -> Result<(), StoreError> {
        let began = Instant::now();
        let length = lease.length;
        let is_known = self
            .write(move |tx, now| ledger::heartbeat(tx, node, now, length))
            .await?;
        if !is_known {
            tracing::warn!(
                node = node.0,
                "other processes took this one for dead and have its conversations; it joins anew"
            );
            lease.lose();
            self.rejoin(node, lease).await?;
        }
        lease.renewed(began);
        self.read_rules().await
    }

    /// The row is gone, but what this process has under way knows its node by that id: it is put back.
    async fn rejoin(&self, node: NodeId, lease: &Lease) -> Result<(), StoreError> {
        let (name, length) = (self.options.node.clone(), lease.length);
        self.write(move |tx, now| ledger::register_again(tx, node, &name, now, length))
            .await
    }

    pub(crate) async fn read_rules(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let rules = self.db.read(move |tx| ledger::load_rules(tx, now)).await?;
        self.terms().rules = rules;
        Ok(())
    }
}
