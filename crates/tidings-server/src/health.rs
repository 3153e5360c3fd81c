//! `/healthz`: the process lives. `/readyz`: it can do its work.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use serde_json::{Value, json};
use tidings_store::Database;

use crate::api_error::ApiError;

pub(crate) fn router(database: Database) -> Router {
    let method_not_allowed = async || ApiError::method_not_allowed();
    Router::new()
        .route(
            "/healthz",
            get(async || Json(json!({ "status": "ok" }))).fallback(method_not_allowed),
        )
        .route("/readyz", get(ready).fallback(method_not_allowed))
        .with_state(database)
}

/// Not ready when the database does not answer. While the server drains, the door in front says 503.
async fn ready(State(database): State<Database>) -> Result<Json<Value>, ApiError> {
    let answer = database.read(|tx| tx.exists("SELECT 1", &[])).await;
    match answer {
        Ok(_) => Ok(Json(json!({ "status": "ready" }))),
        Err(error) => {
            tracing::error!(error = %error, "the database does not answer");
            Err(ApiError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "DatabaseUnavailable",
                "the database does not answer",
            ))
        }
    }
}
