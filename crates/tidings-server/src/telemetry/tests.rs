//! What is traced, what is not, and that nobody pays who does not ask.

use std::collections::BTreeSet;

use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
use tidings_proactive::TraceCarrier;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::with_default;

use super::request::REQUEST;
use super::*;

/// What an operator reads.
const GUIDE: &str = include_str!("../../../../docs/operations.md");

/// Runs `work` as with a collector, and returns the names of the spans that were collected.
fn collected(work: impl FnOnce()) -> Vec<String> {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(exporter.clone())
        .build();
    let layer = traces::layer(&provider).with_filter(filter::filter_fn(is_traced));
    with_default(Registry::default().with(layer), work);
    let spans = exporter.get_finished_spans().unwrap();
    spans.iter().map(|span| span.name.to_string()).collect()
}

#[test]
fn without_a_collector_no_span_is_opened() {
    let config = Config::default();
    let filter = EnvFilter::new(&config.log);
    let subscriber = Registry::default().with(filter).with(lines(&config));
    // Below this level a span is not even asked about.
    assert_eq!(subscriber.max_level_hint(), Some(LevelFilter::INFO));
    with_default(subscriber, || {
        assert!(request::span(&http::Method::POST, "/api/messages", &http::HeaderMap::new()).is_disabled());
        assert_eq!(Propagation.current(), None);
        let mut headers = http::HeaderMap::new();
        inject(&mut headers);
        assert!(headers.is_empty());
    });
}

#[test]
fn our_spans_are_traced_and_no_log_line_is() {
    let names = collected(|| {
        let _ours = tracing::debug_span!(target: "tidings_bot::spans", "ours").entered();
        let _too_fine = tracing::trace_span!(target: "tidings_bot::spans", "too fine").entered();
        let _a_bots = tracing::info_span!(target: "weather_bot", "a bot's").entered();
        let _a_librarys = tracing::debug_span!(target: "hyper::proto", "a library's").entered();
        tracing::error!(target: "tidings_bot", "something is said");
    });
    assert_eq!(names, ["a bot's", "ours"]);
}

#[test]
fn a_trace_is_carried_over_and_goes_on() {
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let names = collected(|| {
        let span = tracing::debug_span!(target: "tidings", "later");
        Propagation.resume(&span, traceparent);
        let kept = span.in_scope(|| Propagation.current()).unwrap();
        assert!(
            kept.starts_with("00-0af7651916cd43dd8448eb211c80319c-") && kept.len() == 55,
            "{kept}"
        );
        let mut headers = http::HeaderMap::new();
        span.in_scope(|| inject(&mut headers));
        assert_eq!(headers["traceparent"], kept);
        let nothing = tracing::debug_span!(target: "tidings", "of its own");
        for garbage in [
            "",
            "00-xyz",
            &"0".repeat(10_000),
            "00-00000000000000000000000000000000-0000000000000000-01",
        ] {
            Propagation.resume(&nothing, garbage);
        }
        let own = nothing.in_scope(|| Propagation.current()).unwrap();
        assert!(!own.contains("0af7651916cd43dd8448eb211c80319c"), "{own}");
    });
    assert_eq!(names.len(), 2);
}

#[test]
fn the_guide_lists_each_span() {
    let listed: BTreeSet<&str> = GUIDE
        .lines()
        .skip_while(|line| !line.starts_with("| span |"))
        .take_while(|line| line.starts_with('|'))
        .skip(2)
        .filter_map(|row| row.trim_start_matches("| `").split('`').next())
        .collect();
    assert_eq!(
        listed,
        BTreeSet::from([
            REQUEST,
            tidings_bot::spans::TURN,
            tidings_proactive::spans::ATTEMPT,
            tidings_connector::spans::CALL,
        ])
    );
}
