//! Connections that wait for their next request.
//!
//! A connection is back here before the call that used it returns, and a new one is opened only while none waits. So
//! there are never more connections to a connector than there were calls to it at one time. Where there are many and calls
//! are short, the odd one that finds all of them in use waits a moment for the next to come back: that is sooner than a
//! new one is open, and a burst does not leave more connections behind than are of use.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use http::Uri;
use http::uri::{Authority, Scheme};
use hyper::client::conn::http1::SendRequest;
use tokio::sync::oneshot;
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

/// So many connections to a connector are opened without waiting. It is also how many messages the engine has on their
/// way at once.
const FREELY: usize = 64;

/// How long a call beyond those waits for a connection to come back, and how long the calls to a connector may take on average for
/// that to be worth it.
const PATIENCE: Duration = Duration::from_millis(10);
const SHORT_CALL: Duration = Duration::from_millis(10);

/// A call that waits weighs as much as so many that found a connection at once; beyond the limit there are too few
/// connections. So there are as many as let about one call in sixteen wait.
const WAIT_WEIGHS: u32 = 16;
const MOST_PRESSURE: u32 = 256;

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
    lines: HashMap<Origin, Arc<Mutex<Line>>>,
    is_swept: bool,
}

/// One connector: its idle connections, and the calls to it.
#[derive(Debug, Default)]
struct Line {
    idle: Vec<Idle>,
    /// Calls that wait for a connection to come back, the first of them first.
    callers: VecDeque<oneshot::Sender<Connection>>,
    /// Calls under way, those that wait included.
    calls: usize,
    /// About how long a call takes.
    pace: Duration,
    /// How much calls had to wait of late.
    pressure: u32,
}

#[derive(Debug)]
struct Idle {
    connection: Connection,
    since: Instant,
}

impl Idle {
    fn is_of_use(&self, now: Instant) -> bool {
        self.connection.is_ready() && now.duration_since(self.since) < IDLE_TIME
    }
}

impl Line {
    /// The connection that was used last, so that those which are not needed grow old.
    fn take(&mut self) -> Option<Connection> {
        let now = Instant::now();
        while let Some(next) = self.idle.pop() {
            if next.is_of_use(now) {
                self.pressure = self.pressure.saturating_sub(1);
                return Some(next.connection);
            }
        }
        None
    }

    /// A place among those that wait, if there are many connections and one will come back soon.
    fn queue(&mut self) -> Option<oneshot::Receiver<Connection>> {
        if self.pace > SHORT_CALL {
            return None;
        }
        self.callers.retain(|caller| !caller.is_closed());
        // Of those that have a connection, or are about to, one is the call that asks.
        if self.calls.saturating_sub(self.callers.len()) <= FREELY {
            return None;
        }
        self.pressure += WAIT_WEIGHS;
        if self.pressure > MOST_PRESSURE {
            self.pressure = 0;
            return None;
        }
        let (caller, comes_back) = oneshot::channel();
        self.callers.push_back(caller);
        Some(comes_back)
    }

    fn give(&mut self, mut connection: Connection) {
        while let Some(caller) = self.callers.pop_front() {
            match caller.send(connection) {
                Ok(()) => return,
                // It waits no more.
                Err(unsent) => connection = unsent,
            }
        }
        if self.idle.len() < MOST_IDLE {
            self.idle.push(Idle {
                connection,
                since: Instant::now(),
            });
        }
    }
}

impl Pool {
    pub(super) fn new() -> Self {
        Self {
            shelf: Arc::default(),
        }
    }

    /// A call to `origin` begins; it ends with the drop of what this returns.
    pub(super) fn call(&self, origin: Origin) -> Call {
        let mut shelf = lock(&self.shelf);
        let line = match shelf.lines.get(&origin) {
            Some(line) => Arc::clone(line),
            None => Arc::clone(shelf.lines.entry(origin.clone()).or_default()),
        };
        if !shelf.is_swept {
            shelf.is_swept = true;
            tokio::spawn(sweep(Arc::downgrade(&self.shelf)));
        }
        drop(shelf);
        lock(&line).calls += 1;
        Call {
            origin,
            line,
            began: Instant::now(),
        }
    }
}

