//! `POST /conversations` and `GET /conversations/{id}`.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::IntoResponse;
use http::{HeaderMap, StatusCode, Uri, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use tidings_activity::ChannelAccount;

use crate::body;
use crate::caller::Caller;
use crate::channel::Channel;
use crate::conversation::Conversation;
use crate::extract::{Ids, Parameters};
use crate::identifier::{new_conversation_id, watermark};
use crate::member::NAME_CHARACTERS;
use crate::refusal::Refusal;

/// Largest body of a request that only says who begins.
const BODY_BYTES: usize = 64 * 1024;

/// The optional body of `POST /tokens/generate` and `POST /conversations`. `trustedOrigins` is accepted and
/// not used.
#[derive(Debug, Default, Deserialize)]
#[serde(expecting = "an object")]
pub(crate) struct StartParameters {
    user: Option<UserParameter>,
    locale: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "an object with an 'id'")]
struct UserParameter {
    id: Option<String>,
    name: Option<String>,
}

impl StartParameters {
    /// No body at all is as good as an empty object.
    pub(crate) async fn read(body: Body) -> Result<Self, Refusal> {
        let bytes = body::read(body, BODY_BYTES).await?;
        if bytes.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        tidings_activity::from_slice::<serde_json::Map<String, serde_json::Value>>(&bytes)?;
        serde_json::from_slice(&bytes)
            .map_err(|error| Refusal::bad_argument(format!("'user' or 'locale' has a wrong type: {error}")))
    }

