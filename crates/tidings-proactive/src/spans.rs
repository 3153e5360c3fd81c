//! The spans of this crate, at the level `DEBUG`: whoever wants none pays for none.
//!
//! Nothing of what is said is ever in a field.

use tracing::Span;

use crate::delivery::DeliveryId;

/// One attempt at one delivery, from the claim to the channel's answer. Fields: `delivery.id`, `delivery.start` (the
/// how-manieth it is).
pub const ATTEMPT: &str = "delivery.attempt";

/// The span of one attempt. It has no parent: what it goes on with is said by the delivery's
/// [trace](crate::TraceCarrier).
pub(crate) fn attempt(delivery: DeliveryId, start: u32) -> Span {
    tracing::debug_span!(
        parent: None,
        ATTEMPT,
        otel.kind = "internal",
        delivery.id = delivery.get(),
        delivery.start = start,
    )
}
