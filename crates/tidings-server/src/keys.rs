//! API keys: who may use `/api/v1`, and for what.
//!
//! The database keeps a key's SHA-256, name, scopes and times; the key itself is shown once. All keys are held in memory
//! too. Where one process has the database to itself, what it revokes is revoked everywhere at once; where several nodes
//! share it, the others know within [`LOOK_EVERY`].

mod news;
pub(crate) mod scope;
mod table;
pub(crate) mod token;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde::{Serialize, Serializer};
use tidings_store::{Clock, Database, StoreError};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::audit::{self, Use};
pub use scope::{Scope, UnknownScope};
use table::Version;
pub(crate) use table::is_any_live;
use token::Token;

/// The most keys on record. Beyond it the oldest revoked or expired one gives its place.
const MAX_KEYS: usize = 1000;
/// The longest name, in characters.
const MAX_NAME: usize = 64;
/// The longest life that can be given to a key; without one it lives until it is revoked.
const MAX_LIFE: SignedDuration = SignedDuration::from_hours(10 * 366 * 24);
/// How often a node looks for what others have made and revoked.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How exactly the last use of a key is kept: each use would otherwise be a commit.
const USE_GRAIN: SignedDuration = SignedDuration::from_mins(1);

/// A key as lists show it; what opens the door is not in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ApiKey {
    /// Its id, the middle part of `tid_<id>_<secret>`. It is no secret.
    pub id: String,
    /// What it is for, in its maker's words.
    pub name: String,
    /// What it may do.
    #[serde(serialize_with = "as_texts")]
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is refused; `None` for never.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
}

fn as_texts<S: Serializer>(scopes: &[Scope], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(scopes.iter().map(|scope| scope.as_str()))
}

/// Whether a key opens anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyState {
    /// It does.
    Live,
    /// No longer: its time is over.
    Expired,
    /// No longer: somebody has revoked it.
    Revoked,
}

impl ApiKey {
    /// Whether it opens anything at `now`.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> KeyState {
        if self.revoked_at.is_some() {
            KeyState::Revoked
        } else if self.expires_at.is_some_and(|expires| expires <= now) {
            KeyState::Expired
        } else {
            KeyState::Live
        }
    }
}

/// A key and its state at the time of asking: `GET /api/v1/keys`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ListedKey {
    /// The key.
    #[serde(flatten)]
    pub key: ApiKey,
    /// Whether it opens anything.
    pub state: KeyState,
}

/// What a new key shall be.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// What it is for: 1 to 64 characters without control characters.
    pub name: String,
    /// What it may do: at least one scope.
    pub scopes: Vec<Scope>,
    /// From when on it is refused: in the future, at most ten years from now; `None` for never.
    pub expires_at: Option<Timestamp>,
}

/// A key that was just made.
#[derive(Debug)]
#[non_exhaustive]
pub struct CreatedKey {
    /// The key as lists show it.
    pub key: ApiKey,
    /// The key itself, `tid_<id>_<secret>`. It is kept nowhere: whoever loses it makes another.
    pub text: SecretString,
}

/// Why a key was not made or not revoked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// A part of [`NewKey`] does not fit.
    #[error("{field} {problem}")]
    Invalid {
        /// The part, as the API calls it.
        field: &'static str,
        /// What it must be.
        problem: String,
    },
    /// So many keys are live that there is no place for another.
    #[error("{0} keys are live, which is the most there can be: revoke one that is not used")]
    TooMany(usize),
    /// The database refused.
    #[error(transparent)]
    Store(#[from] StoreError),
}

struct Stored {
    key: ApiKey,
    hash: [u8; 32],
}

struct Known {
    stored: Stored,
    revoked: CancellationToken,
}

/// The keys of one database. A clone is another handle to the same keys.
#[derive(Clone)]
pub struct Keys {
    inner: Arc<Inner>,
}

struct Inner {
    database: Database,
    clock: Arc<dyn Clock>,
    most: usize,
    known: RwLock<HashMap<String, Known>>,
    /// What was last read. Held while a key is made or revoked, and while news is read.
    change: Mutex<Version>,
}

/// Why a key that was presented does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadKey {
    /// No such key, or not its secret: which of the two is not told.
    Unknown,
    Revoked,
    Expired,
}

/// A key that was proved just now.
pub(crate) struct Proved {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) scopes: Vec<Scope>,
    /// Cancelled when it is revoked.
    pub(crate) revoked: CancellationToken,
    /// How long it lives unless it is revoked.
    pub(crate) expires_in: Option<SignedDuration>,
}

