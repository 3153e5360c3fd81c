//! `GET /api/v1/server`: what the page must know before it has a key. Readable without one.

use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;

use crate::api::no_other_method;

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ServerFacts {
    /// Whether the chat windows of the page have a channel to speak through.
    pub(crate) local_channel: bool,
    /// Whether `/api/v1` asks for a key.
    pub(crate) authenticated: bool,
}

pub(crate) fn router(facts: ServerFacts) -> Router {
    Router::new().route("/api/v1/server", no_other_method(get(async move || Json(facts))))
}
