use std::collections::HashMap;

use http::HeaderMap;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::TraceContextExt;
use opentelemetry_http::{HeaderExtractor, HeaderInjector};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tidings_proactive::TraceCarrier;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The name of the header, and of what is kept with a delivery (W3C Trace Context).
const TRACEPARENT: &str = "traceparent";

/// Adds the header by which the next server goes on with the current trace.
pub(crate) fn inject(headers: &mut HeaderMap) {
    let context = Span::current().context();
    if context.span().span_context().is_valid() {
        TraceContextPropagator::new().inject_context(&context, &mut HeaderInjector(headers));
    }
}

/// Makes `span`, which nobody has entered yet, go on with the trace that the headers name, if they name one.
pub(super) fn extract(span: &Span, headers: &HeaderMap) {
    if headers.contains_key(TRACEPARENT) {
        let parent = TraceContextPropagator::new().extract(&HeaderExtractor(headers));
        go_on(span, parent);
    }
}

fn go_on(span: &Span, parent: opentelemetry::Context) {
    if parent.span().span_context().is_valid() {
        // Without a collector there is nothing that a parent could be set on.
        let _not_collected = span.set_parent(parent);
    }
}

/// Carries traces through the database, for [`Proactive`](tidings_proactive::Proactive).
#[derive(Clone, Copy, Debug, Default)]
pub struct Propagation;

impl TraceCarrier for Propagation {
    fn current(&self) -> Option<String> {
        let span = Span::current();
        if span.is_none() {
            return None;
        }
        let context = span.context();
        let mut headers = HashMap::with_capacity(2);
        if context.span().span_context().is_valid() {
            TraceContextPropagator::new().inject_context(&context, &mut headers);
        }
        headers.remove(TRACEPARENT)
    }

    fn resume(&self, span: &Span, traceparent: &str) {
        let headers = HashMap::from([(TRACEPARENT.to_owned(), traceparent.to_owned())]);
        go_on(span, TraceContextPropagator::new().extract(&headers));
    }
}
