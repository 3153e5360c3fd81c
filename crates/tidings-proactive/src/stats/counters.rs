use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::EngineStats;
use crate::outcome::AttemptOutcome;
use crate::state::DeliveryState;
use crate::wait_reason::WaitReason;

/// What happened since the process started.
#[derive(Debug, Default)]
pub(crate) struct EngineCounters {
    accepted: AtomicU64,
    claims: AtomicU64,
    in_flight: AtomicU64,
    delivered: AtomicU64,
    failed: [AtomicU64; AttemptOutcome::ALL.len()],
    ended: [AtomicU64; DeliveryState::ALL.len()],
    waits: [AtomicU64; WaitReason::ALL.len()],
    lease_losses: AtomicU64,
    takeovers: AtomicU64,
    cycles: AtomicU64,
}

/// A delivery that is being sent, until this is dropped.
#[derive(Debug)]
pub(crate) struct InFlight(Arc<EngineCounters>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl EngineCounters {
    /// So many deliveries were put on record.
    pub(crate) fn accepted(&self, deliveries: usize) {
        add(&self.accepted, deliveries);
    }

    /// So many conversations were claimed.
    pub(crate) fn claimed(&self, lanes: usize) {
        add(&self.claims, lanes);
    }

    /// A delivery is being sent, as long as the answer lives.
    pub(crate) fn sending(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(Arc::clone(self))
    }

    /// An attempt ended; with `None`, it delivered.
    pub(crate) fn attempted(&self, outcome: Option<AttemptOutcome>) {
        match outcome {
            None => add(&self.delivered, 1),
            Some(outcome) => add(&self.failed[outcome as usize], 1),
        }
    }

    /// A delivery came to a final state.
    pub(crate) fn ended(&self, state: DeliveryState) {
        debug_assert!(state.is_final(), "{state} is no end");
        add(&self.ended[state as usize], 1);
    }

    /// Something has to wait.
    pub(crate) fn waited(&self, reason: WaitReason) {
        add(&self.waits[reason as usize], 1);
    }

    /// So many outcomes were refused, because the conversations had been taken over.
    pub(crate) fn leases_lost(&self, outcomes: usize) {
        add(&self.lease_losses, outcomes);
    }

    /// So many conversations of processes that are gone were taken over.
    pub(crate) fn taken_over(&self, lanes: usize) {
        add(&self.takeovers, lanes);
    }

    /// There was a look at what is ready.
    pub(crate) fn cycle(&self) {
        add(&self.cycles, 1);
    }

    pub(super) fn snapshot(&self) -> EngineStats {
        let delivered = [(None, get(&self.delivered))];
        let failed = AttemptOutcome::ALL.map(|outcome| (Some(outcome), get(&self.failed[outcome as usize])));
        EngineStats {
            backlog: None,
            accepted: get(&self.accepted),
            claims: get(&self.claims),
            in_flight: get(&self.in_flight),
            attempts: delivered.into_iter().chain(failed).collect(),
            ended: DeliveryState::ALL
                .into_iter()
                .filter(|state| state.is_final())
                .map(|state| (state, get(&self.ended[state as usize])))
                .collect(),
            waits: WaitReason::ALL
                .map(|reason| (reason, get(&self.waits[reason as usize])))
                .into(),
            lease_losses: get(&self.lease_losses),
            takeovers: get(&self.takeovers),
            cycles: get(&self.cycles),
            breakers: Vec::new(),
        }
    }
}

fn add(counter: &AtomicU64, more: usize) {
    counter.fetch_add(more as u64, Ordering::Relaxed);
}

fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thing_is_counted_under_its_own_name() {
        let counters = Arc::new(EngineCounters::default());
        counters.accepted(3);
        counters.claimed(2);
        counters.attempted(None);
        for (times, outcome) in AttemptOutcome::ALL.into_iter().enumerate() {
            (0..times).for_each(|_| counters.attempted(Some(outcome)));
        }
        let finals: Vec<_> = DeliveryState::ALL
            .into_iter()
            .filter(|state| state.is_final())
            .collect();
        for (times, state) in finals.iter().enumerate() {
            (0..times).for_each(|_| counters.ended(*state));
        }
        for (times, reason) in WaitReason::ALL.into_iter().enumerate() {
            (0..times).for_each(|_| counters.waited(reason));
        }
        counters.leases_lost(1);
        counters.taken_over(4);
        counters.cycle();
        let stats = counters.snapshot();
        assert_eq!((stats.accepted, stats.claims), (3, 2));
        assert_eq!((stats.lease_losses, stats.takeovers, stats.cycles), (1, 4, 1));
        assert_eq!(stats.attempts[0], (None, 1));
        for (times, outcome) in AttemptOutcome::ALL.into_iter().enumerate() {
            assert_eq!(stats.attempts[times + 1], (Some(outcome), times as u64));
        }
        for (times, state) in finals.iter().enumerate() {
            assert_eq!(stats.ended[times], (*state, times as u64));
        }
        for (times, reason) in WaitReason::ALL.into_iter().enumerate() {
            assert_eq!(stats.waits[times], (reason, times as u64));
        }
    }

    #[test]
    fn what_is_sent_is_in_flight_until_it_ends_in_whatever_way() {
        let counters = Arc::new(EngineCounters::default());
        let first = counters.sending();
        let second = counters.sending();
        assert_eq!(counters.snapshot().in_flight, 2);
        drop(first);
        assert_eq!(counters.snapshot().in_flight, 1);
        drop(second);
        assert_eq!(counters.snapshot().in_flight, 0);
    }
}
