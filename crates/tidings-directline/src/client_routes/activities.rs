//! `GET` and `POST /conversations/{id}/activities`.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::IntoResponse;
use http::{HeaderMap, header};
use serde_json::{Value, json};

use super::conversations::WatermarkParameter;
use crate::body;
use crate::caller::Caller;
use crate::channel::Channel;
use crate::extract::{Ids, Parameters};
use crate::history::{History, activity_set};
use crate::identifier::watermark;
use crate::refusal::Refusal;

/// `GET /conversations/{id}/activities?watermark=`: an activity set of everything after the watermark, at
/// most a page.
pub(crate) async fn get(
    State(channel): State<Arc<Channel>>,
    Ids(id): Ids<String>,
    Parameters(parameters): Parameters<WatermarkParameter>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Refusal> {
    Caller::for_conversation(&channel, &headers, &id)?;
    let position = watermark(parameters.watermark.as_deref())?;
    let conversation = channel.conversation(&id).await?;
    let most = channel.limits().page_activities;
    let page = channel
        .db
        .read(move |tx| History::new(tx, conversation.number, &conversation.id).page(position, most))
        .await?;
    let set = activity_set(&page.activities, Some(page.watermark));
    Ok(([(header::CONTENT_TYPE, "application/json; charset=utf-8")], set))
}

/// `POST /conversations/{id}/activities`: 200 `{id}` after the bot took it.
pub(crate) async fn post(
    State(channel): State<Arc<Channel>>,
    Ids(id): Ids<String>,
    headers: HeaderMap,
    request_body: Body,
) -> Result<Json<Value>, Refusal> {
    let caller = Caller::for_conversation(&channel, &headers, &id)?;
    let limits = channel.limits();
    let bytes = body::read(request_body, body::activity_bytes(limits)).await?;
    let activity = body::activity(&bytes, limits)?;
    let conversation = channel.conversation(&id).await?;
    let id = channel.post(&caller, conversation, activity, Vec::new()).await?;
    Ok(Json(json!({ "id": id })))
}
