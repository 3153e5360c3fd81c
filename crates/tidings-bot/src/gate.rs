//! One turn at a time in each conversation.
//!
//! A turn, and whoever sends proactively beside the turns, enters its conversation here and leaves by
//! dropping the [`GateGuard`]. Entry is first come, first served; the place in the queue is taken when
//! [`Gate::enter`] is *called*, not when its future is first polled. Different conversations never wait for
//! each other.
//!
//! Whoever is inside a turn and enters a conversation that the same turn already holds goes right in (a
//! nested turn). A turn that would wait for another one which, directly or over others, waits for it, is
//! refused with [`WouldDeadlock`].

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use crate::conversation_key::ConversationKey;

tokio::task_local! {
    /// The turn that the current task is inside of.
    static CURRENT_TURN: TurnToken;
}

/// Names one running turn together with everything nested in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TurnToken(u64);

impl TurnToken {
    fn fresh() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// The turn that the caller runs inside of, if it does. A task spawned from a handler is not inside the
    /// turn.
    pub(crate) fn current() -> Option<Self> {
        CURRENT_TURN.try_with(|token| *token).ok()
    }

    /// Runs `future` as part of this turn.
    pub(crate) fn scope<F: Future>(self, future: F) -> impl Future<Output = F::Output> {
        CURRENT_TURN.scope(self, future)
    }
}

/// Lets one turn at a time into each conversation. Clones are the same gate.
#[derive(Clone, Default)]
pub struct Gate {
    inner: Arc<Mutex<Lanes>>,
}

#[derive(Default)]
struct Lanes {
    held: HashMap<ConversationKey, Lane>,
    /// Turns that wait for a second conversation while they hold one: the only ones that can close a circle.
    nested: Vec<(TurnToken, ConversationKey)>,
    next_waiter: u64,
}

struct Lane {
    holder: TurnToken,
    /// How many guards the holder has: nested turns add to it.
    depth: usize,
    waiters: VecDeque<Waiter>,
}

struct Waiter {
    number: u64,
    token: TurnToken,
    admit: oneshot::Sender<GateGuard>,
}

impl Gate {
    /// A gate with nobody inside.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a place in the queue of `key`; await it to get in.
    ///
    /// Inside a turn that holds `key` already, this is at once.
    pub fn enter(&self, key: &ConversationKey) -> Entering {
        match TurnToken::current() {
            Some(token) => self.enter_as(key, token, true),
            None => self.enter_fresh(key),
        }
    }

    /// As [`Gate::enter`], but as a turn of its own, wherever the caller is.
    pub(crate) fn enter_fresh(&self, key: &ConversationKey) -> Entering {
        self.enter_as(key, TurnToken::fresh(), false)
    }

    /// Whether the turn that the caller runs inside of holds `key`.
    pub(crate) fn is_held_by_current_turn(&self, key: &ConversationKey) -> bool {
        TurnToken::current().is_some_and(|token| {
            self.lanes()
                .held
                .get(key)
                .is_some_and(|lane| lane.holder == token)
        })
    }

    /// How many conversations have somebody inside.
    pub fn busy_conversations(&self) -> usize {
        self.lanes().held.len()
    }

    /// How many wait in front of the conversation `key`.
    pub fn waiting(&self, key: &ConversationKey) -> usize {
        self.lanes().held.get(key).map_or(0, |lane| lane.waiters.len())
    }

    fn enter_as(&self, key: &ConversationKey, token: TurnToken, inside_a_turn: bool) -> Entering {
        let mut lanes = self.lanes();
        if inside_a_turn && lanes.closes_a_circle(token, key) {
            return Entering {
                gate: self.clone(),
                state: EnteringState::Refused(WouldDeadlock { key: key.clone() }),
            };
        }
        let number = lanes.next_waiter;
        let state = match lanes.held.entry(key.clone()) {
            Entry::Vacant(vacant) => {
                vacant.insert(Lane {
                    holder: token,
                    depth: 1,
                    waiters: VecDeque::new(),
                });
                EnteringState::Admitted(Some(self.guard(key, token)))
            }
            Entry::Occupied(mut occupied) if occupied.get().holder == token => {
                occupied.get_mut().depth += 1;
                EnteringState::Admitted(Some(self.guard(key, token)))
            }
            Entry::Occupied(mut occupied) => {
                let (admit, admitted) = oneshot::channel();
                occupied
                    .get_mut()
                    .waiters
                    .push_back(Waiter { number, token, admit });
                lanes.next_waiter += 1;
                if inside_a_turn {
                    lanes.nested.push((token, key.clone()));
                }
                EnteringState::Waiting(Waiting {
                    admitted,
                    key: key.clone(),
                    token,
                    number,
                    inside_a_turn,
                })
            }
        };
        drop(lanes);
        Entering {
            gate: self.clone(),
            state,
        }
    }

    fn guard(&self, key: &ConversationKey, token: TurnToken) -> GateGuard {
        GateGuard {
            gate: self.clone(),
            key: key.clone(),
            token,
        }
    }

