//! One request as a span.

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, Method};
use tracing::field::Empty;
use tracing::{Instrument, Span};

use super::propagation::extract;

/// One request to the bot, the API or the local channel, until its answer begins. Fields: `http.request.method`,
/// `http.route` (never the path itself, which holds ids), `http.response.status_code`.
pub(crate) const REQUEST: &str = "http.request";
/// The field of the status, which is known only at the end.
const STATUS: &str = "http.response.status_code";

/// The span of one request, as part of the trace that its `traceparent` names.
pub(crate) fn span(method: &Method, route: &str, headers: &HeaderMap) -> Span {
    let span = tracing::debug_span!(
        REQUEST,
        otel.kind = "server",
        http.request.method = %method,
        http.route = route,
        http.response.status_code = Empty,
    );
    if !span.is_disabled() {
        extract(&span, headers);
    }
    span
}

/// The answer's status is the span's.
pub(crate) fn answered(span: &Span, response: &Response) {
    span.record(STATUS, response.status().as_u16());
}

/// Wraps the routes that something happens behind; not the page, and not what is asked every few seconds.
pub(crate) async fn traced(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let Some(route) = route.filter(|route| route.starts_with("/api/") || route.starts_with("/v3/")) else {
        return next.run(request).await;
    };
    let span = span(request.method(), route, request.headers());
    if span.is_disabled() {
        return next.run(request).await;
    }
    let response = next.run(request).instrument(span.clone()).await;
    answered(&span, &response);
    response
}
