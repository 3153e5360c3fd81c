//! Carrying a trace over the time that a delivery waits.

use tracing::Span;

/// Carries a trace from where a delivery is put on record to where it is sent: another task, another node, another day.
///
/// The engine keeps what [`current`](Self::current) answers with the delivery and hands it to [`resume`](Self::resume)
/// before each attempt. It knows neither who collects traces nor what the text means.
pub trait TraceCarrier: Send + Sync + 'static {
    /// What the current span is known by: a `traceparent` (W3C Trace Context), at most 55 bytes. `None` if there is no
    /// span that anybody collects; nothing is kept then.
    fn current(&self) -> Option<String>;

    /// Makes `span`, which nobody has entered yet, go on with that trace. A text that means nothing is ignored.
    fn resume(&self, span: &Span, traceparent: &str);
}