/// A call under way.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) origin: Origin,
    line: Arc<Mutex<Line>>,
    began: Instant,
}

impl Call {
    /// A connection that was used before, if one waits or comes back in a moment.
    pub(super) async fn connection(&self) -> Option<Connection> {
        let mut comes_back = {
            let mut line = lock(&self.line);
            if let Some(connection) = line.take() {
                return Some(connection);
            }
            line.queue()?
        };
        let back = match tokio::time::timeout(PATIENCE, &mut comes_back).await {
            Ok(back) => back.ok(),
            Err(_) => {
                // It may have come back in this very moment.
                comes_back.close();
                comes_back.try_recv().ok()
            }
        };
        back.filter(Connection::is_ready)
    }

    /// Keeps a connection whose answer was read to the end.
    pub(super) async fn put_back(self, mut connection: Connection) {
        let took = self.began.elapsed();
        let ready = tokio::time::timeout(SETTLING_TIME, connection.ready()).await;
        if !matches!(ready, Ok(Ok(()))) {
            return;
        }
        let mut line = lock(&self.line);
        line.pace = (line.pace * 7 + took) / 8;
        line.give(connection);
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        lock(&self.line).calls -= 1;
    }
}

/// Closes what waited too long, until nothing waits.
async fn sweep(shelf: Weak<Mutex<Shelf>>) {
    loop {
        tokio::time::sleep(IDLE_TIME).await;
        let Some(shelf) = shelf.upgrade() else { return };
        let mut shelf = lock(&shelf);
        let now = Instant::now();
        shelf.lines.retain(|_, line| {
            let mut line = lock(line);
            line.idle.retain(|idle| idle.is_of_use(now));
            !line.idle.is_empty() || line.calls > 0
        });
        if shelf.lines.is_empty() {
            shelf.is_swept = false;
            return;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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

    fn idle(pool: &Pool) -> usize {
        lock(&pool.shelf)
            .lines
            .values()
            .map(|line| lock(line).idle.len())
            .sum()
    }

    /// So many calls under way that the next one waits.
    fn busy(pool: &Pool, origin: &Origin) -> Vec<Call> {
        (0..FREELY).map(|_| pool.call(origin.clone())).collect()
    }

    /// Has a call give a connection back.
    async fn put_back(pool: &Pool, origin: &Origin, connection: Connection) {
        pool.call(origin.clone()).put_back(connection).await;
    }

    #[tokio::test]
    async fn connections_go_back_to_whom_they_lead() {
        let (pool, here) = (Pool::new(), origin("http://127.0.0.1:1"));
        let (connection, _theirs) = connection().await;
        assert!(pool.call(here.clone()).connection().await.is_none());
        put_back(&pool, &here, connection).await;
        for other in ["http://127.0.0.1:2", "https://127.0.0.1:1", "http://127.0.0.2:1"] {
            assert!(pool.call(origin(other)).connection().await.is_none(), "{other}");
        }
        assert!(pool.call(here.clone()).connection().await.is_some());
        assert!(
            pool.call(here.clone()).connection().await.is_none(),
            "one call at a time"
        );
    }

    #[tokio::test]
    async fn a_closed_connection_is_of_no_use() {
        let (pool, here) = (Pool::new(), origin("http://127.0.0.1:1"));
        let (first, theirs) = connection().await;
        let (second, _theirs) = connection().await;
        put_back(&pool, &here, second).await;
        put_back(&pool, &here, first).await;
        drop(theirs);
        let call = pool.call(here.clone());
        // The connection's task has to see it.
        while lock(&call.line).idle[1].connection.is_ready() {
            tokio::task::yield_now().await;
        }
        assert!(call.connection().await.is_some());
        assert_eq!(idle(&pool), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn connections_wait_a_limited_time() {
        let (pool, here) = (Pool::new(), origin("http://127.0.0.1:1"));
        let (connection, _theirs) = connection().await;
        put_back(&pool, &here, connection).await;
        tokio::time::advance(IDLE_TIME - Duration::from_millis(1)).await;
        let connection = pool.call(here.clone()).connection().await.expect("just in time");
        put_back(&pool, &here, connection).await;
        tokio::time::advance(IDLE_TIME).await;
        assert!(pool.call(here.clone()).connection().await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn what_waited_too_long_is_closed_by_itself() {
        let (pool, here) = (Pool::new(), origin("http://127.0.0.1:1"));
        let (connection, mut theirs) = connection().await;
        put_back(&pool, &here, connection).await;
        let read = tokio::io::AsyncReadExt::read(&mut theirs, &mut [0; 8]).await;
        assert_eq!(read.expect("the end"), 0);
        assert_eq!(idle(&pool), 0);
        assert!(lock(&pool.shelf).lines.is_empty());
        assert!(!lock(&pool.shelf).is_swept);
    }

    #[tokio::test]
    async fn a_limited_number_waits() {
        let (pool, here) = (Pool::new(), origin("http://127.0.0.1:1"));
        let mut others = Vec::new();
        for count in 1..=MOST_IDLE + 1 {
            let (connection, theirs) = connection().await;
            others.push(theirs);
            put_back(&pool, &here, connection).await;
            assert_eq!(idle(&pool), count.min(MOST_IDLE));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_waits_a_moment_for_a_connection_to_come_back() {
        let (pool, here) = (Pool::new(), origin("http://127.0.0.1:1"));
        let (connection, _theirs) = connection().await;
        let busy = busy(&pool, &here);
        let (first, second, third) = (
            pool.call(here.clone()),
            pool.call(here.clone()),
            pool.call(here.clone()),
        );
        let used = tokio::join!(second.connection(), third.connection(), async {
            tokio::task::yield_now().await;
            first.put_back(connection).await;
        });
        let (Some(connection), None) = (used.0, used.1) else {
            panic!("one came back, for the one that had waited longest");
        };
        // At the limit, the next call does not wait.
        drop((second, third));
        assert_eq!(lock(&busy[0].line).calls, FREELY);
        let mut busy = busy;
        drop(busy.pop());
        let last = pool.call(here.clone());
        let before = Instant::now();
        assert!(last.connection().await.is_none());
        assert_eq!(before.elapsed(), Duration::ZERO);
        drop(connection);
    }

    #[tokio::test(start_paused = true)]
    async fn where_too_many_would_wait_there_are_too_few_connections() {
        let (pool, here) = (Pool::new(), origin("http://127.0.0.1:1"));
        let _busy = busy(&pool, &here);
        let waits = async || {
            let before = Instant::now();
            assert!(pool.call(here.clone()).connection().await.is_none());
            !before.elapsed().is_zero()
        };
        let mut waited = Vec::new();
        let most = (MOST_PRESSURE / WAIT_WEIGHS) as usize;
        for _ in 0..most + 2 {
            waited.push(waits().await);
        }
        assert_eq!(waited.iter().position(|waited| !waited), Some(most));
        assert!(waited[most + 1]);
        // Calls that find a connection at once outweigh those that wait.
        let (mut connection, _theirs) = connection().await;
        for _ in 0..=MOST_PRESSURE {
            put_back(&pool, &here, connection).await;
            connection = pool.call(here.clone()).connection().await.expect("it waits");
        }
        for _ in 0..most {
            assert!(waits().await);
        }
        assert!(!waits().await);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_longer_than_that_or_where_calls_are_long() {
        let (pool, here) = (Pool::new(), origin("http://127.0.0.1:1"));
        let _busy = busy(&pool, &here);
        let (slow, next) = (pool.call(here.clone()), pool.call(here.clone()));
        let before = Instant::now();
        assert!(next.connection().await.is_none());
        assert!(before.elapsed() >= PATIENCE);
        let (connection, _theirs) = connection().await;
        tokio::time::advance(SHORT_CALL * 9).await;
        slow.put_back(connection).await;
        let taken = next.connection().await.expect("the one that came back");
        let before = Instant::now();
        assert!(pool.call(here.clone()).connection().await.is_none());
        assert_eq!(
            before.elapsed(),
            Duration::ZERO,
            "it would take too long to come back"
        );
        drop(taken);
    }
}
