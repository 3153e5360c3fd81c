//! The spans of this crate, at the level `DEBUG`: whoever wants none pays for none.
//!
//! Nothing of what is said is ever in a field.

use tidings_activity::Activity;
use tracing::Span;

/// One turn, from waiting for its conversation's gate to the end of its commit. Fields: `turn.kind` (`inbound`,
/// `proactive`), `activity.type`, `activity.channel_id`.
pub const TURN: &str = "turn";

/// The span of one turn, or the current one if nobody wants it.
pub(crate) fn turn(kind: &'static str, activity: &Activity) -> Span {
    tracing::debug_span!(
        TURN,
        otel.kind = "internal",
        turn.kind = kind,
        activity.type = activity.kind.as_str(),
        activity.channel_id = activity.channel_id.as_deref(),
    )
    .or_current()
}