    /// The user, if there is one with an id.
    pub(crate) fn user(&self) -> Result<Option<ChannelAccount>, Refusal> {
        let Some(UserParameter { id: Some(id), name }) = &self.user else {
            return Ok(None);
        };
        if id.is_empty() {
            return Ok(None);
        }
        let longest = id
            .chars()
            .count()
            .max(name.as_ref().map_or(0, |name| name.chars().count()));
        if longest > NAME_CHARACTERS {
            return Err(Refusal::bad_argument(format!(
                "'user.id' or 'user.name' is longer than {NAME_CHARACTERS} characters"
            )));
        }
        let name = name.clone().filter(|name| !name.is_empty());
        Ok(Some(ChannelAccount {
            id: Some(id.clone()),
            name,
            ..ChannelAccount::default()
        }))
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ConversationAnswer {
    conversation_id: String,
    token: String,
    #[serde(rename = "expires_in")]
    expires_in: u64,
    stream_url: String,
    reference_grammar_id: String,
    e_tag: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct WatermarkParameter {
    pub(crate) watermark: Option<String>,
}

/// `POST /conversations`: 201 for a new conversation, 200 for the token's when it has been started.
pub(crate) async fn start(
    State(channel): State<Arc<Channel>>,
    headers: HeaderMap,
    body: Body,
) -> Result<impl IntoResponse, Refusal> {
    let caller = Caller::authenticate(&channel, &headers)?;
    let parameters = StartParameters::read(body).await?;
    let claimed = parameters.user()?;
    if let Some(id) = claimed.as_ref().and_then(ChannelAccount::known_id) {
        if caller.user().is_none() && !caller.may_claim(id) {
            return Err(Refusal::bad_argument(
                "'user.id' starts with 'dl_': such an id must be in the token",
            ));
        }
        if Some(id) == channel.bot_account.id.as_deref() {
            return Err(Refusal::bad_argument("'user.id' is the id of the bot"));
        }
    }
    let user = caller.user().or(claimed);
    let id = match caller {
        Caller::Trusted => new_conversation_id(),
        Caller::Token(claims) => claims.conv,
    };
    let locale = parameters
        .locale
        .filter(|locale| !locale.is_empty() && locale.len() <= 64);
    let (conversation, new) = channel.start(id, user.clone(), locale).await?;
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    let user = user.or_else(|| conversation.user.clone());
    Ok((
        status,
        Json(answer(&channel, &headers, &conversation, user.as_ref(), None)?),
    ))
}

/// `GET /conversations/{id}?watermark=`: a new token and stream URL for a conversation that has been started.
pub(crate) async fn reconnect(
    State(channel): State<Arc<Channel>>,
    Ids(id): Ids<String>,
    Parameters(parameters): Parameters<WatermarkParameter>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Refusal> {
    let caller = Caller::for_conversation(&channel, &headers, &id)?;
    let position = watermark(parameters.watermark.as_deref())?;
    let conversation = channel.conversation(&id).await?;
    let user = caller.user().or_else(|| conversation.user.clone());
    Ok(Json(answer(
        &channel,
        &headers,
        &conversation,
        user.as_ref(),
        position,
    )?))
}

fn answer(
    channel: &Channel,
    headers: &HeaderMap,
    conversation: &Conversation,
    user: Option<&ChannelAccount>,
    position: Option<i64>,
) -> Result<ConversationAnswer, Refusal> {
    let limits = channel.limits();
    let now = channel.now();
    let stream_token = channel
        .tokens
        .stream(&conversation.id, now, limits.stream_url_life)?;
    let watermark = position.map_or_else(|| "-".to_owned(), |position| position.to_string());
    let path_id = utf8_percent_encode(&conversation.id, NON_ALPHANUMERIC);
    Ok(ConversationAnswer {
        token: channel
            .tokens
            .bearer(&conversation.id, user, now, limits.token_life)?,
        expires_in: limits.token_life.as_secs(),
        stream_url: format!(
            "{}/v3/directline/conversations/{path_id}/stream?watermark={watermark}&t={stream_token}",
            socket_origin(&channel.options.base_url.get(), headers),
        ),
        reference_grammar_id: grammar_id(&conversation.id),
        e_tag: format!("\"{}\"", conversation.started_at),
        conversation_id: conversation.id.clone(),
    })
}

/// The base URL with a socket's scheme. On loopback, the host that the client itself used: a page opened as
/// `localhost` may be forbidden to open a socket to `127.0.0.1`.
fn socket_origin(base_url: &str, headers: &HeaderMap) -> String {
    let (scheme, rest) = match base_url.split_once("://") {
        Some(("https" | "wss", rest)) => ("wss", rest),
        Some((_, rest)) => ("ws", rest),
        None => ("ws", base_url),
    };
    let asked = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    match asked {
        Some(asked) if is_loopback(asked) && is_loopback(rest.split('/').next().unwrap_or(rest)) => {
            let path = rest.find('/').map_or("", |start| &rest[start..]);
            format!("{scheme}://{asked}{path}")
        }
        _ => format!("{scheme}://{rest}"),
    }
}

fn is_loopback(authority: &str) -> bool {
    let Ok(uri) = authority.parse::<Uri>() else {
        return false;
    };
    let Some(host) = uri.host() else { return false };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || bare
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// An id for speech recognition to know the conversation by; always the same one for the same conversation.
fn grammar_id(conversation_id: &str) -> String {
    let mut bytes = [0_u8; 16];
    for (byte, letter) in bytes.iter_mut().zip(conversation_id.bytes()) {
        *byte = letter;
    }
    uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_host(host: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::HOST, host.parse().unwrap())])
    }

    #[test]
    fn a_socket_goes_to_the_base_url_or_to_the_loopback_name_the_client_used() {
        let base = "http://127.0.0.1:3978";
        assert_eq!(socket_origin(base, &HeaderMap::new()), "ws://127.0.0.1:3978");
        assert_eq!(
            socket_origin(base, &with_host("localhost:3978")),
            "ws://localhost:3978"
        );
        assert_eq!(socket_origin(base, &with_host("[::1]:3978")), "ws://[::1]:3978");
        assert_eq!(
            socket_origin(base, &with_host("evil.example")),
            "ws://127.0.0.1:3978"
        );
        assert_eq!(
            socket_origin(base, &with_host("localhost.evil.example")),
            "ws://127.0.0.1:3978"
        );
        assert_eq!(
            socket_origin("https://chat.example/here", &with_host("localhost")),
            "wss://chat.example/here"
        );
        assert_eq!(
            socket_origin("http://localhost:1/here", &with_host("127.0.0.1:1")),
            "ws://127.0.0.1:1/here"
        );
    }
}
