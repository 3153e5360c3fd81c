//! Sending, replying, updating, deleting and importing activities.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tidings_activity::{Activity, Transcript};

use crate::body;
use crate::channel::Channel;
use crate::extract::Ids;
use crate::refusal::Refusal;

/// A sender's own id of what it sends: the same id is kept once.
const DELIVERY: &str = "x-tidings-delivery";

/// Longest delivery id in bytes.
const DELIVERY_BYTES: usize = 128;

/// Most activities of one transcript: the writer appends them in one go.
const TRANSCRIPT_ACTIVITIES: usize = 1_000;

/// `POST /v3/conversations/{c}/activities`.
pub(crate) async fn send(
    State(channel): State<Arc<Channel>>,
    Ids(conversation): Ids<String>,
    headers: HeaderMap,
    request_body: Body,
) -> Result<Json<Value>, Refusal> {
    let activity = read(&channel, request_body).await?;
    let id = channel.send(&conversation, activity, delivery(&headers)?).await?;
    Ok(Json(json!({ "id": id })))
}

/// `POST /v3/conversations/{c}/activities/{a}`: as a send, in answer to `a`. It need not exist: a proactive
/// turn answers an id of its own making.
pub(crate) async fn reply(
    State(channel): State<Arc<Channel>>,
    Ids((conversation, activity_id)): Ids<(String, String)>,
    headers: HeaderMap,
    request_body: Body,
) -> Result<Json<Value>, Refusal> {
    let mut activity = read(&channel, request_body).await?;
    if activity.reply_to_id.as_deref().is_none_or(str::is_empty) {
        activity.reply_to_id = Some(activity_id);
    }
    let id = channel.send(&conversation, activity, delivery(&headers)?).await?;
    Ok(Json(json!({ "id": id })))
}

/// `PUT /v3/conversations/{c}/activities/{a}`.
pub(crate) async fn update(
    State(channel): State<Arc<Channel>>,
    Ids((conversation, activity_id)): Ids<(String, String)>,
    request_body: Body,
) -> Result<Json<Value>, Refusal> {
    let activity = read(&channel, request_body).await?;
    let id = channel.update(&conversation, &activity_id, activity).await?;
    Ok(Json(json!({ "id": id })))
}

/// `DELETE /v3/conversations/{c}/activities/{a}`.
pub(crate) async fn delete(
    State(channel): State<Arc<Channel>>,
    Ids((conversation, activity_id)): Ids<(String, String)>,
) -> Result<StatusCode, Refusal> {
    channel.delete(&conversation, &activity_id).await?;
    Ok(StatusCode::OK)
}

/// `POST /v3/conversations/{c}/activities/history`: a Transcript, appended in its order; the id is that of
/// its last activity.
pub(crate) async fn import(
    State(channel): State<Arc<Channel>>,
    Ids(conversation): Ids<String>,
    request_body: Body,
) -> Result<Json<Value>, Refusal> {
    let limits = channel.limits();
    let bytes = body::read(request_body, limits.body_bytes).await?;
    let transcript: Transcript = tidings_activity::from_slice(&bytes)?;
    let activities = transcript
        .activities
        .ok_or_else(|| Refusal::missing("activities"))?;
    if activities.len() > TRANSCRIPT_ACTIVITIES {
        return Err(Refusal::too_large(
            "The transcript",
            TRANSCRIPT_ACTIVITIES,
            "activities",
        ));
    }
    let id = channel.import(&conversation, activities).await?;
    Ok(Json(json!({ "id": id })))
}

async fn read(channel: &Channel, request_body: Body) -> Result<Activity, Refusal> {
    let limits = channel.limits();
    let bytes = body::read(request_body, limits.body_bytes).await?;
    body::activity(&bytes, limits)
}

fn delivery(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let Some(value) = headers.get(DELIVERY) else {
        return Ok(None);
    };
    match value.to_str() {
        Ok(id) if !id.is_empty() && id.len() <= DELIVERY_BYTES => Ok(Some(id.to_owned())),
        _ => Err(Refusal::bad_argument(format!(
            "'{DELIVERY}' is not 1 to {DELIVERY_BYTES} ASCII characters"
        ))),
    }
}
