//! Which inbound activities have a turn at this moment.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::activity_key::ActivityKey;
use crate::inbound::{Inbound, TurnResponse};
use crate::process_error::ProcessError;

/// How many redeliveries of one running activity may wait for its answer.
const MAX_JOINED: usize = 64;

/// How an inbound turn ended.
pub(super) type Ended = Result<TurnResponse, ProcessError>;

/// Which inbound activities have a turn at this moment, and who else waits for its answer.
#[derive(Clone, Default)]
pub(super) struct RunningTurns {
    by_key: Arc<Mutex<HashMap<ActivityKey, Arc<Arrived>>>>,
}

/// What an arriving activity does.
pub(super) enum Arrival {
    /// It gets a turn, which has to be [finished](Running::finish).
    First(Running),
    /// It is on its turn already: this is where the answer comes.
    Again(Arc<Arrived>, oneshot::Receiver<Ended>),
    /// It is on its turn already, and whoever asks is told 202.
    Acknowledged,
    /// Too many wait for that answer already.
    TooMany,
}

/// A running turn as others see it. Dropping it without an answer tells them that there is none.
pub(super) struct Running {
    turns: RunningTurns,
    arrived: Arc<Arrived>,
    /// The row of its steps, if an earlier turn of the activity got as far as that.
    pub(super) half: Option<i64>,
    is_over: bool,
}

/// An activity that has a turn, as it arrived.
pub(super) struct Arrived {
    pub(super) inbound: Arc<Inbound>,
    pub(super) key: Option<ActivityKey>,
    /// The order in which activities arrived.
    pub(super) number: i64,
    joined: Mutex<Joined>,
    /// Held while the activity is stored, and while its turn is committed: only one of them is to happen.
    pub(super) promise: tokio::sync::Mutex<Promise>,
}

/// What the sender has been told while the turn is not over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Promise {
    /// Nothing. The turn waits behind others, or it is in the bot's hands (`started`).
    None { started: bool },
    /// 202: the activity is stored.
    Stored { started: bool },
    /// The turn is over.
    Over,
}

#[derive(Default)]
struct Joined {
    acknowledged: bool,
    waiting: Vec<oneshot::Sender<Ended>>,
}

impl RunningTurns {
    /// An activity arrives. Without a key it is never recognised.
    pub(super) fn arrive(&self, arrived: Arrived) -> Arrival {
        let Some(key) = arrived.key.clone() else {
            return Arrival::First(self.first(Arc::new(arrived)));
        };
        match self.by_key().entry(key) {
            Entry::Vacant(vacant) => {
                let arrived = Arc::new(arrived);
                vacant.insert(Arc::clone(&arrived));
                Arrival::First(self.first(arrived))
            }
            Entry::Occupied(occupied) => occupied.get().join(),
        }
    }

    fn first(&self, arrived: Arc<Arrived>) -> Running {
        Running {
            turns: self.clone(),
            arrived,
            half: None,
            is_over: false,
        }
    }

    /// The turns of activities with a key that run or wait at this moment.
    pub(super) fn all(&self) -> Vec<Arc<Arrived>> {
        self.by_key().values().cloned().collect()
    }

