//! Which of the other processes are gone.
//!
//! A process changes its row with each renewal of its lease. Whoever looks remembers since when it has seen a row as it
//! is, by its own monotonic clock: the clocks of two nodes are never compared, so it does not matter what they say, nor
//! whether somebody sets them.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use tidings_store::{StoreError, Tx};
use tokio::time::Instant;

use super::Worker;
use crate::ledger::{self, LaneLimits, NodeId, SignOfLife, TakenOver};

/// A node that was silent for so much longer than its lease has no claim on its way any more. Until then its row stays: a
/// claim that it began before its lease ended may still be committed, and has to be found.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60);

/// What this process has seen of the others.
#[derive(Debug)]
pub(super) struct Lookout {
    every: Duration,
    next: Instant,
    seen: HashMap<NodeId, Seen>,
}

/// What a node showed, and since when it shows nothing else.
#[derive(Clone, Copy, Debug)]
struct Seen {
    mark: i64,
    since: Instant,
}

/// A node whose lease has ended, as far as this process has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Silent {
    last: SignOfLife,
    /// It is on record for nothing any more.
    forget: bool,
}

impl Lookout {
    /// For a process with such a lease. A node that dies is found out after its own lease and at most a fifth of this
    /// process's: both being 15 s, within 18 s.
    pub(super) fn new(lease: Duration) -> Self {
        Self {
            every: lease / 5,
            next: Instant::now(),
            seen: HashMap::new(),
        }
    }

    /// When to look the next time.
    pub(super) fn next(&self) -> Instant {
        self.next
    }

    /// Notes what the others show, as it was read before `now`, and says which of them have been silent for their lease.
    /// What is seen for the first time may be old or new, so it counts as new.
    fn look(&mut self, signs: Vec<SignOfLife>, now: Instant) -> Vec<Silent> {
        self.next = now + self.every;
        let before = std::mem::take(&mut self.seen);
        let mut silent = Vec::new();
        for sign in signs {
            let fresh = Seen {
                mark: sign.mark,
                since: now,
            };
            let known = before.get(&sign.node).filter(|seen| seen.mark == sign.mark);
            let seen = known.copied().unwrap_or(fresh);
            self.seen.insert(sign.node, seen);
            let silence = now.duration_since(seen.since);
            if sign.is_farewell() || silence >= sign.lease {
                silent.push(Silent {
                    last: sign,
                    forget: sign.is_farewell() || silence >= sign.lease.saturating_add(FORGOTTEN_AFTER),
                });
            } else if let Some(ends) = seen.since.checked_add(sign.lease) {
                self.next = self.next.min(ends);
            }
        }
        silent
    }
}

impl Worker {
    /// Looks at the other processes, and takes over from those that are gone.
    pub(super) async fn look_around(&self, node: NodeId, lookout: &mut Lookout) -> Result<(), StoreError> {
        let (signs, strays) = self.db.read(move |tx| ledger::others(tx, node)).await?;
        for Silent { last, forget } in lookout.look(signs, Instant::now()) {
            self.take_over(move |tx, limits, now| ledger::take_over(tx, last, forget, limits, now))
                .await?;
        }
        if strays {
            self.take_over(move |tx, limits, now| ledger::take_over_strays(tx, node, limits, now))
                .await?;
        }
        Ok(())
    }

    /// Takes over from everybody else: no other process may have the database.
    pub(super) async fn take_over_all(&self, node: NodeId) -> Result<(), StoreError> {
        self.take_over(move |tx, limits, now| ledger::take_over_all(tx, node, limits, now))
            .await
    }

    /// Takes over what `some` does in a commit, until there is no more.
    async fn take_over(
        &self,
        some: impl Fn(&Tx<'_>, &LaneLimits, Timestamp) -> Result<TakenOver, StoreError> + Copy + Send + 'static,
    ) -> Result<(), StoreError> {
        loop {
            let limits = self.terms().rules.lane_limits.clone();
            let taken = self.write(move |tx, now| some(tx, &limits, now)).await?;
            if taken.lanes > 0 {
                self.counters.taken_over(taken.lanes);
                tracing::info!(
                    lanes = taken.lanes,
                    "took over the conversations of processes that ended; what was being sent there has an unknown outcome"
                );
                self.bump();
                self.wake();
            }
            if !taken.more {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(15);
    const MILLI: Duration = Duration::from_millis(1);

    fn sign(node: i64, mark: i64) -> SignOfLife {
        SignOfLife {
            node: NodeId(node),
            mark,
            lease: LEASE,
        }
    }

    fn silent(lookout: &mut Lookout, signs: &[SignOfLife], now: Instant) -> Vec<(i64, bool)> {
        let silent = lookout.look(signs.to_vec(), now);
        silent.iter().map(|one| (one.last.node.0, one.forget)).collect()
    }

    #[test]
    fn a_node_is_gone_when_it_was_seen_unchanged_for_its_lease_and_forgotten_a_minute_later() {
        let (mut lookout, began) = (Lookout::new(LEASE), Instant::now());
        for (after, expected) in [
            (Duration::ZERO, vec![]),
            (LEASE - MILLI, vec![]),
            (LEASE, vec![(1, false)]),
            (LEASE + MILLI, vec![(1, false)]),
            (LEASE + FORGOTTEN_AFTER - MILLI, vec![(1, false)]),
            (LEASE + FORGOTTEN_AFTER, vec![(1, true)]),
        ] {
            assert_eq!(
                silent(&mut lookout, &[sign(1, 7)], began + after),
                expected,
                "{after:?}"
            );
        }
    }

    #[test]
    fn every_other_mark_begins_anew_later_or_earlier() {
        let (mut lookout, mut now) = (Lookout::new(LEASE), Instant::now());
        for mark in [7, 8, 3, 8] {
            assert_eq!(silent(&mut lookout, &[sign(1, mark)], now), []);
            now += LEASE - MILLI;
            assert_eq!(silent(&mut lookout, &[sign(1, mark)], now), []);
            now += MILLI;
        }
        // It went away and came back.
        assert_eq!(silent(&mut lookout, &[], now), []);
        assert_eq!(silent(&mut lookout, &[sign(1, 8)], now), []);
    }

    #[test]
    fn a_node_that_left_is_gone_at_once() {
        let mut lookout = Lookout::new(LEASE);
        assert_eq!(
            silent(&mut lookout, &[sign(1, 0), sign(2, 1)], Instant::now()),
            [(1, true)]
        );
    }

    #[test]
    fn it_looks_each_fifth_of_the_lease_and_when_a_lease_ends() {
        let (mut lookout, began) = (Lookout::new(LEASE), Instant::now());
        lookout.look(vec![sign(1, 7)], began);
        assert_eq!(lookout.next(), began + LEASE / 5);
        lookout.look(vec![sign(1, 7)], began + LEASE - MILLI);
        assert_eq!(lookout.next(), began + LEASE);
        lookout.look(vec![sign(1, 7)], began + LEASE);
        assert_eq!(lookout.next(), began + LEASE + LEASE / 5);
        // Whoever has a shorter lease than this process is found out as exactly.
        let short = SignOfLife {
            lease: MILLI,
            ..sign(2, 7)
        };
        lookout.look(vec![short], began);
        assert_eq!(lookout.next(), began + MILLI);
    }
}
