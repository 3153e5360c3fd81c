//! `GET /v3/attachments/{id}` and `GET /v3/attachments/{id}/views/{view}` (Connector REST v3).
//!
//! The unguessable id is the permission: neither an `<img>` nor the bot sends a token. What is served was
//! uploaded by anybody, from the origin of the page, so nothing in it may run: unknown types are downloads,
//! and none is sniffed or scripted.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::attachment;
use crate::channel::Channel;
use crate::extract::Ids;
use crate::refusal::Refusal;

/// What RFC 8187 lets stand in an extended header value.
const FILE_NAME: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Types that a browser shows without running anything in them. SVG is not one of them.
const SHOWN_INLINE: &[&str] = &[
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "image/bmp",
    "image/avif",
    "text/plain",
];

/// `GET /v3/attachments/{id}`: its name, type and views.
pub(crate) async fn info(
    State(channel): State<Arc<Channel>>,
    Ids(id): Ids<String>,
) -> Result<Json<Value>, Refusal> {
    let now = channel.now_micros();
    let info = channel
        .db
        .read(move |tx| attachment::info(tx, &id, now))
        .await?
        .ok_or_else(not_found)?;
    let mut views = vec![json!({ "viewId": "original", "size": info.original_size })];
    views.extend(
        info.thumbnail_size
            .map(|size| json!({ "viewId": "thumbnail", "size": size })),
    );
    Ok(Json(
        json!({ "name": info.name, "type": info.content_type, "views": views }),
    ))
}

/// `GET /v3/attachments/{id}/views/{view}`: the bytes.
pub(crate) async fn view(
    State(channel): State<Arc<Channel>>,
    Ids((id, view)): Ids<(String, String)>,
) -> Result<Response, Refusal> {
    let now = channel.now_micros();
    let view = channel
        .db
        .read(move |tx| attachment::view(tx, &id, &view, now))
        .await?
        .ok_or_else(not_found)?;
    let essence = view
        .content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let inline = SHOWN_INLINE.contains(&essence.as_str())
        || ["audio/", "video/"]
            .iter()
            .any(|prefix| essence.starts_with(prefix));
    let disposition = format!(
        "{}; filename*=UTF-8''{}",
        if inline { "inline" } else { "attachment" },
        utf8_percent_encode(&view.name, FILE_NAME)
    );
    let content_type = HeaderValue::from_str(&view.content_type)
        .unwrap_or_else(|_| HeaderValue::from_static("application/octet-stream"));
    let disposition =
        HeaderValue::from_str(&disposition).unwrap_or_else(|_| HeaderValue::from_static("attachment"));
    const SECURITY: [(HeaderName, &str); 4] = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
        (header::CACHE_CONTROL, "private, max-age=3600, immutable"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    let content = [
        (header::CONTENT_TYPE, content_type),
        (header::CONTENT_DISPOSITION, disposition),
    ];
    Ok((StatusCode::OK, content, SECURITY, view.bytes).into_response())
}

fn not_found() -> Refusal {
    Refusal::new(
        StatusCode::NOT_FOUND,
        "NotFound",
        "There is no such attachment, or it has expired",
    )
}
