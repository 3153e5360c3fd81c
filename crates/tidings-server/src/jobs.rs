//! `GET /api/v1/jobs` and `GET /api/v1/jobs/events`: the job log, at once and live.

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use http::StatusCode;
use serde::Serialize;
use tidings_proactive::{Job, Jobs};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::api::no_other_method;
use crate::api_error::ApiError;
use crate::gate::{Caller, Gate};
use crate::keys::Scope;
use crate::live::{Live, LiveList};

/// Jobs in an answer unless `?limit=` says otherwise, and always in an event.
const DEFAULT_LIMIT: usize = 100;
/// The most jobs `?limit=` may ask for.
const MAX_LIMIT: usize = 500;

#[derive(Clone)]
struct Log {
    jobs: Jobs,
}

/// The routes. Event streams end when `closing` is cancelled, and when the key they were opened with ends.
pub(crate) fn router(jobs: Jobs, gate: &Gate, closing: CancellationToken) -> Router {
    let guarded = |routes| no_other_method(gate.guard(Scope::JobsRead, routes));
    Router::new()
        .route("/api/v1/jobs", guarded(get(list)))
        .route("/api/v1/jobs/events", guarded(get(events)))
        .with_state(Live::new(Log { jobs }, closing))
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
    async fn page(&self, limit: usize) -> Result<Page, ApiError> {
        let page = self.jobs.page(limit).await.map_err(|error| {
            tracing::error!(error = %error, "the job log cannot be read");
            ApiError::of_engine(&error)
        })?;
        let total = page.older + page.jobs.len() as u64;
        Ok(Page {
            jobs: page.jobs.into_iter().rev().map(Line::from).collect(),
            older: page.older,
            total,
        })
    }
}

#[async_trait::async_trait]
impl LiveList for Log {
    const NAME: &'static str = "jobs";

    fn watch(&self) -> watch::Receiver<u64> {
        self.jobs.watch()
    }

    async fn read(&self) -> Option<String> {
        serde_json::to_string(&self.page(DEFAULT_LIMIT).await.ok()?).ok()
    }
}

async fn list(State(log): State<Live<Log>>, RawQuery(query): RawQuery) -> Result<Response, ApiError> {
    Ok(Json(log.list().page(limit(query.as_deref())?).await?).into_response())
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

async fn events(
    State(log): State<Live<Log>>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, ApiError> {
    log.subscribe(caller)
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
