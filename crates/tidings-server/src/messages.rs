//! `POST /api/messages`: the bot's messaging endpoint, as channels know it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tidings_activity::{Activity, DecodeError, DecodeErrorKind, RoleType, channel};
use tidings_bot::{Identity, Inbound};
use tidings_connector::ConnectorClient;
use tidings_connector::jwt::{self, Authenticator, Facts};
use tracing::Instrument;

use crate::api_error::ApiError;
use crate::telemetry::request;
use crate::turns::{self, Turns};

/// The largest body. Direct Line allows 256 K characters and Teams about 100 KB, so nothing real comes near.
pub(crate) const MAX_BODY_BYTES: usize = 1024 * 1024;

/// Where channels post activities.
pub(crate) const PATH: &str = "/api/messages";

/// The endpoint. It is called beside the router: this is the one hot path, and a router's boxes are most of its cost.
pub(crate) struct Endpoint {
    pub(crate) turns: Turns,
    /// Who judges tokens; `None` in local mode, where nobody is asked.
    pub(crate) authenticator: Option<Arc<Authenticator>>,
    pub(crate) connector: ConnectorClient,
    pub(crate) body_timeout: Duration,
}

impl Endpoint {
    pub(crate) async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Result<Response, Infallible> {
        let span = request::span(request.method(), PATH, request.headers());
        let answer = self.receive(request).instrument(span.clone()).await;
        let answer = answer.unwrap_or_else(IntoResponse::into_response);
        request::answered(&span, &answer);
        Ok(answer)
    }

    async fn receive(&self, request: Request<Incoming>) -> Result<Response, Refusal> {
        if request.method() != Method::POST {
            return Err(Refusal::Method);
        }
        check_content_type(request.headers())?;
        let (head, body) = request.into_parts();
        let body = self.read(body).await?;
        let activity = Activity::from_slice(&body).map_err(|error| bad_activity(&error))?;
        drop(body);
        let identity = self.identity(&head.headers, &activity).await?;
        self.check_service_url(&activity)?;
        let inbound = Inbound { activity, identity };
        Ok(turns::answer(self.turns.run(inbound).await?))
    }

    async fn identity(&self, headers: &HeaderMap, activity: &Activity) -> Result<Identity, ApiError> {
        let Some(authenticator) = &self.authenticator else {
            let is_skill = activity.is_on(channel::EMULATOR)
                && activity.recipient.as_ref().and_then(|bot| bot.role.as_ref()) == Some(&RoleType::Skill);
            return Ok(if is_skill {
                Identity::anonymous_skill()
            } else {
                Identity::anonymous()
            });
        };
        let caller = authenticator
            .authenticate(headers, Facts::of(activity))
            .await
            .map_err(|refusal| refused(&refusal, activity))?;
        let identity = Identity::verified(caller.claims);
        Ok(match caller.caller_id {
            Some(caller_id) => identity.with_caller_id(&caller_id),
            None => identity,
        })
    }

    /// A bot that may not answer there is better told now than by its first reply.
    fn check_service_url(&self, activity: &Activity) -> Result<(), ApiError> {
        let Some(service_url) = activity.service_url.as_deref().filter(|url| !url.is_empty()) else {
            // The adapter names it with the other fields that every turn needs.
            return Ok(());
        };
        self.connector.check_service_url(service_url).map_err(|error| {
            ApiError::new(StatusCode::FORBIDDEN, "ForbiddenServiceUrl", error.to_string()).field("serviceUrl")
        })
    }

    async fn read(&self, body: Incoming) -> Result<Bytes, ApiError> {
        match tokio::time::timeout(self.body_timeout, read(body)).await {
            Ok(read) => read,
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

enum Refusal {
    Method,
    Error(ApiError),
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        Self::Error(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Method => ([(header::ALLOW, "POST")], ApiError::method_not_allowed()).into_response(),
            Self::Error(error) => error.into_response(),
        }
    }
}

/// The whole body, up to the limit. One that came in one piece is not copied.
async fn read(mut body: Incoming) -> Result<Bytes, ApiError> {
    // One that says at once that it is too large is not waited for.
    if body.size_hint().lower() > MAX_BODY_BYTES as u64 {
        return Err(too_large());
    }
    let mut first = Bytes::new();
    let mut more: Option<BytesMut> = None;
    while let Some(frame) = body.frame().await {
        let frame = frame
            .map_err(|_| ApiError::new(StatusCode::BAD_REQUEST, "BadSyntax", "the body ended too early"))?;
        let Ok(data) = frame.into_data() else { continue };
        let so_far = more.as_ref().map_or(first.len(), BytesMut::len);
        if so_far + data.len() > MAX_BODY_BYTES {
            return Err(too_large());
        }
        match &mut more {
            Some(whole) => whole.extend_from_slice(&data),
            None if first.is_empty() => first = data,
            None => more = Some([first.as_ref(), &data].concat().as_slice().into()),
        }
        if body.is_end_stream() {
            break;
        }
    }
    Ok(more.map_or(first, BytesMut::freeze))
}

/// The one place where a refusal is told: nothing of the token is in it.
fn refused(refusal: &jwt::Refusal, activity: &Activity) -> ApiError {
    tracing::warn!(
        auth.reason = refusal.reason().as_str(),
        http.status = refusal.status().as_u16(),
        activity.channel_id = activity.channel_id.as_deref(),
        activity.id = activity.id.as_deref(),
        "a request to the bot was not let in: {refusal}"
    );
    let error = ApiError::new(refusal.status(), refusal.reason().as_str(), refusal.to_string());
    match refusal.retry_after() {
        Some(after) => error.header(header::RETRY_AFTER, HeaderValue::from(after.as_secs().max(1))),
        None => error.header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")),
    }
}

fn too_large() -> ApiError {
    ApiError::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "MessageSizeTooBig",
        format!("the body may have at most {MAX_BODY_BYTES} bytes"),
    )
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
