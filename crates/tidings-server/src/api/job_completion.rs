//! `POST /api/v1/jobs/{number}/complete`: a job system says that a job is done.

use axum::extract::{Path, Request, State};
use axum::routing::post;
use axum::{Json, Router};
use http::StatusCode;
use serde::Serialize;
use tidings_proactive::{Completion, JobNumber, JobNumberError, Jobs, ProactiveError};

use crate::api::no_other_method;
use crate::api_body::{ApiBody, bad_argument};
use crate::api_error::ApiError;
use crate::gate::Gate;
use crate::jobs::Line;
use crate::keys::Scope;

/// The longest message to the creator of a job, in characters; each channel takes that much.
const MAX_MESSAGE: usize = 4000;

pub(crate) fn router(jobs: Jobs, gate: &Gate) -> Router {
    let routes = gate.guard(Scope::JobsWrite, post(complete));
    Router::new()
        .route("/api/v1/jobs/{number}/complete", no_other_method(routes))
        .with_state(jobs)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Completed {
    #[serde(flatten)]
    job: Line,
    /// Whether it was complete before; then nothing was changed and nobody is told again.
    already_complete: bool,
}

/// Repeating a request is fine: a caller that did not see the answer asks again and is told how it stands.
async fn complete(
    State(jobs): State<Jobs>,
    Path(number): Path<String>,
    request: Request,
) -> Result<Json<Completed>, ApiError> {
    let (head, body) = request.into_parts();
    let mut body = ApiBody::read(&head.headers, body).await?;
    let message = body.take_text("message")?;
    body.finish("message")?;
    let number: JobNumber = match number.parse() {
        Ok(number) => number,
        Err(JobNumberError::NotANumber) => {
            return Err(bad_argument("number", "must be a whole number in decimal digits"));
        }
        Err(_) => return Err(unknown(&number)),
    };
    let message = match message {
        None => format!("Job {number} is complete."),
        Some(message) if message.trim().is_empty() => {
            return Err(bad_argument(
                "message",
                "must not be empty; leave it out for the usual one",
            ));
        }
        Some(message) if message.contains('\0') => {
            return Err(bad_argument("message", "must not hold the NUL character"));
        }
        Some(message) if message.chars().count() > MAX_MESSAGE => {
            return Err(bad_argument(
                "message",
                &format!("must not be longer than {MAX_MESSAGE} characters"),
            ));
        }
        Some(message) => message,
    };
    let failed = |error: ProactiveError| {
        tracing::error!(job.number = number.get(), error = %error, "a job could not be completed");
        ApiError::of_engine(&error)
    };
    let completion = jobs.complete(number, message).await.map_err(failed)?;
    let job = match completion {
        Completion::Unknown => None,
        Completion::Completed | Completion::AlreadyComplete => jobs.get(number).await.map_err(failed)?,
    };
    let job = job.ok_or_else(|| unknown(&number.to_string()))?;
    Ok(Json(Completed {
        job: job.into(),
        already_complete: completion == Completion::AlreadyComplete,
    }))
}

fn unknown(number: &str) -> ApiError {
    let number: String = number.chars().take(20).collect();
    ApiError::new(
        StatusCode::NOT_FOUND,
        "NotFound",
        format!("no job has the number {number}"),
    )
    .field("number")
}
