//! The tokens of one app, one for each audience.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use http::HeaderValue;
use tokio::sync::watch;

use super::builder::Now;
use super::grant::Grant;
use super::provider::{Provider, is_audience};
use crate::CredentialsError;

/// So many audiences beside the channels have a token kept.
const MOST_AUDIENCES: usize = 64;

/// A token is replaced so long before its end, or after half its life if that is less.
const EARLY: Duration = Duration::from_secs(5 * 60);

/// After the first failure the endpoint is left alone so long, after each further one twice as long, up to the second.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// A `Retry-After` is obeyed up to here.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(5 * 60);

/// A connector that refuses every token does not get one made for each call: after a refusal the next token is kept at
/// least so long, whatever connectors say about it.
const REFUSAL_FLOOR: Duration = Duration::from_secs(30);

pub(super) struct TokenCache {
    provider: Arc<Provider>,
    now: Now,
    channels: Arc<Slot>,
    others: Mutex<Others>,
}

#[derive(Default)]
struct Others {
    slots: HashMap<Box<str>, (u64, Arc<Slot>)>,
    uses: u64,
}

/// The token for one audience.
#[derive(Default)]
struct Slot {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    token: Option<Token>,
    flight: Option<Flight>,
    failure: Option<Failure>,
    refused_at: Option<SystemTime>,
}

struct Token {
    header: HeaderValue,
    since: SystemTime,
    lifetime: Duration,
}

/// A request that is under way, and what comes of it.
type Flight = watch::Receiver<Option<Result<HeaderValue, CredentialsError>>>;

struct Failure {
    error: CredentialsError,
    since: SystemTime,
    wait: Duration,
    /// What the wait would have been without a `Retry-After`.
    step: Duration,
}

/// How long ago it was. A clock that was set back makes it "just now".
fn age(since: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(since).unwrap_or_default()
}

impl Token {
    fn is_good(&self, now: SystemTime) -> bool {
        age(self.since, now) < self.lifetime
    }

    fn is_fresh(&self, now: SystemTime) -> bool {
        age(self.since, now) < self.lifetime - EARLY.min(self.lifetime / 2)
    }
}

impl Failure {
    fn after(previous: Option<&Failure>, error: CredentialsError, now: SystemTime) -> Self {
        let step = previous.map_or(FIRST_WAIT, |previous| (previous.step * 2).min(LONGEST_WAIT));
        let asked = error.retry_after.unwrap_or_default().min(LONGEST_RETRY_AFTER);
        Self {
            error,
            since: now,
            wait: step.max(asked),
            step,
        }
    }

    /// Whether it is too early to ask again. A clock that was set back does not make it so.
    fn holds(&self, now: SystemTime) -> bool {
        now.duration_since(self.since).is_ok_and(|age| age < self.wait)
    }
}

impl State {
    fn flight(&self) -> Option<Flight> {
        // One whose task is gone without a word leads nowhere.
        self.flight.clone().filter(|flight| flight.has_changed().is_ok())
    }

    fn failure(&self, now: SystemTime) -> Option<&Failure> {
        self.failure.as_ref().filter(|failure| failure.holds(now))
    }
}

impl TokenCache {
    pub(super) fn new(provider: Provider, now: Now) -> Self {
        Self {
            provider: Arc::new(provider),
            now,
            channels: Arc::default(),
            others: Mutex::default(),
        }
    }

    pub(super) fn provider(&self) -> &Provider {
        &self.provider
    }

