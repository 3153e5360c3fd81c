//! Lists that are told live, as server-sent events: the list at once, and again after each change.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive};
use axum::response::{IntoResponse, Response, Sse};
use futures_util::{Stream, stream};
use http::StatusCode;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::sync::CancellationToken;

use crate::api_error::ApiError;
use crate::gate::Caller;

/// The most open event streams of a list.
const MAX_SUBSCRIBERS: usize = 64;
/// Changes closer together than this are told in one event.
const COALESCE: Duration = Duration::from_millis(100);
/// A comment is sent after this much silence, so that dead connections are found and proxies keep live ones.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A list that changes.
#[async_trait::async_trait]
pub(crate) trait LiveList: Clone + Send + Sync + 'static {
    /// What its events are called, and the path that tells it once.
    const NAME: &'static str;

    /// A counter that rises after each change.
    fn watch(&self) -> watch::Receiver<u64>;

    /// The list as JSON; `None` if it cannot be read, which is logged.
    async fn read(&self) -> Option<String>;
}

/// A list and those who are told of it. A clone is the same.
#[derive(Clone)]
pub(crate) struct Live<L> {
    list: L,
    subscribers: Arc<Semaphore>,
    told: Arc<Mutex<Told>>,
    closing: CancellationToken,
}

/// The newest event, as text: every subscriber of a change tells the same, so one of them reads for all.
#[derive(Default)]
struct Told {
    /// What the counter said before the list was read; `None` before the first time.
    change: Option<u64>,
    text: Arc<str>,
}

impl<L: LiveList> Live<L> {
    /// Streams end when `closing` is cancelled.
    pub(crate) fn new(list: L, closing: CancellationToken) -> Self {
        Self {
            list,
            subscribers: Arc::new(Semaphore::new(MAX_SUBSCRIBERS)),
            told: Arc::default(),
            closing,
        }
    }

    pub(crate) fn list(&self) -> &L {
        &self.list
    }

    /// A stream of its own for a caller; it also ends when their key does.
    pub(crate) fn subscribe(self, caller: Caller) -> Result<Response, ApiError> {
        let Ok(place) = Arc::clone(&self.subscribers).try_acquire_owned() else {
            let message = format!(
                "all {MAX_SUBSCRIBERS} event streams are open; close one, or ask GET /api/v1/{}",
                L::NAME
            );
            return Err(ApiError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "TooManySubscribers",
                message,
            ));
        };
        let stream = Sse::new(self.events(caller, place)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
        Ok(stream.into_response())
    }

    /// What an event says now. Subscribers who ask at the same time wait for one reading.
    async fn text(&self, changes: &mut watch::Receiver<u64>) -> Option<Arc<str>> {
        let mut told = self.told.lock().await;
        // Marked as seen before reading, so that a change during the read is told next time.
        let change = Some(*changes.borrow_and_update());
        if told.change != change {
            told.text = self.list.read().await?.into();
            told.change = change;
        }
        Some(Arc::clone(&told.text))
    }

    fn events(
        self,
        caller: Caller,
        place: OwnedSemaphorePermit,
    ) -> impl Stream<Item = Result<Event, Infallible>> {
        let subscriber = Subscriber {
            changes: self.list.watch(),
            live: self,
            caller,
            told_once: false,
            _place: place,
        };
        stream::unfold(subscriber, |mut subscriber| async move {
            let (closing, caller) = (subscriber.live.closing.clone(), subscriber.caller.clone());
            let event = tokio::select! {
                biased;
                () = closing.cancelled() => None,
                () = caller.ended() => None,
                event = subscriber.next() => event,
            }?;
            Some((Ok(event), subscriber))
        })
    }
}

struct Subscriber<L> {
    live: Live<L>,
    caller: Caller,
    changes: watch::Receiver<u64>,
    told_once: bool,
    _place: OwnedSemaphorePermit,
}

impl<L: LiveList> Subscriber<L> {
    /// The next event; `None` ends the stream, and the browser comes back by itself.
    async fn next(&mut self) -> Option<Event> {
        if self.told_once {
            self.changes.changed().await.ok()?;
            tokio::time::sleep(COALESCE).await;
        }
        self.told_once = true;
        let text = self.live.text(&mut self.changes).await?;
        Some(Event::default().event(L::NAME).data(&*text))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use futures_util::StreamExt;

    use super::*;

    #[derive(Clone)]
    struct Counted {
        changes: watch::Sender<u64>,
        reads: Arc<AtomicU64>,
    }

    #[async_trait::async_trait]
    impl LiveList for Counted {
        const NAME: &'static str = "counted";

        fn watch(&self) -> watch::Receiver<u64> {
            self.changes.subscribe()
        }

        async fn read(&self) -> Option<String> {
            Some(self.reads.fetch_add(1, Ordering::Relaxed).to_string())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn subscribers_share_one_reading_of_a_change() {
        let list = Counted {
            changes: watch::Sender::new(0),
            reads: Arc::default(),
        };
        let live = Live::new(list.clone(), CancellationToken::new());
        let mut streams: Vec<_> = (0..8)
            .map(|_| {
                let place = Arc::clone(&live.subscribers).try_acquire_owned().unwrap();
                Box::pin(live.clone().events(Caller::local(), place))
            })
            .collect();
        let mut reads = Vec::new();
        for change in 1..=3 {
            let told = futures_util::future::join_all(streams.iter_mut().map(StreamExt::next)).await;
            assert!(told.iter().all(Option::is_some));
            reads.push(list.reads.load(Ordering::Relaxed));
            list.changes.send_replace(change);
        }
        assert_eq!(reads, [1, 2, 3]);
    }
}
