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
const SETTLING_TIME: Duration = Duration::from_millis(500);

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

#[cfg(test)]
mod tests {
    use hyper::client::conn::http1;
    use hyper_util::rt::TokioIo;
    use tokio::io::DuplexStream;

    use super::*;

    fn origin(address: &'static str) -> Origin {
        Origin::of(&Uri::from_static(address)).expect("an origin")
    }

    /// A connection and its other end.
    async fn connection() -> (Connection, DuplexStream) {
        let (ours, theirs) = tokio::io::duplex(64);
        let (connection, driver) = http1::handshake(TokioIo::new(ours))
            .await
            .expect("no bytes are needed");
        tokio::spawn(driver);
        (connection, theirs)
    }

    fn waiting(pool: &Pool) -> usize {
        lock(&pool.shelf).waiting.values().map(Vec::len).sum()
    }

    #[tokio::test]
    async fn connections_go_back_to_whom_they_lead() {
        let (pool, here) = (Pool::new(), origin("http://127.0.0.1:1"));
        let (connection, _theirs) = connection().await;
        assert!(pool.take(&here).is_none());
        pool.put_back(here.clone(), connection).await;
        for other in ["http://127.0.0.1:2", "https://127.0.0.1:1", "http://127.0.0.2:1"] {
            assert!(pool.take(&origin(other)).is_none(), "{other}");
        }
        assert!(pool.take(&here).is_some());
        assert!(pool.take(&here).is_none(), "one call at a time");
    }

    #[tokio::test]
    async fn a_closed_connection_is_of_no_use() {
        let (pool, here) = (Pool::new(), origin("http://127.0.0.1:1"));
        let (first, theirs) = connection().await;
        let (second, _theirs) = connection().await;
        pool.put_back(here.clone(), second).await;
        pool.put_back(here.clone(), first).await;
        drop(theirs);
        // The connection's task has to see it.
        while lock(&pool.shelf).waiting[&here][1].connection.is_ready() {
            tokio::task::yield_now().await;
        }
        assert!(pool.take(&here).is_some());
        assert_eq!(waiting(&pool), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn connections_wait_a_limited_time() {
        let (pool, here) = (Pool::new(), origin("http://127.0.0.1:1"));
        let (connection, _theirs) = connection().await;
        pool.put_back(here.clone(), connection).await;
        tokio::time::advance(IDLE_TIME - Duration::from_millis(1)).await;
        let connection = pool.take(&here).expect("just in time");
        pool.put_back(here.clone(), connection).await;
        tokio::time::advance(IDLE_TIME).await;
        assert!(pool.take(&here).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn what_waited_too_long_is_closed_by_itself() {
        let (pool, here) = (Pool::new(), origin("http://127.0.0.1:1"));
        let (connection, mut theirs) = connection().await;
        pool.put_back(here.clone(), connection).await;
        let read = tokio::io::AsyncReadExt::read(&mut theirs, &mut [0; 8]).await;
        assert_eq!(read.expect("the end"), 0);
        assert_eq!(waiting(&pool), 0);
        assert!(lock(&pool.shelf).waiting.is_empty());
        assert!(!lock(&pool.shelf).is_swept);
    }

    #[tokio::test]
    async fn a_limited_number_waits() {
        let (pool, here) = (Pool::new(), origin("http://127.0.0.1:1"));
        let mut others = Vec::new();
        for count in 1..=MOST_IDLE + 1 {
            let (connection, theirs) = connection().await;
            others.push(theirs);
            pool.put_back(here.clone(), connection).await;
            assert_eq!(waiting(&pool), count.min(MOST_IDLE));
        }
    }
}
