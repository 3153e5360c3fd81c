//! `GET /metrics`: what the server counts, for Prometheus and whoever reads its format (docs/operations.md).

mod engine;
mod families;
mod names;

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::get;
use http::header;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use tidings_connector::jwt::{Authenticator, VerdictCounts};
use tidings_proactive::Proactive;
use tidings_store::{Database, Stats};

use crate::api::no_other_method;
use crate::api_error::ApiError;
use crate::gate::Gate;
use crate::keys::Scope;

#[cfg(test)]
use tidings_proactive::{Backlog, EngineStats};

use engine::Engine;
use families::Families;

const TEXT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Who counts.
pub(crate) struct Metrics {
    /// Who judges tokens, with an app id.
    pub(crate) authenticator: Option<Arc<Authenticator>>,
    /// Requests whose head was too large.
    pub(crate) oversized: Counter,
    pub(crate) proactive: Proactive,
    pub(crate) database: Database,
}

pub(crate) fn router(metrics: Metrics, gate: &Gate) -> Router {
    let route = no_other_method(gate.guard(Scope::MetricsRead, get(write)));
    Router::new()
        .route("/metrics", route)
        .with_state(Arc::new(metrics))
}

async fn write(State(metrics): State<Arc<Metrics>>) -> Result<impl IntoResponse, ApiError> {
    let mut text = String::new();
    let registry = metrics.read().await;
    prometheus_client::encoding::text::encode(&mut text, &registry).map_err(|_| ApiError::internal())?;
    Ok(([(header::CONTENT_TYPE, TEXT)], text))
}

impl Metrics {
    /// Everything that is counted, as it is now. What the counters stand on is below and does not know of Prometheus, so
    /// they are read when somebody asks.
    async fn read(&self) -> Registry {
        let engine = Engine(self.proactive.stats().await);
        let server = Server {
            verdicts: self
                .authenticator
                .as_ref()
                .map(|authenticator| authenticator.counts()),
            heads_refused: self.oversized.get(),
            database: self.database.stats(),
        };
        let mut registry = Registry::default();
        registry.register_collector(Box::new(server));
        registry.register_collector(Box::new(engine));
        registry
    }
}

/// What everything but the engine has to say.
#[derive(Debug)]
struct Server {
    verdicts: Option<VerdictCounts>,
    heads_refused: u64,
    database: Stats,
}

impl Collector for Server {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut families = Families(encoder);
        families.all(&names::BUILD_INFO, [([env!("CARGO_PKG_VERSION")], 1_u64)])?;
        if let Some(verdicts) = &self.verdicts {
            let accepted = verdicts.accepted.iter();
            families.all(
                &names::AUTH_ACCEPTED,
                accepted.map(|(kind, count)| ([kind.as_str()], *count)),
            )?;
            let refused = verdicts.refused.iter();
            families.all(
                &names::AUTH_REFUSED,
                refused.map(|(reason, count)| ([reason.as_str()], *count)),
            )?;
        }
        families.one(&names::HEADS_REFUSED, self.heads_refused)?;
        families.one(&names::COMMITS, self.database.commits)?;
        families.one(&names::OPERATIONS, self.database.operations)?;
        families.one(&names::FAILURES, self.database.failures)?;
        families.one(&names::READS, self.database.reads)
    }
}

#[cfg(test)]
mod tests;
