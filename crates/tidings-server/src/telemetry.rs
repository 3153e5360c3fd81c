//! Log lines on standard error, a sentence that reads alone with dotted fields beside it; and traces, for whoever
//! collects them by OTLP (docs/operations.md lists the spans).

mod collector;
mod propagation;
pub(crate) mod request;
mod traces;

use std::io::IsTerminal;

use tracing::{Metadata, Subscriber};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, filter};

use crate::config::{Config, ConfigError, LogFormat};

pub use propagation::Propagation;
pub(crate) use propagation::inject;
use traces::Traces;

/// Logs and traces go on as long as this lives. Dropping it sends what has not been sent of the traces, for at most five
/// seconds, and blocks that long.
#[derive(Debug)]
#[must_use = "traces end when this is dropped"]
pub struct Telemetry {
    traces: Option<Traces>,
}

impl Telemetry {
    /// Sends what has not been sent of the traces, as dropping does, without blocking other tasks of the runtime.
    pub async fn finish(self) {
        if self.traces.is_some() {
            // If the runtime is going down, it is dropped where it is.
            let _gone = tokio::task::spawn_blocking(move || drop(self)).await;
        }
    }
}

/// Starts logging as `config` says, and sending traces if it names a collector. Does nothing if the process already has a
/// subscriber: that belongs to the program that embeds this server.
///
/// # Errors
///
/// [`ConfigError::Invalid`] for a filter that cannot be read, or a collector that cannot be called.
pub fn init(config: &Config) -> Result<Telemetry, ConfigError> {
    let filter = EnvFilter::try_new(&config.log).map_err(|_| ConfigError::Invalid {
        place: "TIDINGS_LOG".to_owned(),
        problem:
            "must be a level (error, warn, info, debug, trace) or a filter such as info,tidings_store=debug"
                .to_owned(),
        value: config.log.clone(),
    })?;
    let Some(traces) = Traces::start(config)? else {
        // As the one filter of the process it switches spans off where they begin: without a collector they cost nothing.
        let subscriber = Registry::default().with(filter).with(lines(config));
        let _already_set = subscriber.try_init();
        return Ok(Telemetry { traces: None });
    };
    let subscriber = Registry::default()
        .with(lines(config).with_filter(filter))
        .with(traces.layer().with_filter(filter::filter_fn(is_traced)));
    let traces = subscriber.try_init().is_ok().then_some(traces);
    Ok(Telemetry { traces })
}

/// Spans of ours, and what a bot opens of its own at `INFO` and above; no log lines, which may say more than a trace
/// should.
fn is_traced(metadata: &Metadata<'_>) -> bool {
    let is_ours = metadata.target().starts_with("tidings");
    let most = if is_ours {
        tracing::Level::DEBUG
    } else {
        tracing::Level::INFO
    };
    metadata.is_span() && *metadata.level() <= most
}

fn lines<S>(config: &Config) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    match config.log_format {
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
        LogFormat::Text => lines.with_ansi(colour()).boxed(),
    }
}

/// Colour for people only, and only if they did not opt out (<https://no-color.org>).
fn colour() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) && std::io::stderr().is_terminal()
}

#[cfg(test)]
mod tests;
