use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, Tracer};
use secrecy::ExposeSecret;
use tracing::Subscriber;
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::registry::LookupSpan;

use super::collector::Collector;
use crate::config::{Config, ConfigError, header_list};

/// How long one batch may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long the last batches may take at the end.
const AT_THE_END: Duration = Duration::from_secs(5);

/// Sends spans to a collector, in batches, from a thread of its own. What comes while its queue is full is dropped.
pub(super) struct Traces(SdkTracerProvider);

impl Traces {
    /// `None` if the configuration names no collector.
    pub(super) fn start(config: &Config) -> Result<Option<Traces>, ConfigError> {
        let Some(endpoint) = &config.otlp_endpoint else {
            return Ok(None);
        };
        let unusable = |problem: String| ConfigError::Invalid {
            place: "OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(),
            problem,
            value: endpoint.clone(),
        };
        let collector = Collector::start(TIMEOUT).map_err(|error| unusable(error.to_string()))?;
        let headers: HashMap<String, String> = match &config.otlp_headers {
            // What cannot be read was refused when the configuration was.
            Some(headers) => header_list(headers.expose_secret()).unwrap_or_default(),
            None => Vec::new(),
        }
        .into_iter()
        .collect();
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(collector)
            .with_endpoint(format!("{endpoint}/v1/traces"))
            .with_headers(headers)
            .with_timeout(TIMEOUT)
            .build()
            .map_err(|error| unusable(error.to_string()))?;
        let resource = Resource::builder()
            .with_service_name(config.service_name.clone())
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let share = Sampler::TraceIdRatioBased(config.trace_ratio);
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            // Whoever calls has decided for what belongs to the call.
            .with_sampler(Sampler::ParentBased(Box::new(share)))
            .with_resource(resource)
            .build();
        Ok(Some(Traces(provider)))
    }

    /// What hands spans over.
    pub(super) fn layer<S>(&self) -> OpenTelemetryLayer<S, Tracer>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        layer(&self.0)
    }
}

/// Spans without where in the source they are, on which thread and at which level: only what they say themselves.
pub(super) fn layer<S>(provider: &SdkTracerProvider) -> OpenTelemetryLayer<S, Tracer>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("tidings"))
        .with_location(false)
        .with_threads(false)
        .with_level(false)
        .with_target(false)
        .with_tracked_inactivity(false)
        .with_context_activation(false)
}

impl Drop for Traces {
    fn drop(&mut self) {
        if let Err(error) = self.0.shutdown_with_timeout(AT_THE_END) {
            tracing::warn!(%error, "the last traces did not reach the collector");
        }
    }
}

impl fmt::Debug for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Traces")
    }
}
