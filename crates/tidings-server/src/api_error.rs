//! Errors of the server's own API, all made here: `{"error":{"code","message","field"?}}`.
//!
//! Codes are those of the Bot Framework's `ErrorResponse` where it has one (`BadSyntax`, `BadArgument`,
//! `MissingProperty`, `MessageSizeTooBig`, `ServiceError`), so that a channel's logs read as usual. The Direct Line and
//! connector routes make their own errors in the same shape.

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use tidings_proactive::ProactiveError;
use tidings_store::{StoreError, StoreErrorKind};

/// An error answer; [`IntoResponse`] writes it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) field: Option<String>,
    pub(crate) header: Option<Box<(HeaderName, HeaderValue)>>,
}

#[derive(Serialize)]
struct Body<'a> {
    error: Detail<'a>,
}

#[derive(Serialize)]
struct Detail<'a> {
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            field: None,
            header: None,
        }
    }

    pub(crate) fn field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.header = Some(Box::new((name, value)));
        self
    }

    pub(crate) fn not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "NotFound",
            "nothing is served at this path",
        )
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "MethodNotAllowed",
            "this path does not serve this method",
        )
    }

    pub(crate) fn shutting_down() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "ShuttingDown",
            "the server is shutting down, try again later",
        )
    }

    /// What a failure of the database is to the caller. Logging it is left to who knows what failed.
    pub(crate) fn of_store(error: &StoreError) -> Self {
        match error.kind() {
            StoreErrorKind::Invalid => Self::new(StatusCode::BAD_REQUEST, "BadArgument", error.to_string()),
            StoreErrorKind::Busy | StoreErrorKind::Retry => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "DatabaseUnavailable",
                "the database does not answer: nothing was kept, try again later",
            ),
            // Not 503: many a client repeats that of its own accord.
            StoreErrorKind::Unknown => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "OutcomeUnknown",
                "the database went away during the commit, so nobody knows whether it was kept: look, or repeat it with \
                 the same dedupeKey",
            ),
            StoreErrorKind::Closed => Self::shutting_down(),
            StoreErrorKind::Full => Self::database_full(),
            _ => Self::internal(),
        }
    }

    /// The same for an error of the engine.
    pub(crate) fn of_engine(error: &ProactiveError) -> Self {
        match error {
            ProactiveError::Store(error) => Self::of_store(error),
            ProactiveError::Interrupted => Self::shutting_down(),
            _ => Self::internal(),
        }
    }

    pub(crate) fn database_full() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "DatabaseFull",
            "the database is full and nothing was kept; whoever runs the server has to make room, then try again",
        )
        .header(header::RETRY_AFTER, HeaderValue::from_static("30"))
    }

    pub(crate) fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "ServiceError",
            "the request failed; the server's log says why",
        )
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let detail = Detail {
            code: self.code,
            message: &self.message,
            field: self.field.as_deref(),
        };
        let mut response = (self.status, axum::Json(Body { error: detail })).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        );
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if let Some((name, value)) = self.header.map(|header| *header) {
            headers.insert(name, value);
        }
        response
    }
}