    /// The header with a good token.
    pub(super) async fn token(&self, audience: Option<&str>) -> Result<HeaderValue, CredentialsError> {
        if audience.is_some_and(|audience| !is_audience(audience)) {
            return Err(CredentialsError::configuration(
                "the audience is not an app id: a token can be asked only for the bot that called this one",
            ));
        }
        let slot = self.slot(audience);
        let mut flight = {
            let mut state = lock(&slot.state);
            let now = (self.now)();
            match &state.token {
                Some(token) if token.is_good(now) => {
                    let header = token.header.clone();
                    let is_due =
                        !token.is_fresh(now) && state.flight().is_none() && state.failure(now).is_none();
                    if is_due {
                        self.start(&slot, &mut state, audience);
                    }
                    return Ok(header);
                }
                _ => {}
            }
            if let Some(flight) = state.flight() {
                flight
            } else if let Some(failure) = state.failure(now) {
                return Err(failure.error.clone());
            } else {
                self.start(&slot, &mut state, audience)
            }
        };
        let landed = flight
            .wait_for(Option::is_some)
            .await
            .map(|landed| landed.clone());
        landed
            .ok()
            .flatten()
            .unwrap_or_else(|| Err(CredentialsError::new("the request for a token was given up")))
    }

    /// The token `refused` is not used again. Whether another can be had.
    pub(super) fn drop_refused(&self, audience: Option<&str>, refused: &HeaderValue) -> bool {
        let slot = self.slot(audience);
        let mut state = lock(&slot.state);
        let now = (self.now)();
        match &state.token {
            Some(token) if token.header == *refused => {
                if state.refused_at.is_some_and(|at| age(at, now) < REFUSAL_FLOOR) {
                    return false;
                }
                state.token = None;
                state.refused_at = Some(now);
                true
            }
            // Somebody else was faster: there is another, or it is on its way.
            _ => true,
        }
    }

    fn slot(&self, audience: Option<&str>) -> Arc<Slot> {
        let Some(audience) = audience else {
            return Arc::clone(&self.channels);
        };
        let mut others = lock(&self.others);
        others.uses += 1;
        let uses = others.uses;
        if let Some((used, slot)) = others.slots.get_mut(audience) {
            *used = uses;
            return Arc::clone(slot);
        }
        if others.slots.len() >= MOST_AUDIENCES {
            let oldest = others
                .slots
                .iter()
                .min_by_key(|(_, (used, _))| *used)
                .map(|(audience, _)| audience.clone());
            if let Some(oldest) = oldest {
                others.slots.remove(&oldest);
            }
        }
        let slot = Arc::<Slot>::default();
        others.slots.insert(audience.into(), (uses, Arc::clone(&slot)));
        slot
    }

    /// Asks for a token, in a task of its own: who waits for it may give up, others wait for it as well.
    fn start(&self, slot: &Arc<Slot>, state: &mut State, audience: Option<&str>) -> Flight {
        let (sender, flight) = watch::channel(None);
        state.flight = Some(flight.clone());
        let (provider, now, slot) = (
            Arc::clone(&self.provider),
            Arc::clone(&self.now),
            Arc::clone(slot),
        );
        let audience = audience.map(str::to_owned);
        tokio::spawn(async move {
            let asked = now();
            let granted = provider.token(audience.as_deref()).await;
            let landed = slot.land(granted, asked, now(), audience.as_deref());
            sender.send_replace(Some(landed));
        });
        flight
    }
}

impl Slot {
    fn land(
        &self,
        granted: Result<Grant, CredentialsError>,
        asked: SystemTime,
        now: SystemTime,
        audience: Option<&str>,
    ) -> Result<HeaderValue, CredentialsError> {
        let mut state = lock(&self.state);
        state.flight = None;
        match granted {
            Ok(grant) => {
                state.failure = None;
                state.token = Some(Token {
                    header: grant.header.clone(),
                    since: asked,
                    lifetime: grant.lifetime,
                });
                tracing::debug!(
                    token.audience = audience.unwrap_or("channels"),
                    token.lifetime_s = grant.lifetime.as_secs(),
                    "there is a new token"
                );
                Ok(grant.header)
            }
            Err(error) => {
                if let Some(token) = state.token.as_ref().filter(|token| token.is_good(now)) {
                    let left = token.lifetime.saturating_sub(age(token.since, now));
                    tracing::warn!(
                        token.audience = audience.unwrap_or("channels"),
                        token.left_s = left.as_secs(),
                        error.message = %error,
                        "the token could not be replaced early; the old one still serves"
                    );
                }
                state.failure = Some(Failure::after(state.failure.as_ref(), error.clone(), now));
                Err(error)
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