    fn by_key(&self) -> MutexGuard<'_, HashMap<ActivityKey, Arc<Arrived>>> {
        self.by_key.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Arrived {
    pub(super) fn new(inbound: Arc<Inbound>, number: i64) -> Self {
        Self {
            key: ActivityKey::of(&inbound.activity),
            inbound,
            number,
            joined: Mutex::default(),
            promise: tokio::sync::Mutex::new(Promise::None { started: false }),
        }
    }

    /// One that an earlier process acknowledged.
    pub(super) fn acknowledged(inbound: Arc<Inbound>, number: i64) -> Self {
        Self {
            joined: Mutex::new(Joined {
                acknowledged: true,
                waiting: Vec::new(),
            }),
            promise: tokio::sync::Mutex::new(Promise::Stored { started: false }),
            ..Self::new(inbound, number)
        }
    }

    fn join(self: &Arc<Self>) -> Arrival {
        let mut joined = self.joined();
        if joined.acknowledged {
            return Arrival::Acknowledged;
        }
        joined.waiting.retain(|waiter| !waiter.is_closed());
        if joined.waiting.len() >= MAX_JOINED {
            return Arrival::TooMany;
        }
        let (sender, receiver) = oneshot::channel();
        joined.waiting.push(sender);
        drop(joined);
        Arrival::Again(Arc::clone(self), receiver)
    }

    /// Everybody who waits, and everybody who comes from now on, is told 202.
    pub(super) fn tell_acknowledged(&self) {
        let mut joined = self.joined();
        joined.acknowledged = true;
        for waiter in joined.waiting.drain(..) {
            // Whoever hung up needs no answer.
            let _ = waiter.send(Ok(TurnResponse::accepted()));
        }
    }

    fn joined(&self) -> MutexGuard<'_, Joined> {
        self.joined.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    pub(super) fn arrived(&self) -> &Arc<Arrived> {
        &self.arrived
    }

    /// The turn is over: everybody who waits gets the answer.
    pub(super) fn finish(mut self, ended: &Ended) {
        for waiter in self.leave() {
            let _ = waiter.send(ended.clone());
        }
    }

    fn leave(&mut self) -> Vec<oneshot::Sender<Ended>> {
        if std::mem::replace(&mut self.is_over, true) {
            return Vec::new();
        }
        if let Some(key) = &self.arrived.key {
            self.turns.by_key().remove(key);
        }
        std::mem::take(&mut self.arrived.joined().waiting)
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

    fn arrive(turns: &RunningTurns, id: &str) -> Arrival {
        let activity = Activity::message("hi").with_id(id).with_channel_id("test");
        let activity = activity.with_conversation(ConversationAccount::new("c"));
        turns.arrive(Arrived::new(Arc::new(Inbound::anonymous(activity)), 1))
    }

    fn first(turns: &RunningTurns, id: &str) -> Running {
        let Arrival::First(running) = arrive(turns, id) else {
            panic!("it is the first")
        };
        running
    }

    fn again(turns: &RunningTurns) -> oneshot::Receiver<Ended> {
        let Arrival::Again(_, answer) = arrive(turns, "1") else {
            panic!("it runs")
        };
        answer
    }

    #[tokio::test]
    async fn all_who_joined_get_the_answer_and_then_it_is_forgotten() {
        let turns = RunningTurns::default();
        let running = first(&turns, "1");
        let (one, two) = (again(&turns), again(&turns));
        running.finish(&Ok(TurnResponse::ok()));
        assert!(matches!(one.await, Ok(Ok(response)) if response == TurnResponse::ok()));
        assert!(matches!(two.await, Ok(Ok(_))));
        drop(first(&turns, "1"));
        assert!(turns.by_key().is_empty());
    }

    #[tokio::test]
    async fn a_turn_that_vanishes_tells_those_who_joined() {
        let turns = RunningTurns::default();
        let running = first(&turns, "1");
        let joined = again(&turns);
        drop(running);
        assert!(joined.await.is_err());
    }

    #[tokio::test]
    async fn once_it_is_acknowledged_all_are_told_so() {
        let turns = RunningTurns::default();
        let running = first(&turns, "1");
        let joined = again(&turns);
        running.arrived().tell_acknowledged();
        assert!(matches!(joined.await, Ok(Ok(response)) if response == TurnResponse::accepted()));
        assert!(matches!(arrive(&turns, "1"), Arrival::Acknowledged));
        running.finish(&Ok(TurnResponse::ok()));
        assert!(matches!(arrive(&turns, "1"), Arrival::First(_)));
    }

    #[test]
    fn those_who_join_are_bounded_and_those_who_hung_up_do_not_count() {
        let turns = RunningTurns::default();
        let _running = first(&turns, "1");
        let mut joined: Vec<_> = (0..MAX_JOINED).map(|_| again(&turns)).collect();
        assert!(matches!(arrive(&turns, "1"), Arrival::TooMany));
        joined.pop();
        assert!(matches!(arrive(&turns, "1"), Arrival::Again(..)));
    }

    #[test]
    fn without_a_key_every_arrival_is_the_first() {
        let turns = RunningTurns::default();
        let _one = first(&turns, "");
        let _two = first(&turns, "");
    }
}
