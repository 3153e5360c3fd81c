//! `POST /v3/conversations/{c}/attachments`: the bot uploads a file.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};
use tidings_activity::AttachmentData;

use crate::attachment::{self, Upload};
use crate::body;
use crate::channel::Channel;
use crate::extract::Ids;
use crate::history::micros;
use crate::identifier::new_attachment_id;
use crate::refusal::Refusal;

/// What the JSON around the base64 may take.
const ENVELOPE_BYTES: usize = 16 * 1024;

/// Longest name and type in characters.
const NAME_CHARACTERS: usize = 256;

/// Answers `{id}`; the file is at `/v3/attachments/{id}/views/original` for
/// [`Limits::attachment_life`](crate::Limits).
pub(crate) async fn upload(
    State(channel): State<Arc<Channel>>,
    Ids(conversation): Ids<String>,
    request_body: Body,
) -> Result<Json<Value>, Refusal> {
    let limits = channel.limits().clone();
    let most = limits.upload_bytes.div_ceil(3) * 4 + ENVELOPE_BYTES;
    let bytes = body::read(request_body, most).await?;
    let data: AttachmentData = tidings_activity::from_slice(&bytes)?;
    let original = decode(data.original_base64.as_deref(), "originalBase64")?
        .ok_or_else(|| Refusal::missing("originalBase64"))?;
    let thumbnail = decode(data.thumbnail_base64.as_deref(), "thumbnailBase64")?;
    if original.len() + thumbnail.as_ref().map_or(0, Bytes::len) > limits.upload_bytes {
        return Err(Refusal::too_large("The attachment", limits.upload_bytes, "bytes"));
    }
    let short = |text: Option<String>, default: &str| {
        let text: String = text
            .unwrap_or_default()
            .chars()
            .filter(|c| !c.is_control())
            .take(NAME_CHARACTERS)
            .collect();
        if text.is_empty() { default.to_owned() } else { text }
    };
    let upload = Upload {
        id: new_attachment_id(),
        name: short(data.name, "file"),
        content_type: short(data.kind, "application/octet-stream"),
        original,
        thumbnail,
    };
    let conversation = channel.conversation(&conversation).await?;
    let id = upload.id.clone();
    let uploads = [upload];
    let now = channel.now_micros();
    let until = now.saturating_add(micros(limits.attachment_life));
    let kept = channel
        .db
        .write_repeatable(move |tx| {
            attachment::keep(
                tx,
                conversation.number,
                &uploads,
                now,
                until,
                limits.attachment_bytes,
            )
        })
        .await?;
    if !kept {
        return Err(Refusal::busy(
            "The channel keeps as many files as it can: wait until some expire",
            3_600,
        ));
    }
    Ok(Json(json!({ "id": id })))
}

fn decode(base64: Option<&str>, field: &str) -> Result<Option<Bytes>, Refusal> {
    let Some(base64) = base64.filter(|base64| !base64.is_empty()) else {
        return Ok(None);
    };
    let bytes = STANDARD
        .decode(base64)
        .map_err(|_| Refusal::bad_argument(format!("'{field}' is not base64")))?;
    Ok(Some(Bytes::from(bytes)))
}
