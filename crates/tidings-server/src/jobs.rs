//! `GET /api/v1/jobs` and `GET /api/v1/jobs/events`: the job log, at once and live.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::response::sse::{Event, KeepAlive};
use axum::response::{IntoResponse, Response, Sse};
use axum::routing::get;
use axum::{Extension, Json, Router};
use futures_util::Stream;
use futures_util::stream;
use http::StatusCode;
use serde::Serialize;
use tidings_proactive::{Job, Jobs};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::sync::CancellationToken;

use crate::api::no_other_method;
use crate::api_error::ApiError;
use crate::gate::{Caller, Gate};
use crate::keys::Scope;

/// Jobs in an answer unless `?limit=` says otherwise, and always in an event.
const DEFAULT_LIMIT: usize = 100;
/// The most jobs `?limit=` may ask for.
const MAX_LIMIT: usize = 500;
/// The most open event streams.
const MAX_SUBSCRIBERS: usize = 64;
/// Changes closer together than this are told in one event.
const COALESCE: Duration = Duration::from_millis(100);
/// A comment is sent after this much silence, so that dead connections are found and proxies keep live ones.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

#[derive(Clone)]
struct Log {
    jobs: Jobs,
    subscribers: Arc<Semaphore>,
    told: Arc<Mutex<Told>>,
    closing: CancellationToken,
}

/// The newest event, as text: every subscriber of a change tells the same, so one of them reads for all.
#[derive(Default)]
struct Told {
    /// What [`Jobs::watch`] said before the log was read; `None` before the first time.
    change: Option<u64>,
    page: Arc<str>,
}

/// The routes. Event streams end when `closing` is cancelled, and when the key they were opened with ends.
pub(crate) fn router(jobs: Jobs, gate: &Gate, closing: CancellationToken) -> Router {
    let log = Log::new(jobs, closing);
    let guarded = |routes| no_other_method(gate.guard(Scope::JobsRead, routes));
    Router::new()
        .route("/api/v1/jobs", guarded(get(list)))
        .route("/api/v1/jobs/events", guarded(get(events)))
        .with_state(log)
}

#[derive(Serialize)]
struct Page {
    jobs: Vec<Line>,
    older: u64,
    total: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Line {
    number: u64,
    conversation_id: String,
    channel_id: String,
    state: &'static str,
    started_at: String,
    completed_at: Option<String>,
    notice: Option<&'static str>,
}

impl From<Job> for Line {
    fn from(job: Job) -> Self {
        Self {
            number: job.number.get(),
            conversation_id: job.conversation_id,
            channel_id: job.channel_id,
            state: job.state.as_str(),
            started_at: job.started_at.to_string(),
            completed_at: job.completed_at.map(|at| at.to_string()),
            notice: job.notice.map(|notice| notice.as_str()),
        }
    }
}

impl Log {
    fn new(jobs: Jobs, closing: CancellationToken) -> Self {
        Self {
            jobs,
            subscribers: Arc::new(Semaphore::new(MAX_SUBSCRIBERS)),
            told: Arc::default(),
            closing,
        }
    }

    /// What an event says now. Subscribers who ask at the same time wait for one reading.
    async fn event_text(&self, changes: &mut watch::Receiver<u64>) -> Option<Arc<str>> {
        let mut told = self.told.lock().await;
        // Marked as seen before reading, so that a change during the read is told next time.
        let change = Some(*changes.borrow_and_update());
        if told.change != change {
            let page = self.page(DEFAULT_LIMIT).await.ok()?;
            told.page = serde_json::to_string(&page).ok()?.into();
            told.change = change;
        }
        Some(Arc::clone(&told.page))
    }

