//! One issuer's keys: looked up when they are needed, kept for a day.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use http::Uri;
use tokio::sync::watch;

use super::key_set::{Key, KeySet};
use super::refusal::{Refusal, RefusalReason};
use super::{KEYS_LIFE, REFETCH_FLOOR, RETRY_FLOOR, published_keys};
use crate::transport::{Deadline, Transport};

/// The keys behind one metadata document.
#[derive(Debug)]
pub(super) struct KeySource {
    metadata: Uri,
    transport: Arc<Transport>,
    timeout: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    keys: Option<Arc<KeySet>>,
    loaded_at: Option<SystemTime>,
    tried_at: Option<SystemTime>,
    /// Why the last try failed, if it did.
    fault: Option<String>,
    /// The running look-up, until its sender is dropped.
    flight: Option<watch::Receiver<()>>,
}

enum Found {
    Key(Arc<Key>),
    Refusal(Refusal),
    Wait(watch::Receiver<()>),
}

impl KeySource {
    pub(super) fn new(metadata: Uri, transport: Arc<Transport>, timeout: Duration) -> Arc<Self> {
        Arc::new(Self {
            metadata,
            transport,
            timeout,
            state: Mutex::default(),
        })
    }

    /// The key that is called `kid`.
    ///
    /// Looks the keys up if there are none, if they are a day old, or if there is none of this name; all callers wait
    /// for one look-up. It is not made again before the floor has passed, whatever is asked for.
    pub(super) async fn key(self: &Arc<Self>, kid: &str, now: SystemTime) -> Result<Arc<Key>, Refusal> {
        match self.find(kid, now, true) {
            Found::Key(key) => return Ok(key),
            Found::Refusal(refusal) => return Err(refusal),
            Found::Wait(flight) => landed(flight).await,
        }
        match self.find(kid, now, false) {
            Found::Key(key) => Ok(key),
            Found::Refusal(refusal) => Err(refusal),
            Found::Wait(_) => Err(RefusalReason::KeysUnavailable.into()),
        }
    }

    /// Looks the keys up if there are none.
    pub(super) async fn load(self: &Arc<Self>, now: SystemTime) -> Result<(), Refusal> {
        let flight = {
            let mut state = self.lock();
            if state.keys.is_some() {
                return Ok(());
            }
            self.join(&mut state, now)
        };
        if let Some(flight) = flight {
            landed(flight).await;
        }
        let state = self.lock();
        match state.keys {
            Some(_) => Ok(()),
            None => Err(self.unavailable(&state)),
        }
    }

    fn find(self: &Arc<Self>, kid: &str, now: SystemTime, may_wait: bool) -> Found {
        let mut state = self.lock();
        let key = state.keys.as_ref().and_then(|keys| keys.get(kid));
        let is_fresh = state
            .loaded_at
            .is_some_and(|loaded| !has_passed(KEYS_LIFE, loaded, now));
        if may_wait
            && !(is_fresh && key.is_some())
            && let Some(flight) = self.join(&mut state, now)
        {
            return Found::Wait(flight);
        }
        match key {
            // Old keys are better than none while new ones cannot be had.
            Some(key) => Found::Key(key),
            // It may be a new key, so the token is not known to be bad.
            None if state.keys.is_none() || state.fault.is_some() => Found::Refusal(self.unavailable(&state)),
            None => Found::Refusal(RefusalReason::UnknownKey.into()),
        }
    }

    /// The running look-up, or a new one if its time has come.
    fn join(self: &Arc<Self>, state: &mut State, now: SystemTime) -> Option<watch::Receiver<()>> {
        if let Some(flight) = &state.flight
            && flight.has_changed().is_ok()
        {
            return Some(flight.clone());
        }
        let floor = if state.keys.is_some() {
            REFETCH_FLOOR
        } else {
            RETRY_FLOOR
        };
        if state.tried_at.is_some_and(|tried| !has_passed(floor, tried, now)) {
            return None;
        }
        let (landing, flight) = watch::channel(());
        state.tried_at = Some(now);
        state.fault = Some("the look-up did not come to an end".to_owned());
        state.flight = Some(flight.clone());
        let source = Arc::clone(self);
        // In a task of its own: a caller who hangs up must not end it, or nobody would ever get keys.
        tokio::spawn(async move {
            let deadline = Deadline::after(source.timeout);
            let outcome = published_keys::fetch(&source.transport, &source.metadata, deadline).await;
            source.settle(outcome, now);
            drop(landing);
        });
        Some(flight)
    }

    fn settle(&self, outcome: Result<(KeySet, Option<SystemTime>), String>, now: SystemTime) {
        let mut state = self.lock();
        match outcome {
            Ok((keys, _)) => {
                state.keys = Some(Arc::new(keys));
                state.loaded_at = Some(now);
                state.fault = None;
            }
            Err(fault) => {
                tracing::warn!(
                    metadata.url = %self.metadata,
                    keys.kept = state.keys.is_some(),
                    error = %fault,
                    "the keys of an issuer of tokens could not be looked up"
                );
                state.fault = Some(fault);
            }
        }
    }

    fn unavailable(&self, state: &State) -> Refusal {
        let fault = state.fault.as_deref().unwrap_or("they are being looked up");
        Refusal::with_detail(RefusalReason::KeysUnavailable, fault.to_owned())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits until the sender is dropped, by whichever end the look-up came to.
async fn landed(mut flight: watch::Receiver<()>) {
    while flight.changed().await.is_ok() {}
}

/// A clock that was set back would otherwise hold the floor up for as long as it was set back.
fn has_passed(span: Duration, since: SystemTime, now: SystemTime) -> bool {
    now.duration_since(since).map_or(true, |age| age >= span)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_has_passed_at_its_end_or_if_the_clock_was_set_back() {
        let (span, since) = (
            Duration::from_secs(300),
            SystemTime::UNIX_EPOCH + Duration::from_secs(1_000),
        );
        let second = Duration::from_secs(1);
        assert!(!has_passed(span, since, since));
        assert!(!has_passed(span, since, since + span - second));
        assert!(has_passed(span, since, since + span));
        assert!(has_passed(span, since, since - second));
    }
}
