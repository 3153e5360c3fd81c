use std::sync::atomic::{AtomicU64, Ordering};

/// Counts of a [`Database`](crate::Database) since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Durable commits. `operations / commits` is how many callers shared one.
    pub commits: u64,
    /// Operations that were committed.
    pub operations: u64,
    /// Operations that failed, whether alone or with their transaction.
    pub failures: u64,
    /// Reads that were run.
    pub reads: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    commits: AtomicU64,
    operations: AtomicU64,
    failures: AtomicU64,
    reads: AtomicU64,
}

impl Counters {
    /// Counts operations that were run, of which `committed` share one commit.
    pub(super) fn ran(&self, operations: usize, committed: usize) {
        if committed > 0 {
            self.commits.fetch_add(1, Ordering::Relaxed);
        }
        self.operations.fetch_add(committed as u64, Ordering::Relaxed);
        self.failures
            .fetch_add((operations - committed) as u64, Ordering::Relaxed);
    }

    pub(super) fn read(&self) {
        self.reads.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn stats(&self) -> Stats {
        Stats {
            commits: self.commits.load(Ordering::Relaxed),
            operations: self.operations.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            reads: self.reads.load(Ordering::Relaxed),
        }
    }
}