    async fn page(&self, limit: usize) -> Result<Page, ApiError> {
        let page = self.jobs.page(limit).await.map_err(|error| {
            tracing::error!(error = %error, "the job log cannot be read");
            ApiError::internal()
        })?;
        let total = page.older + page.jobs.len() as u64;
        Ok(Page {
            jobs: page.jobs.into_iter().rev().map(Line::from).collect(),
            older: page.older,
            total,
        })
    }
}

async fn list(State(log): State<Log>, RawQuery(query): RawQuery) -> Result<Response, ApiError> {
    Ok(Json(log.page(limit(query.as_deref())?).await?).into_response())
}

fn limit(query: Option<&str>) -> Result<usize, ApiError> {
    let Some((_, text)) =
        url::form_urlencoded::parse(query.unwrap_or("").as_bytes()).find(|(name, _)| name == "limit")
    else {
        return Ok(DEFAULT_LIMIT);
    };
    text.parse()
        .ok()
        .filter(|limit| (1..=MAX_LIMIT).contains(limit))
        .ok_or_else(|| {
            let message = format!("limit must be a whole number from 1 to {MAX_LIMIT}");
            ApiError::new(StatusCode::BAD_REQUEST, "BadArgument", message).field("limit")
        })
}

async fn events(State(log): State<Log>, Extension(caller): Extension<Caller>) -> Result<Response, ApiError> {
    let Ok(place) = Arc::clone(&log.subscribers).try_acquire_owned() else {
        let message =
            format!("all {MAX_SUBSCRIBERS} event streams are open; close one, or ask GET /api/v1/jobs");
        return Err(ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "TooManySubscribers",
            message,
        ));
    };
    let stream = Sse::new(live(log, caller, place)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
    Ok(stream.into_response())
}

struct Subscriber {
    log: Log,
    caller: Caller,
    changes: watch::Receiver<u64>,
    told_once: bool,
    _place: OwnedSemaphorePermit,
}

/// The log at once, and again after each change.
fn live(
    log: Log,
    caller: Caller,
    place: OwnedSemaphorePermit,
) -> impl Stream<Item = Result<Event, Infallible>> {
    let changes = log.jobs.watch();
    stream::unfold(
        Subscriber {
            log,
            caller,
            changes,
            told_once: false,
            _place: place,
        },
        |mut subscriber| async move {
            let (closing, caller) = (subscriber.log.closing.clone(), subscriber.caller.clone());
            let event = tokio::select! {
                biased;
                () = closing.cancelled() => None,
                () = caller.ended() => None,
                event = subscriber.next() => event,
            }?;
            Some((Ok(event), subscriber))
        },
    )
}

impl Subscriber {
    /// The next event; `None` ends the stream, and the browser comes back by itself.
    async fn next(&mut self) -> Option<Event> {
        if self.told_once {
            self.changes.changed().await.ok()?;
            tokio::time::sleep(COALESCE).await;
        }
        self.told_once = true;
        let text = self.log.event_text(&mut self.changes).await?;
        Some(Event::default().event("jobs").data(&*text))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;
    use tidings_activity::{ConversationAccount, ConversationReference};
    use tidings_proactive::Proactive;
    use tidings_store::{Database, SystemClock};

    use super::*;

    #[tokio::test]
    async fn subscribers_share_one_reading_of_the_log() {
        let database = Database::temporary([tidings_proactive::MIGRATIONS]).unwrap();
        let jobs = Proactive::new(database.clone(), Arc::new(SystemClock)).jobs();
        let log = Log::new(jobs.clone(), CancellationToken::new());
        let mut streams: Vec<_> = (0..8)
            .map(|_| {
                let place = Arc::clone(&log.subscribers).try_acquire_owned().unwrap();
                Box::pin(live(log.clone(), Caller::local(), place))
            })
            .collect();
        let reference = ConversationReference {
            conversation: Some(ConversationAccount {
                id: Some("conversation".to_owned()),
                ..ConversationAccount::default()
            }),
            ..ConversationReference::default()
        };
        let mut reads = Vec::new();
        for _ in 0..2 {
            let before = database.stats().reads;
            let told = futures_util::future::join_all(streams.iter_mut().map(StreamExt::next)).await;
            assert!(told.iter().all(Option::is_some));
            reads.push(database.stats().reads - before);
            jobs.start(reference.clone()).await.unwrap();
        }
        assert_eq!(reads, [1, 1]);
    }

    #[test]
    fn limits_are_bounded_and_named() {
        assert_eq!(limit(None), Ok(100));
        assert_eq!(limit(Some("other=1")), Ok(100));
        assert_eq!(limit(Some("limit=1")), Ok(1));
        assert_eq!(limit(Some("limit=500")), Ok(500));
        for query in ["limit=0", "limit=501", "limit=-1", "limit=", "limit=ten"] {
            let error = limit(Some(query)).unwrap_err();
            assert_eq!(
                (error.status.as_u16(), error.field.as_deref()),
                (400, Some("limit")),
                "{query}"
            );
        }
    }
}
