//! `POST /tokens/generate`, `POST /tokens/refresh`, `GET /session/getsessionid`.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use http::HeaderMap;
use serde::Serialize;
use serde_json::{Value, json};
use tidings_activity::ChannelAccount;

use super::conversations::StartParameters;
use crate::caller::Caller;
use crate::channel::Channel;
use crate::identifier::new_conversation_id;
use crate::refusal::Refusal;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TokenAnswer {
    conversation_id: String,
    token: String,
    #[serde(rename = "expires_in")]
    expires_in: u64,
}

/// `POST /tokens/generate`: a token for a conversation that is yet to start.
pub(crate) async fn generate(
    State(channel): State<Arc<Channel>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<TokenAnswer>, Refusal> {
    let Caller::Trusted = Caller::authenticate(&channel, &headers)? else {
        return Err(Refusal::forbidden(
            "A token is made with the secret, not with a token: refresh this one instead",
        ));
    };
    let user = StartParameters::read(body).await?.user()?;
    if let Some(id) = user.as_ref().and_then(ChannelAccount::known_id)
        && !id.starts_with("dl_")
    {
        return Err(Refusal::bad_argument("'user.id' must start with 'dl_'"));
    }
    answer(&channel, new_conversation_id(), user.as_ref())
}

/// `POST /tokens/refresh`: the same token with a new life, while the old one still lives.
pub(crate) async fn refresh(
    State(channel): State<Arc<Channel>>,
    headers: HeaderMap,
) -> Result<Json<TokenAnswer>, Refusal> {
    match Caller::authenticate(&channel, &headers)? {
        Caller::Token(claims) => {
            let user = claims.account();
            answer(&channel, claims.conv, user.as_ref())
        }
        Caller::Trusted => Err(Refusal::bad_argument(
            "Only a token can be refreshed: send it as 'Authorization: Bearer'",
        )),
    }
}

/// `GET /session/getsessionid`: an id for enhanced authentication. Nothing here depends on it.
pub(crate) async fn session_id(
    State(channel): State<Arc<Channel>>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    Caller::authenticate(&channel, &headers)?;
    Ok(Json(
        json!({ "sessionId": uuid::Uuid::new_v4().simple().to_string() }),
    ))
}

fn answer(
    channel: &Channel,
    conversation_id: String,
    user: Option<&ChannelAccount>,
) -> Result<Json<TokenAnswer>, Refusal> {
    let life = channel.limits().token_life;
    let token = channel
        .tokens
        .bearer(&conversation_id, user, channel.now(), life)?;
    Ok(Json(TokenAnswer {
        conversation_id,
        token,
        expires_in: life.as_secs(),
    }))
}
