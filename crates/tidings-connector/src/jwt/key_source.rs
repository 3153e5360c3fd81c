//! One issuer's keys: looked up when they are needed, kept for a day.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::ACCEPT;
use http::{Request, StatusCode, Uri};
use serde::Deserialize;
use tokio::sync::watch;

use super::key_set::{Key, KeySet};
use super::metadata_url::metadata_url;
use super::refusal::{Refusal, RefusalReason};
use super::{KEYS_LIFE, MAX_DOCUMENT_BYTES, REFETCH_FLOOR, RETRY_FLOOR};
use crate::transport::{Deadline, Transport};

/// The keys behind one metadata document (`OpenID` Connect Discovery, section 4).
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

/// Of the metadata, the one thing that is needed. Its `issuer` is not asked: the tenant-independent document has none
/// that a token could have.
#[derive(Deserialize)]
struct Metadata {
    jwks_uri: String,
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
            let outcome = source.fetch().await;
            source.settle(outcome, now);
            drop(landing);
        });
        Some(flight)
    }

    fn settle(&self, outcome: Result<KeySet, String>, now: SystemTime) {
        let mut state = self.lock();
        match outcome {
            Ok(keys) => {
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

    async fn fetch(&self) -> Result<KeySet, String> {
        let deadline = Deadline::after(self.timeout);
        let text = self.get(self.metadata.clone(), deadline).await?;
        let Metadata { jwks_uri } = serde_json::from_slice(&text)
            .map_err(|error| format!("{} is not OpenID metadata: {error}", self.metadata))?;
        let address =
            metadata_url(&jwks_uri).map_err(|fault| format!("the jwks_uri of {} {fault}", self.metadata))?;
        let text = self.get(address.clone(), deadline).await?;
        KeySet::parse(&text).map_err(|fault| format!("{address} {fault}"))
    }

    async fn get(&self, address: Uri, deadline: Deadline) -> Result<Bytes, String> {
        let request = Request::get(address.clone())
            .header(ACCEPT, "application/json")
            .body(None)
            .map_err(|error| error.to_string())?;
        let answer = self
            .transport
            .exchange(request, deadline, MAX_DOCUMENT_BYTES)
            .await
            .map_err(|error| error.message)?;
        if answer.status != StatusCode::OK {
            return Err(format!("{address} answered {}", answer.status));
        }
        match answer.fault {
            None => Ok(answer.body),
            Some(fault) => Err(format!("{address} answered, but {fault}")),
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
