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
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use crate::conversation_key::ConversationKey;

mod turn_token;

pub(crate) use turn_token::TurnToken;
use turn_token::{NOBODY, TurnId};

/// Lets one turn at a time into each conversation. Clones are the same gate.
///
/// ```
/// use tidings_bot::{ConversationKey, Gate, WouldDeadlock};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), WouldDeadlock> {
/// let (gate, conversation) = (Gate::new(), ConversationKey::new("msteams", "19:a"));
/// let inside = gate.enter(&conversation).await?;
/// let next = gate.enter(&conversation);
/// assert_eq!(gate.waiting(&conversation), 1);
/// drop(inside);
/// let inside = next.await?;
/// # drop(inside);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Gate {
    inner: Arc<Mutex<Lanes>>,
}

#[derive(Default)]
struct Lanes {
    held: HashMap<ConversationKey, Lane>,
    /// The roots of the turns that wait for a second conversation: the only ones that can close a circle.
    nested: Vec<(TurnId, ConversationKey)>,
    next_waiter: u64,
}

/// A conversation with somebody inside.
struct Lane {
    holder: TurnId,
    /// The turns nested in the holder's, each in the one before.
    nested: Vec<TurnId>,
    /// The root of all of them.
    root: TurnId,
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
        self.enter_as(key, TurnToken::nested())
    }

    /// As [`Gate::enter`], but as a turn of its own, wherever the caller is.
    pub(crate) fn enter_fresh(&self, key: &ConversationKey) -> Entering {
        self.enter_as(key, TurnToken::fresh())
    }

    /// Whether the turn that the caller runs inside of, or one around it, holds `key`.
    pub(crate) fn is_held_by_current_turn(&self, key: &ConversationKey) -> bool {
        TurnToken::current().is_some_and(|current| {
            let lanes = self.lanes();
            lanes
                .held
                .get(key)
                .is_some_and(|lane| lane.inside().any(|turn| current.is_within(turn)))
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

    fn enter_as(&self, key: &ConversationKey, token: TurnToken) -> Entering {
        let mut lanes = self.lanes();
        if token.is_nested() && lanes.closes_a_circle(&token, key) {
            let refusal = WouldDeadlock { key: key.clone() };
            return Entering {
                gate: self.clone(),
                state: EnteringState::Refused(refusal),
            };
        }
        let number = lanes.next_waiter;
        let state = match lanes.held.entry(key.clone()) {
            Entry::Vacant(vacant) => {
                vacant.insert(Lane::held_by(&token));
                EnteringState::Admitted(Some(self.guard(key, token)))
            }
            Entry::Occupied(mut occupied) if token.is_within(occupied.get().innermost()) => {
                occupied.get_mut().nested.push(token.id());
                EnteringState::Admitted(Some(self.guard(key, token)))
            }
            Entry::Occupied(mut occupied) => {
                let (admit, admitted) = oneshot::channel();
                occupied.get_mut().waiters.push_back(Waiter {
                    number,
                    token: token.clone(),
                    admit,
                });
                lanes.next_waiter += 1;
                let nested_in = token.is_nested().then(|| token.root());
                lanes.nested.extend(nested_in.map(|root| (root, key.clone())));
                EnteringState::Waiting(Waiting {
                    admitted,
                    key: key.clone(),
                    nested_in,
                    number,
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

    fn leave(&self, key: &ConversationKey, turn: TurnId) {
        let mut lanes = self.lanes();
        let Entry::Occupied(mut occupied) = lanes.held.entry(key.clone()) else {
            return;
        };
        let next = occupied.get_mut().leave(turn);
        if next.is_none() && occupied.get().is_empty() {
            occupied.remove();
        }
        drop(lanes);
        if let Some(next) = next {
            // A waiter that gave up in this instant hands its guard back; dropping it admits the one behind.
            drop(next.admit.send(self.guard(key, next.token)));
        }
    }

    fn stop_waiting(&self, waiting: &Waiting) {
        let mut lanes = self.lanes();
        if let Some(root) = waiting.nested_in
            && let Some(at) = lanes
                .nested
                .iter()
                .position(|(turn, key)| *turn == root && *key == waiting.key)
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
    /// Whether `token`, were it to wait for `key`, would wait for itself: somebody ahead of it in `key`'s
    /// queue waits, directly or over others, for a conversation that `token`'s turn holds. Turns of one root
    /// count as one.
    fn closes_a_circle(&self, token: &TurnToken, key: &ConversationKey) -> bool {
        let mut ahead: Vec<TurnId> = match self.held.get(key) {
            // Waiting for a sibling, a turn that the same handler started beside this one: that one goes on.
            Some(lane) if lane.root != token.root() => lane.roots_up_to(None).collect(),
            _ => return false,
        };
        let mut seen: Vec<TurnId> = Vec::new();
        while let Some(other) = ahead.pop() {
            if other == token.root() {
                return true;
            }
            if seen.contains(&other) {
                continue;
            }
            seen.push(other);
            for (_, wanted) in self.nested.iter().filter(|(waiter, _)| *waiter == other) {
                ahead.extend(
                    self.held
                        .get(wanted)
                        .into_iter()
                        .flat_map(|lane| lane.roots_up_to(Some(other))),
                );
            }
        }
        false
    }
}

impl Lane {
    fn held_by(token: &TurnToken) -> Self {
        Self {
            holder: token.id(),
            nested: Vec::new(),
            root: token.root(),
            waiters: VecDeque::new(),
        }
    }

    fn inside(&self) -> impl Iterator<Item = TurnId> {
        std::iter::once(self.holder).chain(self.nested.iter().copied())
    }

    /// The turn that goes on at the moment: those around it wait for it.
    fn innermost(&self) -> TurnId {
        self.nested.last().copied().unwrap_or(self.holder)
    }

    /// The roots of those inside and of those who wait before `waiter` does.
    fn roots_up_to(&self, waiter: Option<TurnId>) -> impl Iterator<Item = TurnId> {
        let waiting = self.waiters.iter().map(|waiter| waiter.token.root());
        std::iter::once(self.root).chain(waiting.take_while(move |root| Some(*root) != waiter))
    }

    fn is_empty(&self) -> bool {
        self.holder == NOBODY
    }

    /// `turn` leaves. Gives the waiter that comes in for it; it counts as inside already.
    fn leave(&mut self, turn: TurnId) -> Option<Waiter> {
        if turn != self.holder {
            self.nested.retain(|nested| *nested != turn);
        } else if self.nested.is_empty() {
            self.holder = NOBODY;
            let next = self.waiters.pop_front()?;
            (self.holder, self.root) = (next.token.id(), next.token.root());
            return Some(next);
        } else {
            // A turn nested in one that was cut off: the conversation stays held until it has ended.
            self.holder = self.nested.remove(0);
        }
        // A sibling of the one that left may go on within what is still inside.
        let innermost = self.innermost();
        let at = self
            .waiters
            .iter()
            .position(|waiter| waiter.token.is_within(innermost))?;
        let next = self.waiters.remove(at)?;
        self.nested.push(next.token.id());
        Some(next)
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
    /// The root of the turn that waits inside of, if it does.
    nested_in: Option<TurnId>,
    number: u64,
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
        self.token.clone()
    }

    /// The conversation that is held.
    pub fn key(&self) -> &ConversationKey {
        &self.key
    }
}

impl Drop for GateGuard {
    fn drop(&mut self) {
        self.gate.leave(&self.key, self.token.id());
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
