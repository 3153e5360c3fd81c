//! Ways to apply load.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use hdrhistogram::Histogram;
use http::Method;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

use crate::connection::Connection;
use crate::tally::histogram;

/// Keeps a closed loop from owing more than a window of messages.
pub(crate) struct Window {
    size: u64,
    pub(crate) owed: AtomicU64,
    pub(crate) taken: AtomicU64,
    moved: Notify,
    over: AtomicBool,
}

impl Window {
    pub(crate) fn new(size: u64, taken: u64) -> Arc<Self> {
        Arc::new(Self {
            size,
            owed: AtomicU64::new(taken),
            taken: AtomicU64::new(taken),
            moved: Notify::new(),
            over: AtomicBool::new(false),
        })
    }

    /// Waits for room for `count` messages and takes it; false when the loop is over.
    pub(crate) async fn enter(&self, count: u64) -> bool {
        loop {
            let moved = self.moved.notified();
            if self.over.load(Ordering::Relaxed) {
                return false;
            }
            let owed = self.owed.load(Ordering::Relaxed);
            if owed < self.taken.load(Ordering::Relaxed) + self.size {
                self.owed.fetch_add(count, Ordering::Relaxed);
                return true;
            }
            moved.await;
        }
    }

    /// Tells how many messages the channel has taken by now.
    pub(crate) fn taken(&self, count: u64) {
        self.taken.store(count, Ordering::Relaxed);
        self.moved.notify_waiters();
    }

    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
        self.moved.notify_waiters();
    }
}

/// What requests are made of: the path, and a body for each number.
pub(crate) trait Requests: Send + Sync + 'static {
    fn path(&self, number: u64) -> String;
    /// `at` is when the request is meant to be made, in microseconds since 1970.
    fn body(&self, number: u64, at: u64) -> Bytes;
    /// The status of an answer that is fine.
    fn status(&self) -> u16;
    /// How many messages a request owes.
    fn messages(&self) -> u64;
}

/// One request after the other on each of `connections`, until the window is over. Returns how long each took, in
/// microseconds.
pub(crate) async fn closed_loop(
    address: SocketAddr,
    connections: u64,
    window: Arc<Window>,
    requests: Arc<impl Requests>,
) -> Result<Histogram<u64>> {
    let mut loops: JoinSet<Result<Histogram<u64>>> = JoinSet::new();
    let next = Arc::new(AtomicU64::new(0));
    for _ in 0..connections {
        let mut connection = Connection::open(address).await?;
        let (window, requests, next) = (Arc::clone(&window), Arc::clone(&requests), Arc::clone(&next));
        loops.spawn(async move {
            let mut took = histogram();
            while window.enter(requests.messages()).await {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let (path, body) = (requests.path(number), requests.body(number, crate::moment::now()));
                let since = Instant::now();
                let (status, answer) = connection.send(Method::POST, &path, body).await?;
                took.saturating_record(micros(since.elapsed()));
                check(requests.status(), status, &answer)?;
            }
            Ok(took)
        });
    }
    all(loops).await
}

/// A request every `1 / rate` seconds, on whichever of `connections` has its turn, whether or not the one before was
/// answered. Returns how long after the time it was meant to be made each was answered, in microseconds.
pub(crate) async fn open_loop(
    address: SocketAddr,
    connections: u64,
    rate: u64,
    duration: Duration,
    requests: Arc<impl Requests>,
) -> Result<Histogram<u64>> {
    let mut loops: JoinSet<Result<Histogram<u64>>> = JoinSet::new();
    let mut turns = Vec::new();
    for _ in 0..connections {
        let mut connection = Connection::open(address).await?;
        let (turn, mut turn_taken) = mpsc::unbounded_channel::<(u64, u64)>();
        turns.push(turn);
        let requests = Arc::clone(&requests);
        loops.spawn(async move {
            let mut took = histogram();
            while let Some((number, at)) = turn_taken.recv().await {
                let (path, body) = (requests.path(number), requests.body(number, at));
                let (status, answer) = connection.send(Method::POST, &path, body).await?;
                took.saturating_record(crate::moment::now().saturating_sub(at));
                check(requests.status(), status, &answer)?;
            }
            Ok(took)
        });
    }
    // A thread of its own, because the runtime's timers know milliseconds only.
    let ticker = std::thread::spawn(move || {
        let (_never, ticks) = channel::<()>();
        let (begin, began_at) = (Instant::now(), crate::moment::now());
        let count = rate * duration.as_secs();
        for (number, turn) in (0..count).zip(turns.iter().cycle()) {
            let after = Duration::from_micros(number * 1_000_000 / rate);
            let wait = after.saturating_sub(begin.elapsed());
            if wait > Duration::ZERO && ticks.recv_timeout(wait) == Err(RecvTimeoutError::Disconnected) {
                return;
            }
            // A loop that has failed tells so itself.
            let _ = turn.send((number, began_at + micros(after)));
        }
    });
    let took = all(loops).await;
    ticker.join().ok().context("the ticker died")?;
    took
}

async fn all(mut loops: JoinSet<Result<Histogram<u64>>>) -> Result<Histogram<u64>> {
    let mut all = histogram();
    while let Some(took) = loops.join_next().await {
        all.add(took??)?;
    }
    Ok(all)
}

fn check(expected: u16, status: u16, answer: &[u8]) -> Result<()> {
    if status != expected {
        bail!("answered {status}: {}", String::from_utf8_lossy(answer));
    }
    Ok(())
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