impl Keys {
    /// The keys of `database`, which [`open_database`](crate::open_database) has opened.
    ///
    /// # Errors
    ///
    /// The database refused.
    pub async fn open(database: Database, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        Self::open_with(database, clock, MAX_KEYS).await
    }

    async fn open_with(database: Database, clock: Arc<dyn Clock>, most: usize) -> Result<Self, StoreError> {
        let (version, stored) = database
            .read(|tx| Ok((table::version(tx)?, table::all(tx)?)))
            .await?;
        let known = stored
            .into_iter()
            .map(|stored| (stored.key.id.clone(), Known::new(stored)))
            .collect();
        let inner = Arc::new(Inner {
            database,
            clock,
            most,
            known: RwLock::new(known),
            change: Mutex::new(version),
        });
        if inner.database.is_multi_node() {
            tokio::spawn(news::look(Arc::downgrade(&inner), LOOK_EVERY));
        }
        Ok(Self { inner })
    }

    /// Makes a key. `record` goes into the audit in the same commit, with the new id as its target; the HTTP routes
    /// have put theirs on record before.
    ///
    /// # Errors
    ///
    /// [`KeyError`]; then there is no new key.
    pub async fn create(&self, new: NewKey, record: Option<Use>) -> Result<CreatedKey, KeyError> {
        let new = NewKey {
            name: name(&new.name)?,
            scopes: scopes(&new.scopes)?,
            expires_at: expiry(new.expires_at, self.now())?,
        };
        let keys = self.clone();
        to_its_end(async move { keys.create_now(new, record).await }).await
    }

    async fn create_now(&self, new: NewKey, record: Option<Use>) -> Result<CreatedKey, KeyError> {
        let _one_at_a_time = self.inner.up_to_date().await?;
        let now = self.now();
        let makes_room = self.place(now)?;
        let (id, text, hash) = token::generate();
        let key = ApiKey {
            id,
            name: new.name,
            scopes: new.scopes,
            created_at: now,
            expires_at: new.expires_at,
            revoked_at: None,
            last_used_at: None,
        };
        let (written, gone) = (key.clone(), makes_room.clone());
        self.inner
            .database
            .write(move |tx| {
                if let Some(gone) = gone {
                    table::delete(tx, &gone)?;
                }
                table::insert(tx, &written, hash)?;
                audit::write_done(tx, record.map(|record| record.target(&written.id)), now)
            })
            .await?;
        let mut known = self.known_mut();
        if let Some(gone) = makes_room {
            known.remove(&gone);
        }
        let stored = Stored {
            key: key.clone(),
            hash,
        };
        known.insert(key.id.clone(), Known::new(stored));
        drop(known);
        Ok(CreatedKey { key, text })
    }

    /// The key that gives its place to a new one; `None` if there is room.
    fn place(&self, now: Timestamp) -> Result<Option<String>, KeyError> {
        let known = self.known();
        if known.len() < self.inner.most {
            return Ok(None);
        }
        known
            .values()
            .map(|known| &known.stored.key)
            .filter(|key| key.state(now) != KeyState::Live)
            .min_by_key(|key| (key.created_at, &key.id))
            .map(|key| Some(key.id.clone()))
            .ok_or(KeyError::TooMany(self.inner.most))
    }

    /// Revokes a key, for good: whoever uses it is refused when this returns, and its open event streams end. `None` if
    /// there is no such key; revoking twice is fine. `record` is as in [`create`](Self::create).
    ///
    /// # Errors
    ///
    /// The database refused; then the key is as it was.
    pub async fn revoke(&self, id: &str, record: Option<Use>) -> Result<Option<ListedKey>, StoreError> {
        let (keys, id) = (self.clone(), id.to_owned());
        to_its_end(async move { keys.revoke_now(id, record).await }).await
    }

    async fn revoke_now(&self, id: String, record: Option<Use>) -> Result<Option<ListedKey>, StoreError> {
        let _one_at_a_time = self.inner.up_to_date().await?;
        if !self.known().contains_key(&id) {
            return Ok(None);
        }
        let now = self.now();
        let written = id.clone();
        self.inner
            .database
            .write(move |tx| {
                table::revoke(tx, &written, now)?;
                audit::write_done(tx, record.map(|record| record.target(&written)), now)
            })
            .await?;
        let mut known = self.known_mut();
        Ok(known.get_mut(&id).map(|known| {
            known.stored.key.revoked_at.get_or_insert(now);
            known.revoked.cancel();
            known.listed(now)
        }))
    }

