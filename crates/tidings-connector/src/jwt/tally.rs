//! How often which verdict was given.

use std::sync::atomic::{AtomicU64, Ordering};

use super::caller::{Caller, CallerKind};
use super::refusal::{Refusal, RefusalReason};

/// How many requests were let in and how many were not, since the authenticator was made: for metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerdictCounts {
    /// By kind of caller, each kind once.
    pub accepted: [(CallerKind, u64); CallerKind::ALL.len()],
    /// By reason, each reason once.
    pub refused: [(RefusalReason, u64); RefusalReason::ALL.len()],
}

/// The counters behind [`VerdictCounts`].
#[derive(Debug, Default)]
pub(super) struct Tally {
    accepted: [AtomicU64; CallerKind::ALL.len()],
    refused: [AtomicU64; RefusalReason::ALL.len()],
}

impl Tally {
    pub(super) fn note(&self, verdict: &Result<Caller, Refusal>) {
        let counter = match verdict {
            Ok(caller) => &self.accepted[caller.kind as usize],
            Err(refusal) => &self.refused[refusal.reason() as usize],
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn counts(&self) -> VerdictCounts {
        VerdictCounts {
            accepted: CallerKind::ALL
                .map(|kind| (kind, self.accepted[kind as usize].load(Ordering::Relaxed))),
            refused: RefusalReason::ALL
                .map(|reason| (reason, self.refused[reason as usize].load(Ordering::Relaxed))),
        }
    }
}
