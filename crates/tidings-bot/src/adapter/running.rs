//! Which inbound activities have a turn at this moment.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::activity_key::ActivityKey;
use crate::inbound::TurnResponse;
use crate::process_error::ProcessError;

/// How many redeliveries of one running activity may wait for its answer.
const MAX_JOINED: usize = 64;

/// How an inbound turn ended.
pub(super) type Ended = Result<TurnResponse, ProcessError>;

/// Which inbound activities have a turn at this moment, and who else waits for its answer.
#[derive(Clone, Default)]
pub(super) struct RunningTurns {
    waiting: Arc<Mutex<HashMap<ActivityKey, Vec<oneshot::Sender<Ended>>>>>,
}

/// What an arriving activity does.
pub(super) enum Arrival {
    /// It gets a turn, which has to be [finished](Running::finish).
    First(Running),
    /// It is on its turn already: this is where the answer comes.
    Again(oneshot::Receiver<Ended>),
    /// Too many wait for that answer already.
    TooMany,
}

/// A running turn as others see it. Dropping it without an answer tells them that there is none.
pub(super) struct Running {
    turns: RunningTurns,
    key: Option<ActivityKey>,
}

impl RunningTurns {
    /// An activity arrives. Without a key it is never recognised.
    pub(super) fn arrive(&self, key: Option<ActivityKey>) -> Arrival {
        if let Some(key) = &key {
            match self.waiting().entry(key.clone()) {
                Entry::Vacant(vacant) => {
                    vacant.insert(Vec::new());
                }
                Entry::Occupied(mut occupied) => {
                    let joined = occupied.get_mut();
                    joined.retain(|waiter| !waiter.is_closed());
                    if joined.len() >= MAX_JOINED {
                        return Arrival::TooMany;
                    }
                    let (sender, receiver) = oneshot::channel();
                    joined.push(sender);
                    return Arrival::Again(receiver);
                }
            }
        }
        Arrival::First(Running {
            turns: self.clone(),
            key,
        })
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<ActivityKey, Vec<oneshot::Sender<Ended>>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    pub(super) fn key(&self) -> Option<&ActivityKey> {
        self.key.as_ref()
    }

    /// The turn is over: everybody who waits gets the answer.
    pub(super) fn finish(mut self, ended: &Ended) {
        for waiter in self.leave() {
            // Whoever hung up needs no answer.
            let _ = waiter.send(ended.clone());
        }
    }

    fn leave(&mut self) -> Vec<oneshot::Sender<Ended>> {
        self.key
            .take()
            .and_then(|key| self.turns.waiting().remove(&key))
            .unwrap_or_default()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.leave());
    }
}

#[cfg(test)]
mod tests {
    use tidings_activity::{Activity, ConversationAccount};

    use super::*;

    fn key() -> Option<ActivityKey> {
        let activity = Activity::message("hi").with_id("1").with_channel_id("test");
        ActivityKey::of(&activity.with_conversation(ConversationAccount::new("c")))
    }

    fn first(turns: &RunningTurns, key: Option<ActivityKey>) -> Running {
        let Arrival::First(running) = turns.arrive(key) else {
            panic!("it is the first")
        };
        running
    }

    #[tokio::test]
    async fn all_who_joined_get_the_answer_and_then_it_is_forgotten() {
        let turns = RunningTurns::default();
        let running = first(&turns, key());
        let Arrival::Again(one) = turns.arrive(key()) else {
            panic!("it runs")
        };
        let Arrival::Again(two) = turns.arrive(key()) else {
            panic!("it runs")
        };
        running.finish(&Ok(TurnResponse::ok()));
        assert!(matches!(one.await, Ok(Ok(response)) if response == TurnResponse::ok()));
        assert!(matches!(two.await, Ok(Ok(_))));
        drop(first(&turns, key()));
        assert!(turns.waiting().is_empty());
    }

    #[tokio::test]
    async fn a_turn_that_vanishes_tells_those_who_joined() {
        let turns = RunningTurns::default();
        let running = first(&turns, key());
        let Arrival::Again(joined) = turns.arrive(key()) else {
            panic!("it runs")
        };
        drop(running);
        assert!(joined.await.is_err());
    }

    #[test]
    fn those_who_join_are_bounded_and_those_who_hung_up_do_not_count() {
        let turns = RunningTurns::default();
        let _running = first(&turns, key());
        let mut joined: Vec<_> = (0..MAX_JOINED).map(|_| turns.arrive(key())).collect();
        assert!(joined.iter().all(|arrival| matches!(arrival, Arrival::Again(_))));
        assert!(matches!(turns.arrive(key()), Arrival::TooMany));
        joined.pop();
        assert!(matches!(turns.arrive(key()), Arrival::Again(_)));
    }

    #[test]
    fn without_a_key_every_arrival_is_the_first() {
        let turns = RunningTurns::default();
        let _one = first(&turns, None);
        let _two = first(&turns, None);
    }
}
