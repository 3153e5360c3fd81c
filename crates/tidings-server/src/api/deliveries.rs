//! `/api/v1/deliveries`, `/api/v1/pauses` and `/api/v1/limits`: what is owed, what became of it, and intervening.

mod engine;
mod enqueue;
pub(crate) mod intake;
mod limits;
mod line;
mod operate;
mod order;
mod query;

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::routing::{get, post, put};
use axum::{Extension, Json, Router};
use http::StatusCode;
use tidings_proactive::{Deliveries, DeliveriesError, DeliveryFilter, DeliveryId};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::api::no_other_method;
use crate::api_body::bad_argument;
use crate::api_error::ApiError;
use crate::gate::{Caller, Gate};
use crate::keys::Scope;
use crate::live::{Live, LiveList};
use intake::Intake;
use line::{Detail, Page, Summed};

/// Deliveries in an answer unless `?limit=` says otherwise, and always in an event.
const DEFAULT_LIMIT: usize = 50;

/// What the routes stand on.
#[derive(Clone)]
struct Desk {
    deliveries: Deliveries,
    intake: Arc<dyn Intake>,
    live: Live<Newest>,
}

/// The routes. Event streams end when `closing` is cancelled, and when the key they were opened with ends.
pub(crate) fn router(
    deliveries: Deliveries,
    intake: Arc<dyn Intake>,
    gate: &Gate,
    closing: CancellationToken,
) -> Router {
    let desk = Desk {
        live: Live::new(Newest(deliveries.clone()), closing),
        deliveries,
        intake,
    };
    let reads = |routes| gate.guard(Scope::DeliveriesRead, routes);
    let writes = |routes| gate.guard(Scope::DeliveriesWrite, routes);
    let all = reads(get(list)).merge(writes(post(enqueue::enqueue)));
    let limits = reads(get(limits::limits)).merge(writes(put(limits::set)));
    let pauses = reads(get(operate::pauses)).merge(writes(post(operate::pause).delete(operate::resume)));
    Router::new()
        .route("/api/v1/deliveries", no_other_method(all))
        .route("/api/v1/deliveries/events", no_other_method(reads(get(events))))
        .route("/api/v1/deliveries/summary", no_other_method(reads(get(summary))))
        .route("/api/v1/deliveries/{id}", no_other_method(reads(get(one))))
        .route(
            "/api/v1/deliveries/{id}/cancel",
            no_other_method(writes(post(operate::cancel))),
        )
        .route(
            "/api/v1/deliveries/{id}/hold",
            no_other_method(writes(post(operate::hold))),
        )
        .route(
            "/api/v1/deliveries/{id}/release",
            no_other_method(writes(post(operate::release))),
        )
        .route(
            "/api/v1/deliveries/{id}/retry",
            no_other_method(writes(post(operate::retry))),
        )
        .route("/api/v1/pauses", no_other_method(pauses))
        .route("/api/v1/limits", no_other_method(limits))
        .with_state(desk)
}

/// The newest deliveries, as they are told live.
#[derive(Clone)]
struct Newest(Deliveries);

#[async_trait::async_trait]
impl LiveList for Newest {
    const NAME: &'static str = "deliveries";

    fn watch(&self) -> watch::Receiver<u64> {
        self.0.watch()
    }

    async fn read(&self) -> Option<String> {
        let page = self.0.list(DeliveryFilter::default(), DEFAULT_LIMIT).await;
        let page = page.map_err(|error| {
            tracing::error!(error = %error, "the deliveries cannot be read");
        });
        serde_json::to_string(&Page::from(page.ok()?)).ok()
    }
}

async fn list(State(desk): State<Desk>, RawQuery(query): RawQuery) -> Result<Json<Page>, ApiError> {
    let (filter, limit) = query::filter(query.as_deref().unwrap_or(""))?;
    let page = desk.deliveries.list(filter, limit).await.map_err(failed)?;
    Ok(Json(page.into()))
}

async fn events(
    State(desk): State<Desk>,
    Extension(caller): Extension<Caller>,
) -> Result<axum::response::Response, ApiError> {
    desk.live.subscribe(caller)
}

async fn summary(State(desk): State<Desk>) -> Result<Json<Summed>, ApiError> {
    let summary = desk.deliveries.summary().await.map_err(failed)?;
    Ok(Json(summary.into()))
}

async fn one(State(desk): State<Desk>, Path(id): Path<String>) -> Result<Json<Detail>, ApiError> {
    let id = delivery_id(&id)?;
    let detail = desk.deliveries.detail(id).await.map_err(failed)?;
    let detail = detail
        .ok_or(DeliveriesError::UnknownDelivery { id })
        .map_err(failed)?;
    Ok(Json(detail.into()))
}

/// The id in a path.
fn delivery_id(text: &str) -> Result<DeliveryId, ApiError> {
    text.parse()
        .ok()
        .and_then(DeliveryId::from_number)
        .ok_or_else(|| bad_argument("id", "must be the id of a delivery, a whole number from 1"))
}

/// What the engine says, as an answer.
#[expect(clippy::needless_pass_by_value, reason = "handed to `map_err`")]
fn failed(error: DeliveriesError) -> ApiError {
    let conflict = |code| ApiError::new(StatusCode::CONFLICT, code, error.to_string());
    match &error {
        DeliveriesError::UnknownDelivery { .. } => {
            ApiError::new(StatusCode::NOT_FOUND, "NotFound", error.to_string()).field("id")
        }
        DeliveriesError::UnknownLane { .. } => {
            ApiError::new(StatusCode::NOT_FOUND, "NotFound", error.to_string()).field("conversationId")
        }
        DeliveriesError::AmbiguousLane { .. } => {
            ApiError::new(StatusCode::BAD_REQUEST, "BadArgument", error.to_string()).field("channelId")
        }
        DeliveriesError::WrongState { .. } => conflict("WrongState"),
        DeliveriesError::AlreadyDelivered { .. } => conflict("AlreadyDelivered"),
        DeliveriesError::Closed { .. } => conflict("ConversationClosed").field("reopen"),
        DeliveriesError::Limits(wrong) => bad_argument(wrong.field, &wrong.problem),
        DeliveriesError::Store(cause) => {
            tracing::error!(error = %error, "the deliveries cannot be read or changed");
            ApiError::of_store(cause)
        }
        _ => {
            tracing::error!(error = %error, "the deliveries cannot be read or changed");
            ApiError::internal()
        }
    }
}

#[cfg(test)]
mod tests;
