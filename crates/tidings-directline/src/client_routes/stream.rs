//! `GET /conversations/{id}/stream?t=&watermark=`: 101.

use std::sync::Arc;

use axum::extract::State;
use axum::extract::ws::{WebSocketUpgrade, rejection::WebSocketUpgradeRejection};
use axum::response::Response;
use serde::Deserialize;

use crate::channel::Channel;
use crate::extract::{Ids, Parameters};
use crate::identifier::watermark;
use crate::refusal::Refusal;
use crate::stream::Stream;

/// A client sends nothing but keep-alives over a stream.
const FRAME_BYTES: usize = 16 * 1024;

#[derive(Debug, Deserialize)]
pub(crate) struct StreamParameters {
    t: Option<String>,
    watermark: Option<String>,
}

pub(crate) async fn open(
    State(channel): State<Arc<Channel>>,
    Ids(id): Ids<String>,
    Parameters(parameters): Parameters<StreamParameters>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Refusal> {
    let token = parameters
        .t
        .ok_or_else(|| Refusal::unauthorized("'t' is missing: open the streamUrl as it was given"))?;
    let claims = channel.tokens.read_stream(&token, channel.now())?;
    if claims.conv != id {
        return Err(Refusal::forbidden("The stream URL is for another conversation"));
    }
    let position = watermark(parameters.watermark.as_deref())?;
    let conversation = channel.conversation(&id).await?;
    let upgrade =
        upgrade.map_err(|_| Refusal::bad_argument("This path answers only to a WebSocket upgrade"))?;
    let busy = || {
        Refusal::busy(
            "There are as many open streams as there can be: try again later, or poll",
            30,
        )
    };
    let permit = channel.live.reserve().ok_or_else(busy)?;
    let tasks = channel.tasks.clone();
    Ok(upgrade
        .max_message_size(FRAME_BYTES)
        .max_frame_size(FRAME_BYTES)
        .on_upgrade(move |socket| {
            // Signed on before the first read of the history, so that no commit falls between the two.
            let seat = channel.live.sign_on(conversation.number, permit);
            let position = position.unwrap_or(0).min(conversation.last_position);
            tasks.track_future(
                Stream {
                    channel,
                    conversation,
                    socket,
                    seat,
                    position,
                }
                .run(),
            )
        }))
}