    /// Every key, the newest first.
    ///
    /// # Errors
    ///
    /// The database refused.
    pub async fn list(&self) -> Result<Vec<ListedKey>, StoreError> {
        drop(self.inner.up_to_date().await?);
        let now = self.now();
        let mut keys: Vec<ListedKey> = self.known().values().map(|known| known.listed(now)).collect();
        keys.sort_by(|one, other| {
            (other.key.created_at, &other.key.id).cmp(&(one.key.created_at, &one.key.id))
        });
        Ok(keys)
    }

    /// Whether any key opens anything.
    #[must_use]
    pub fn any_live(&self) -> bool {
        let now = self.now();
        self.known()
            .values()
            .any(|known| known.stored.key.state(now) == KeyState::Live)
    }

    /// Whose key `token` is.
    pub(crate) fn prove(&self, token: &Token<'_>) -> Result<Proved, BadKey> {
        let known = self.known();
        let known = known
            .get(token.id)
            .filter(|known| token.proves(&known.stored.hash))
            .ok_or(BadKey::Unknown)?;
        let (key, now) = (&known.stored.key, self.now());
        // Whoever has the secret may know what became of the key.
        match key.state(now) {
            KeyState::Revoked => Err(BadKey::Revoked),
            KeyState::Expired => Err(BadKey::Expired),
            KeyState::Live => Ok(Proved {
                id: key.id.clone(),
                name: key.name.clone(),
                scopes: key.scopes.clone(),
                revoked: known.revoked.clone(),
                expires_in: key.expires_at.map(|expires| expires.duration_since(now)),
            }),
        }
    }

    /// Keeps that a key was used, if the last use on record is not of this minute.
    pub(crate) async fn used(&self, id: &str) {
        let now = self.now();
        {
            let mut known = self.known_mut();
            let Some(known) = known.get_mut(id) else { return };
            let last = &mut known.stored.key.last_used_at;
            if last.is_some_and(|last| now.duration_since(last) < USE_GRAIN) {
                return;
            }
            *last = Some(now);
        }
        let written = id.to_owned();
        let write = self
            .inner
            .database
            .write(move |tx| table::touch(tx, &written, now));
        if let Err(error) = write.await {
            tracing::warn!(key.id = id, error = %error, "that an API key was used could not be kept");
        }
    }

    fn now(&self) -> Timestamp {
        to_microseconds(self.inner.clock.now())
    }

    fn known(&self) -> RwLockReadGuard<'_, HashMap<String, Known>> {
        self.inner.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn known_mut(&self) -> RwLockWriteGuard<'_, HashMap<String, Known>> {
        self.inner.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn new(stored: Stored) -> Self {
        let revoked = CancellationToken::new();
        if stored.key.revoked_at.is_some() {
            revoked.cancel();
        }
        Self { stored, revoked }
    }

    fn listed(&self, now: Timestamp) -> ListedKey {
        let key = self.stored.key.clone();
        let state = key.state(now);
        ListedKey { key, state }
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

/// Runs `change` to its end, also if its caller goes away in the middle: what is in the database must be in memory.
async fn to_its_end<T: Send + 'static, E: From<StoreError> + Send + 'static>(
    change: impl Future<Output = Result<T, E>> + Send + 'static,
) -> Result<T, E> {
    tokio::spawn(change)
        .await
        .unwrap_or_else(|_| Err(StoreError::Closed.into()))
}

/// As exactly as the database keeps it: what is told of a key must not change with a restart.
fn to_microseconds(time: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(time)
}

fn name(name: &str) -> Result<String, KeyError> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(KeyError::Invalid {
            field: "name",
            problem: format!("must have 1 to {MAX_NAME} characters, none of them a control character"),
        });
    }
    Ok(name.to_owned())
}

fn scopes(scopes: &[Scope]) -> Result<Vec<Scope>, KeyError> {
    let mut scopes = scopes.to_vec();
    scopes.sort_unstable();
    scopes.dedup();
    if scopes.is_empty() {
        let all = Scope::ALL.map(Scope::as_str).join(", ");
        return Err(KeyError::Invalid {
            field: "scopes",
            problem: format!("must name at least one scope of {all}"),
        });
    }
    Ok(scopes)
}

fn expiry(expires_at: Option<Timestamp>, now: Timestamp) -> Result<Option<Timestamp>, KeyError> {
    let fits = expires_at.is_none_or(|at| at > now && at.duration_since(now) <= MAX_LIFE);
    if fits {
        return Ok(expires_at.map(to_microseconds));
    }
    Err(KeyError::Invalid {
        field: "expiresAt",
        problem: "must be in the future, at most ten years from now".to_owned(),
    })
}

#[cfg(test)]
mod tests;
