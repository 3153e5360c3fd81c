//! Remembering, in memory, which activities have had their turn.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tidings_store::Clock;

use super::{Admission, TurnFacts, TurnObserver};
use crate::activity_key::ActivityKey;
use crate::error::Result;
use crate::inbound::{Inbound, TurnResponse};
use crate::turn::TurnKind;

/// Remembers, in memory, which activities have had their turn, so that a channel that delivers one again starts no
/// second turn and gets the same answer.
///
/// This is what an adapter without a database has, as in tests: what is forgotten, by number, by age or by a restart,
/// may run again. With a database the adapter commits a row with each turn instead.
pub struct Deduplication {
    limits: DeduplicationLimits,
    clock: Arc<dyn Clock>,
    committed: Mutex<Committed>,
}

/// How much is remembered of the activities that have had their turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeduplicationLimits {
    /// How many activities. Default 262,144, which take up to 15.2 MB of memory beside their rows in the database;
    /// without a database 16,384.
    pub activities: usize,
    /// For how long. Default 24 hours; without a database one hour.
    pub age: Duration,
    /// How many bytes of response bodies (of invokes and `expectReplies`) in all. Default 64 MiB; without a database
    /// 4 MiB. The oldest are dropped first; a repeated activity whose body is gone, or was longer than 1 MiB in a
    /// database, is answered without one.
    pub body_bytes: usize,
}

impl Default for DeduplicationLimits {
    fn default() -> Self {
        Self {
            activities: 262_144,
            age: Duration::from_secs(24 * 60 * 60),
            body_bytes: 64 * 1024 * 1024,
        }
    }
}

impl DeduplicationLimits {
    /// What is remembered without a database.
    pub fn in_memory() -> Self {
        Self {
            activities: 16_384,
            age: Duration::from_secs(60 * 60),
            body_bytes: 4 * 1024 * 1024,
        }
    }
}

#[derive(Default)]
struct Committed {
    answers: HashMap<ActivityKey, TurnResponse>,
    /// Oldest first.
    order: VecDeque<(ActivityKey, Timestamp)>,
    /// Those with a body, oldest first, some of which may be forgotten.
    bodies: VecDeque<ActivityKey>,
    body_bytes: usize,
}

impl Deduplication {
    /// Remembers as much as `limits` allow, by the time of `clock`.
    pub fn new(limits: DeduplicationLimits, clock: Arc<dyn Clock>) -> Self {
        Self {
            limits,
            clock,
            committed: Mutex::default(),
        }
    }

    fn committed_turns(&self) -> MutexGuard<'_, Committed> {
        self.committed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Committed {
    fn forget_old(&mut self, limits: &DeduplicationLimits, now: Timestamp) {
        let age = SignedDuration::try_from(limits.age).unwrap_or(SignedDuration::MAX);
        while let Some((_, at)) = self.order.front() {
            if self.order.len() <= limits.activities && now.duration_since(*at) < age {
                break;
            }
            if let Some((key, _)) = self.order.pop_front()
                && let Some(answer) = self.answers.remove(&key)
            {
                self.body_bytes -= body_len(&answer);
            }
        }
        while self.body_bytes > limits.body_bytes {
            let Some(key) = self.bodies.pop_front() else {
                break;
            };
            if let Some(answer) = self.answers.get_mut(&key) {
                self.body_bytes -= body_len(answer);
                answer.body = None;
            }
        }
        // Bodies go by age too, so that this list is as bounded as the others.
        while self
            .bodies
            .front()
            .is_some_and(|key| !self.answers.contains_key(key))
        {
            self.bodies.pop_front();
        }
    }
}

fn body_len(response: &TurnResponse) -> usize {
    response.body.as_ref().map_or(0, |body| body.get().len())
}

#[async_trait]
impl TurnObserver for Deduplication {
    async fn admit(&self, inbound: &Inbound) -> Result<Admission> {
        let Some(key) = ActivityKey::of(&inbound.activity) else {
            return Ok(Admission::Run);
        };
        let mut committed = self.committed_turns();
        committed.forget_old(&self.limits, self.clock.now());
        Ok(committed
            .answers
            .get(&key)
            .map_or(Admission::Run, |answer| Admission::Answered(answer.clone())))
    }

    fn committed(&self, facts: &TurnFacts<'_>, response: &TurnResponse) {
        let (TurnKind::Inbound, Some(key)) = (facts.kind, facts.activity_key) else {
            return;
        };
        let now = self.clock.now();
        let mut committed = self.committed_turns();
        if committed.answers.insert(key.clone(), response.clone()).is_none() {
            committed.order.push_back((key.clone(), now));
            if response.body.is_some() {
                committed.body_bytes += body_len(response);
                committed.bodies.push_back(key.clone());
            }
        }
        committed.forget_old(&self.limits, now);
    }
}

impl fmt::Debug for Deduplication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deduplication")
            .field("limits", &self.limits)
            .field("activities", &self.committed_turns().order.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
