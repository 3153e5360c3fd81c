//! `GET /metrics`: what the server counts, for Prometheus and whoever reads its format.

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::get;
use http::header;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::registry::Registry;
use tidings_connector::jwt::Authenticator;

use crate::api::no_other_method;
use crate::api_error::ApiError;
use crate::gate::Gate;
use crate::keys::Scope;

/// How many requests to the bot were let in, by the sort of caller.
const ACCEPTED: &str = "tidings_auth_accepted";
/// How many were not, by the reason.
const REFUSED: &str = "tidings_auth_refused";

/// How many requests were refused before they could be read.
const OVERSIZED: &str = "tidings_http_heads_refused";

const TEXT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(crate) fn router(authenticator: Option<Arc<Authenticator>>, oversized: Counter, gate: &Gate) -> Router {
    let mut registry = Registry::default();
    registry.register(
        OVERSIZED,
        "Requests whose head was too large, answered 431",
        oversized,
    );
    if let Some(authenticator) = authenticator {
        registry.register_collector(Box::new(Verdicts(authenticator)));
    }
    let metrics = no_other_method(gate.guard(Scope::MetricsRead, get(write)));
    Router::new()
        .route("/metrics", metrics)
        .with_state(Arc::new(registry))
}

async fn write(State(registry): State<Arc<Registry>>) -> Result<impl IntoResponse, ApiError> {
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).map_err(|_| ApiError::internal())?;
    Ok(([(header::CONTENT_TYPE, TEXT)], text))
}

/// Who was let in and who was not.
#[derive(Debug)]
struct Verdicts(Arc<Authenticator>);

impl Collector for Verdicts {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let counts = self.0.counts();
        let accepted = counts.accepted.map(|(kind, count)| (kind.as_str(), count));
        family(
            &mut encoder,
            ACCEPTED,
            "Requests to the bot that were let in",
            "caller",
            &accepted,
        )?;
        let refused = counts.refused.map(|(reason, count)| (reason.as_str(), count));
        family(
            &mut encoder,
            REFUSED,
            "Requests to the bot that were not let in",
            "reason",
            &refused,
        )
    }
}

fn family(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    label: &str,
    counts: &[(&'static str, u64)],
) -> Result<(), fmt::Error> {
    let kind = ConstCounter::new(0_u64).metric_type();
    let mut family = encoder.encode_descriptor(name, help, None, kind)?;
    for (value, count) in counts {
        let labels = [(label, *value)];
        ConstCounter::new(*count).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}
