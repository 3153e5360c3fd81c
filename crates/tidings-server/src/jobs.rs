//! `GET /api/v1/jobs` and `GET /api/v1/jobs/events`: the job log, at once and live.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::response::sse::{Event, KeepAlive};
use axum::response::{IntoResponse, Response, Sse};
use axum::routing::get;
use axum::{Json, Router};
use futures_util::Stream;
use futures_util::stream;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use tidings_proactive::{Job, Jobs};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::sync::CancellationToken;

use crate::api_error::ApiError;

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
    closing: CancellationToken,
}

/// The routes. Event streams end when `closing` is cancelled.
pub(crate) fn router(jobs: Jobs, closing: CancellationToken) -> Router {
    let log = Log {
        jobs,
        subscribers: Arc::new(Semaphore::new(MAX_SUBSCRIBERS)),
        closing,
    };
    let method_not_allowed = async || ApiError::method_not_allowed();
    Router::new()
        .route("/api/v1/jobs", get(list).fallback(method_not_allowed))
        .route("/api/v1/jobs/events", get(events).fallback(method_not_allowed))
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
struct Line {
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
    let page = log.page(limit(query.as_deref())?).await?;
    let no_store = [
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
    ];
    Ok((no_store, Json(page)).into_response())
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

async fn events(State(log): State<Log>) -> Result<Response, ApiError> {
    let Ok(place) = Arc::clone(&log.subscribers).try_acquire_owned() else {
        let message =
            format!("all {MAX_SUBSCRIBERS} event streams are open; close one, or ask GET /api/v1/jobs");
        return Err(ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "TooManySubscribers",
            message,
        ));
    };
    let stream = Sse::new(live(log, place)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
    Ok(([(header::X_CONTENT_TYPE_OPTIONS, "nosniff")], stream).into_response())
}

struct Subscriber {
    log: Log,
    changes: watch::Receiver<u64>,
    told_once: bool,
    _place: OwnedSemaphorePermit,
}

/// The log at once, and again after each change.
fn live(log: Log, place: OwnedSemaphorePermit) -> impl Stream<Item = Result<Event, Infallible>> {
    let changes = log.jobs.watch();
    stream::unfold(
        Subscriber {
            log,
            changes,
            told_once: false,
            _place: place,
        },
        |mut subscriber| async move {
            let closing = subscriber.log.closing.clone();
            let event = closing.run_until_cancelled(subscriber.next()).await??;
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
        // Marked as seen before reading, so that a change during the read is told next time.
        self.changes.borrow_and_update();
        self.told_once = true;
        let page = self.log.page(DEFAULT_LIMIT).await.ok()?;
        Event::default().event("jobs").json_data(&page).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
