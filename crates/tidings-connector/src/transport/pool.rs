//! Connections that wait for their next request.
//!
//! A connection is back here before the call that used it returns, and a new one is opened only while none waits. So
//! there are never more connections to a connector than there were calls to it at one time.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use http::Uri;
use http::uri::{Authority, Scheme};
use hyper::client::conn::http1::SendRequest;
use tokio::time::Instant;

use crate::SendError;
use crate::departure::Payload;

/// An open HTTP/1.1 connection.
pub(super) type Connection = SendRequest<Payload>;

/// How long a connection waits for its next request, and how many wait for one connector.
const IDLE_TIME: Duration = Duration::from_secs(90);
const MOST_IDLE: usize = 512;

/// How long a call waits for its connection to be ready again. That is the moment in which the connection's own task
/// notes the end of the answer, unless the connector answered before it had read the request.
const SETTLING_TIME: Duration = Duration::from_millis(50);

/// Whom a connection leads to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Origin {
    pub(super) scheme: Scheme,
    pub(super) authority: Authority,
}

impl Origin {
    pub(super) fn of(address: &Uri) -> Result<Self, SendError> {
        match (address.scheme(), address.authority()) {
            (Some(scheme), Some(authority)) => Ok(Self {
                scheme: scheme.clone(),
                authority: authority.clone(),
            }),
            _ => Err(SendError::refused("serviceUrl has no host")),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority)
    }
}

/// The connections that wait, by whom they lead to.
#[derive(Debug)]
pub(super) struct Pool {
    shelf: Arc<Mutex<Shelf>>,
}

#[derive(Debug, Default)]
struct Shelf {
    waiting: HashMap<Origin, Vec<Waiting>>,
    is_swept: bool,
}

#[derive(Debug)]
struct Waiting {
    connection: Connection,
    since: Instant,
}

impl Waiting {
    fn is_of_use(&self, now: Instant) -> bool {
        self.connection.is_ready() && now.duration_since(self.since) < IDLE_TIME
    }
}

impl Pool {
    pub(super) fn new() -> Self {
        Self {
            shelf: Arc::default(),
        }
    }

    /// The connection that was used last, so that those which are not needed grow old.
    pub(super) fn take(&self, origin: &Origin) -> Option<Connection> {
        let mut shelf = lock(&self.shelf);
        let waiting = shelf.waiting.get_mut(origin)?;
        let now = Instant::now();
        while let Some(next) = waiting.pop() {
            if next.is_of_use(now) {
                return Some(next.connection);
            }
        }
        None
    }

    /// Keeps a connection whose answer was read to the end.
    pub(super) async fn put_back(&self, origin: Origin, mut connection: Connection) {
        let ready = tokio::time::timeout(SETTLING_TIME, connection.ready()).await;
        if !matches!(ready, Ok(Ok(()))) {
            return;
        }
        let mut shelf = lock(&self.shelf);
        let waiting = shelf.waiting.entry(origin).or_default();
        if waiting.len() < MOST_IDLE {
            waiting.push(Waiting {
                connection,
                since: Instant::now(),
            });
        }
        if !shelf.is_swept {
            shelf.is_swept = true;
            tokio::spawn(sweep(Arc::downgrade(&self.shelf)));
        }
    }
}

/// Closes what waited too long, until nothing waits.
async fn sweep(shelf: Weak<Mutex<Shelf>>) {
    loop {
        tokio::time::sleep(IDLE_TIME).await;
        let Some(shelf) = shelf.upgrade() else { return };
        let mut shelf = lock(&shelf);
        let now = Instant::now();
        shelf.waiting.retain(|_, waiting| {
            waiting.retain(|waiting| waiting.is_of_use(now));
            !waiting.is_empty()
        });
        if shelf.waiting.is_empty() {
            shelf.is_swept = false;
            return;
        }
    }
}

fn lock(shelf: &Mutex<Shelf>) -> MutexGuard<'_, Shelf> {
    shelf.lock().unwrap_or_else(PoisonError::into_inner)
}
