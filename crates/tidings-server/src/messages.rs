//! `POST /api/messages`: the bot's messaging endpoint, as channels know it.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tidings_activity::{Activity, DecodeError, DecodeErrorKind};

use crate::api_error::ApiError;
use crate::turns::{self, Turns};

/// The largest body. Direct Line allows 256 K characters and Teams about 100 KB, so nothing real comes near.
pub(crate) const MAX_BODY_BYTES: usize = 1024 * 1024;

#[derive(Clone)]
struct Endpoint {
    turns: Turns,
    body_timeout: Duration,
}

pub(crate) fn router(turns: Turns, body_timeout: Duration) -> Router {
    let method_not_allowed = async || ApiError::method_not_allowed();
    Router::new()
        .route("/api/messages", post(receive).fallback(method_not_allowed))
        .with_state(Endpoint { turns, body_timeout })
}

async fn receive(State(endpoint): State<Endpoint>, request: Request) -> Response {
    match endpoint.receive(request).await {
        Ok(response) | Err(response) => response,
    }
}

impl Endpoint {
    async fn receive(&self, request: Request) -> Result<Response, Response> {
        check_content_type(request.headers()).map_err(IntoResponse::into_response)?;
        let body = self
            .read(request.into_body())
            .await
            .map_err(IntoResponse::into_response)?;
        let activity = Activity::from_slice(&body).map_err(|error| bad_activity(&error).into_response())?;
        drop(body);
        self.turns
            .run(activity)
            .await
            .map(turns::answer)
            .map_err(IntoResponse::into_response)
    }

    async fn read(&self, body: Body) -> Result<Bytes, ApiError> {
        let collected = tokio::time::timeout(self.body_timeout, Limited::new(body, MAX_BODY_BYTES).collect());
        match collected.await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(ApiError::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "MessageSizeTooBig",
                format!("the body may have at most {MAX_BODY_BYTES} bytes"),
            )),
            Ok(Err(_)) => Err(ApiError::new(
                StatusCode::BAD_REQUEST,
                "BadSyntax",
                "the body ended too early",
            )),
            Err(_) => {
                let message = "the body took too long to arrive";
                Err(ApiError::new(
                    StatusCode::REQUEST_TIMEOUT,
                    "RequestTimeout",
                    message,
                ))
            }
        }
    }
}

/// JSON under any of its names and with any parameter; no name at all is taken for JSON too, as the Bot Framework does.
fn check_content_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else {
        return Ok(());
    };
    let text = value.to_str().unwrap_or("");
    let essence = text.split(';').next().unwrap_or("").trim();
    let is_json = essence.eq_ignore_ascii_case("application/json")
        || essence.eq_ignore_ascii_case("text/json")
        || essence.len() > 5 && essence[essence.len() - 5..].eq_ignore_ascii_case("+json");
    if is_json {
        return Ok(());
    }
    let message = "send the activity as application/json";
    Err(ApiError::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "UnsupportedMediaType",
        message,
    )
    .field("Content-Type"))
}

fn bad_activity(error: &DecodeError) -> ApiError {
    let code = match error.kind {
        DecodeErrorKind::MissingField => "MissingProperty",
        DecodeErrorKind::Syntax => "BadSyntax",
        _ => "BadArgument",
    };
    let refusal = ApiError::new(StatusCode::BAD_REQUEST, code, error.to_string());
    if error.path.is_empty() {
        refusal
    } else {
        refusal.field(&error.path)
    }
}
