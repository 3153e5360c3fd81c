//! The spans of this crate, at the level `DEBUG`: whoever wants none pays for none.
//!
//! Nothing of what is said, and no token, is ever in a field.

use http::{Method, Uri};
use tracing::Span;
use tracing::field::Empty;

/// One call to a connector, from the first byte to the end of the answer. Fields: `http.request.method`,
/// `server.address` (its host), `http.response.status_code`.
pub const CALL: &str = "connector.call";

/// The field of a call's status, which is known only at its end.
pub(crate) const STATUS: &str = "http.response.status_code";

/// The span of one call.
pub(crate) fn call(method: &Method, uri: &Uri) -> Span {
    tracing::debug_span!(
        CALL,
        otel.kind = "client",
        http.request.method = %method,
        server.address = uri.host(),
        http.response.status_code = Empty,
    )
}