    fn leave(&self, key: &ConversationKey) {
        let mut lanes = self.lanes();
        let Entry::Occupied(mut occupied) = lanes.held.entry(key.clone()) else {
            return;
        };
        let lane = occupied.get_mut();
        lane.depth -= 1;
        if lane.depth > 0 {
            return;
        }
        let Some(next) = lane.waiters.pop_front() else {
            occupied.remove();
            return;
        };
        lane.holder = next.token;
        lane.depth = 1;
        drop(lanes);
        // A waiter that gave up in this instant hands its guard back; dropping it admits the one behind.
        drop(next.admit.send(self.guard(key, next.token)));
    }

    fn stop_waiting(&self, waiting: &Waiting) {
        let mut lanes = self.lanes();
        if waiting.inside_a_turn
            && let Some(at) = lanes
                .nested
                .iter()
                .position(|(token, key)| *token == waiting.token && *key == waiting.key)
        {
            lanes.nested.swap_remove(at);
        }
        if let Some(lane) = lanes.held.get_mut(&waiting.key)
            && let Ok(at) = lane
                .waiters
                .binary_search_by_key(&waiting.number, |waiter| waiter.number)
        {
            lane.waiters.remove(at);
        }
    }

    fn lanes(&self) -> MutexGuard<'_, Lanes> {
        // No code of others runs under the lock, and each step leaves the lanes whole.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("busy_conversations", &self.busy_conversations())
            .finish()
    }
}

impl Lanes {
    /// Whether `token`, were it to wait for `key`, would wait for itself: whoever is ahead of it in `key`'s
    /// queue waits, directly or over others, for a conversation that `token` holds.
    fn closes_a_circle(&self, token: TurnToken, key: &ConversationKey) -> bool {
        let mut seen: Vec<TurnToken> = Vec::new();
        let mut ahead: Vec<TurnToken> = match self.held.get(key) {
            Some(lane) if lane.holder != token => std::iter::once(lane.holder)
                .chain(lane.waiters.iter().map(|waiter| waiter.token))
                .collect(),
            _ => return false,
        };
        while let Some(other) = ahead.pop() {
            if other == token {
                return true;
            }
            if seen.contains(&other) {
                continue;
            }
            seen.push(other);
            for (_, wanted) in self.nested.iter().filter(|(waiter, _)| *waiter == other) {
                if let Some(lane) = self.held.get(wanted) {
                    ahead.push(lane.holder);
                    ahead.extend(
                        lane.waiters
                            .iter()
                            .map(|waiter| waiter.token)
                            .take_while(|waiter| *waiter != other),
                    );
                }
            }
        }
        false
    }
}

/// A place in a conversation's queue: await it for the [`GateGuard`]. Dropping it gives the place up.
#[must_use = "the place is given up at once unless it is awaited"]
pub struct Entering {
    gate: Gate,
    state: EnteringState,
}

enum EnteringState {
    Admitted(Option<GateGuard>),
    Waiting(Waiting),
    Refused(WouldDeadlock),
}

struct Waiting {
    admitted: oneshot::Receiver<GateGuard>,
    key: ConversationKey,
    token: TurnToken,
    number: u64,
    inside_a_turn: bool,
}

impl Future for Entering {
    type Output = Result<GateGuard, WouldDeadlock>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        match &mut this.state {
            EnteringState::Admitted(guard) => match guard.take() {
                Some(guard) => Poll::Ready(Ok(guard)),
                // Polled again after it was ready: nothing more will come.
                None => Poll::Pending,
            },
            EnteringState::Refused(refusal) => Poll::Ready(Err(refusal.clone())),
            EnteringState::Waiting(waiting) => match Pin::new(&mut waiting.admitted).poll(context) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(admitted) => {
                    this.gate.stop_waiting(waiting);
                    this.state = EnteringState::Admitted(None);
                    match admitted {
                        Ok(guard) => Poll::Ready(Ok(guard)),
                        // The sender lives in the lane for as long as this place does.
                        Err(_) => Poll::Pending,
                    }
                }
            },
        }
    }
}

impl Drop for Entering {
    fn drop(&mut self) {
        if let EnteringState::Waiting(waiting) = &self.state {
            self.gate.stop_waiting(waiting);
        }
    }
}

impl fmt::Debug for Entering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            EnteringState::Admitted(_) => "admitted",
            EnteringState::Waiting(_) => "waiting",
            EnteringState::Refused(_) => "refused",
        };
        f.debug_tuple("Entering").field(&state).finish()
    }
}

/// Being inside a conversation. Dropping it lets the next one in.
#[must_use = "the conversation is left at once when the guard is dropped"]
pub struct GateGuard {
    gate: Gate,
    key: ConversationKey,
    token: TurnToken,
}

impl GateGuard {
    pub(crate) fn token(&self) -> TurnToken {
        self.token
    }

    /// The conversation that is held.
    pub fn key(&self) -> &ConversationKey {
        &self.key
    }
}

impl Drop for GateGuard {
    fn drop(&mut self) {
        self.gate.leave(&self.key);
    }
}

impl fmt::Debug for GateGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("GateGuard").field(&self.key).finish()
    }
}

/// A turn asked for a conversation whose running turn waits, directly or over others, for this one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "entering conversation {key} would wait for itself: its running turn waits for this turn; \
     continue the conversation from a spawned task or after this turn"
)]
pub struct WouldDeadlock {
    /// The conversation that was asked for.
    pub key: ConversationKey,
}

#[cfg(test)]
mod tests;
