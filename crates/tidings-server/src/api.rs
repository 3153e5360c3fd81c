//! `/api/v1`: the product's API, each route behind the gate with the scope it needs.

mod audit_log;
mod deliveries;
mod job_completion;
mod key_ring;
mod server_facts;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::MethodRouter;
use http::{HeaderValue, header};
use tidings_proactive::Proactive;
use tokio_util::sync::CancellationToken;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::RequestBodyTimeoutLayer;

use crate::access::ApiAccess;
use crate::api_error::ApiError;
use crate::audit::Audit;
use crate::gate::Gate;
use crate::keys::Keys;
use crate::metrics::Metrics;
use crate::{jobs, metrics};
pub(crate) use deliveries::intake::Intake;

/// What the API stands on.
pub(crate) struct Api {
    pub(crate) access: ApiAccess,
    pub(crate) keys: Keys,
    pub(crate) audit: Audit,
    pub(crate) proactive: Proactive,
    /// Who takes what is to be owed.
    pub(crate) intake: Arc<dyn Intake>,
    pub(crate) metrics: Metrics,
    /// Whether the page has a local channel to chat through.
    pub(crate) local_channel: bool,
    /// How long the body of a request may pause.
    pub(crate) body_timeout: Duration,
}

impl Api {
    /// The routes. Event streams end when `closing` is cancelled.
    pub(crate) fn router(self, closing: CancellationToken) -> Router {
        let gate = Gate::new(self.access, self.keys.clone(), self.audit.clone());
        self.behind(&gate, closing)
    }

    fn behind(self, gate: &Gate, closing: CancellationToken) -> Router {
        let facts = server_facts::ServerFacts {
            local_channel: self.local_channel,
            authenticated: self.access == ApiAccess::Keys,
        };
        let jobs = self.proactive.jobs();
        let deliveries = self.proactive.deliveries();
        jobs::router(jobs.clone(), gate, closing.clone())
            .merge(job_completion::router(jobs, gate))
            .merge(deliveries::router(deliveries, self.intake, gate, closing))
            .merge(key_ring::router(self.keys, gate))
            .merge(audit_log::router(self.audit, gate))
            .merge(server_facts::router(facts))
            .merge(metrics::router(self.metrics, gate))
            .layer(RequestBodyTimeoutLayer::new(self.body_timeout))
            .layer(SetResponseHeaderLayer::if_not_present(
                header::CACHE_CONTROL,
                HeaderValue::from_static("no-store"),
            ))
            .layer(SetResponseHeaderLayer::if_not_present(
                header::X_CONTENT_TYPE_OPTIONS,
                HeaderValue::from_static("nosniff"),
            ))
    }
}

/// Answers every other method of a path with 405.
pub(crate) fn no_other_method<S: Clone + Send + Sync + 'static>(routes: MethodRouter<S>) -> MethodRouter<S> {
    routes.fallback(async || ApiError::method_not_allowed())
}

#[cfg(test)]
pub(crate) mod tests;
