//! Every error answer of the channel, clients' and connector's alike: `{"error":{"code","message"}}` with a
//! status.

use std::borrow::Cow;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;
use tidings_activity::{DecodeError, DecodeErrorKind};
use tidings_store::{StoreError, StoreErrorKind};

/// Why a request is refused (Direct Line 3.0 and Connector REST v3 share the shape and most codes).
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    code: Cow<'static, str>,
    message: Cow<'static, str>,
    retry_after: Option<u64>,
}

impl Refusal {
    pub(crate) fn new(
        status: StatusCode,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            status,
            code: code.into(),
            message: message.into(),
            retry_after: None,
        }
    }

    pub(crate) fn bad_argument(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BadArgument", message)
    }

    pub(crate) fn missing(field: &str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "MissingProperty",
            format!("'{field}' is missing"),
        )
    }

    pub(crate) fn malformed(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "MalformedData", message)
    }

    pub(crate) fn forbidden(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "NotAllowed", message)
    }

    pub(crate) fn token_expired() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "TokenExpired",
            "Token has expired: generate a new one",
        )
    }

    pub(crate) fn unauthorized(message: &'static str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Unauthorized", message)
    }

    pub(crate) fn conversation_not_found(id: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "ConversationNotFound",
            format!("There is no conversation '{}'", cut(id)),
        )
    }

    pub(crate) fn activity_not_found(id: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "ActivityNotFoundInConversation",
            format!("There is no activity '{}' in this conversation", cut(id)),
        )
    }

    pub(crate) fn too_large(what: &str, limit: usize, unit: &str) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "MessageSizeTooBig",
            format!("{what} is larger than {limit} {unit}: shorten or split it"),
        )
    }

    pub(crate) fn busy(message: &'static str, retry_after: u64) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, "LimitExceeded", message)
        }
    }

    pub(crate) fn bot_error(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_GATEWAY, "BotError", message)
    }

    pub(crate) fn bot_rejected(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_GATEWAY, "BotRejectedActivity", message)
    }

    pub(crate) fn internal(reason: &dyn std::fmt::Display) -> Self {
        tracing::error!(error = %reason, "the channel could not answer a request");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "ServiceError",
            "The channel could not carry out the request; its log says why",
        )
    }

    #[cfg(test)]
    pub(crate) fn code(&self) -> &str {
        &self.code
    }
}

/// Ids come from outside: no answer repeats a long one.
fn cut(id: &str) -> String {
    id.chars().take(128).collect()
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error.kind() {
            StoreErrorKind::Invalid => Self::bad_argument(error.to_string()),
            StoreErrorKind::Busy | StoreErrorKind::Retry => {
                tracing::error!(%error, "the channel could not answer a request");
                Self {
                    retry_after: Some(1),
                    ..Self::new(
                        StatusCode::SERVICE_UNAVAILABLE,
                        "DatabaseUnavailable",
                        "The database does not answer: nothing was kept, try again later",
                    )
                }
            }
            _ => Self::internal(&error),
        }
    }
}

impl From<DecodeError> for Refusal {
    fn from(error: DecodeError) -> Self {
        let code = match error.kind {
            DecodeErrorKind::MissingField => "MissingProperty",
            DecodeErrorKind::WrongType => "BadArgument",
            _ => "MalformedData",
        };
        Self::new(StatusCode::BAD_REQUEST, code, error.to_string())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({ "error": { "code": self.code, "message": self.message } });
        let mut response = (self.status, Json(body)).into_response();
        if let Some(seconds) = self.retry_after {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// 404 for a path under one of our prefixes that names nothing.
pub(crate) async fn no_such_path() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "NotFound", "There is nothing at this path")
}

/// 405 for a path that exists, with another method.
pub(crate) async fn wrong_method() -> Refusal {
    Refusal::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "NotSupported",
        "This path does not answer to this method",
    )
}
