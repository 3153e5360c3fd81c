//! How many turns run, and whether more may start.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Counts running turns, refuses more than a limit, and lets shutdown wait for the last one.
#[derive(Clone)]
pub(crate) struct InFlight {
    inner: Arc<Inner>,
}

struct Inner {
    limit: usize,
    state: Mutex<State>,
    idle: Notify,
}

#[derive(Default)]
struct State {
    running: usize,
    closing: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotAdmitted {
    Full,
    Closing,
}

impl InFlight {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            inner: Arc::new(Inner {
                limit,
                state: Mutex::default(),
                idle: Notify::new(),
            }),
        }
    }

    /// A ticket for a turn that comes from outside, unless as many run as are allowed at once, or more wait for its
    /// conversation (`waiting`) than there would be room for still: so one conversation that hangs leaves half of
    /// all places to the others.
    pub(crate) fn enter(&self, waiting: impl FnOnce() -> usize) -> Result<Ticket, NotAdmitted> {
        let mut state = self.inner.state();
        if state.closing {
            return Err(NotAdmitted::Closing);
        }
        if state.running >= self.inner.limit {
            return Err(NotAdmitted::Full);
        }
        let room = self.inner.limit - state.running - 1;
        // Those who wait are counted only when so many run at all that they could be too many.
        if state.running > room && waiting() > room {
            return Err(NotAdmitted::Full);
        }
        state.running += 1;
        drop(state);
        Ok(Ticket {
            inner: Arc::clone(&self.inner),
        })
    }

    /// A ticket for a turn that a running turn starts and waits for: never refused, or the running one could
    /// not finish.
    pub(crate) fn enter_nested(&self) -> Ticket {
        self.inner.state().running += 1;
        Ticket {
            inner: Arc::clone(&self.inner),
        }
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.inner.state().closing
    }

    pub(crate) fn running(&self) -> usize {
        self.inner.state().running
    }

    /// Admits nobody from now on, and returns when the last one has left.
    pub(crate) async fn close(&self) {
        self.inner.state().closing = true;
        loop {
            let mut left = std::pin::pin!(self.inner.idle.notified());
            left.as_mut().enable();
            if self.running() == 0 {
                return;
            }
            left.await;
        }
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One running turn.
pub(crate) struct Ticket {
    inner: Arc<Inner>,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = self.inner.state();
        state.running -= 1;
        if state.running == 0 && state.closing {
            drop(state);
            self.inner.idle.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn at_the_limit_nobody_more_comes_in_and_a_leaver_makes_room() {
        let in_flight = InFlight::new(2);
        let first = in_flight.enter(|| 0).ok().unwrap();
        let _second = in_flight.enter(|| 0).ok().unwrap();
        assert_eq!(in_flight.enter(|| 0).err(), Some(NotAdmitted::Full));
        drop(first);
        assert!(in_flight.enter(|| 0).is_ok());
    }

    #[test]
    fn no_more_may_wait_for_one_conversation_than_there_is_room_for_still() {
        let in_flight = InFlight::new(10);
        let mut tickets: Vec<_> = (0..6_usize)
            .map(|running| in_flight.enter(|| running.saturating_sub(1)))
            .collect();
        assert!(tickets.iter().all(Result::is_ok));
        // Six run; with one more there would be room for three.
        assert_eq!(in_flight.enter(|| 4).err(), Some(NotAdmitted::Full));
        tickets.push(in_flight.enter(|| 3));
        assert!(tickets.iter().all(Result::is_ok));
        assert_eq!(in_flight.enter(|| 3).err(), Some(NotAdmitted::Full));
        assert!(in_flight.enter(|| 2).is_ok());
    }

    #[tokio::test]
    async fn closing_waits_for_the_last_one_and_lets_nested_turns_finish() {
        let in_flight = InFlight::new(2);
        let first = in_flight.enter(|| 0).ok().unwrap();
        let mut closing = std::pin::pin!(in_flight.close());
        assert!(closing.as_mut().now_or_never().is_none());
        assert_eq!(in_flight.enter(|| 0).err(), Some(NotAdmitted::Closing));
        let nested = in_flight.enter_nested();
        drop(first);
        assert!(closing.as_mut().now_or_never().is_none());
        drop(nested);
        closing.await;
    }
}
