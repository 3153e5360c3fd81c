//! `GET` and `POST /v3/conversations`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use tidings_activity::ChannelAccount;

use super::members::{after_token, token_after};
use crate::caller::Caller;
use crate::channel::Channel;
use crate::conversation::Conversation;
use crate::extract::Parameters;
use crate::member;
use crate::refusal::Refusal;

/// Conversations of one page.
const PAGE: usize = 100;

/// Members of a conversation that its entry in the list names at most; `pagedmembers` has them all.
const MEMBERS: usize = 100;

#[derive(Debug, Deserialize)]
pub(crate) struct ListParameters {
    #[serde(rename = "continuationToken")]
    continuation_token: Option<String>,
}

/// `GET /v3/conversations?continuationToken=`: all conversations, oldest first. In local mode not for a token,
/// which is for one conversation; with a secret, whoever is here came by the key.
pub(crate) async fn list(
    State(channel): State<Arc<Channel>>,
    Parameters(parameters): Parameters<ListParameters>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    if channel.connector_key.is_none()
        && let Caller::Token(_) = Caller::authenticate(&channel, &headers)?
    {
        return Err(Refusal::forbidden(
            "The list of conversations is not for the token of one: send no 'Authorization'",
        ));
    }
    let after = after_token(parameters.continuation_token.as_deref())?;
    let (page, next) = channel
        .db
        .read(move |tx| {
            let mut page = Conversation::page(tx, after, PAGE + 1)?;
            let next = (page.len() > PAGE).then(|| page[PAGE - 1].number);
            page.truncate(PAGE);
            let mut entries = Vec::with_capacity(page.len());
            for conversation in page {
                let members: Vec<ChannelAccount> = member::page(tx, conversation.number, 0, MEMBERS)?
                    .into_iter()
                    .map(|member| member.account)
                    .collect();
                entries.push((conversation.id, members));
            }
            Ok((entries, next))
        })
        .await?;
    let conversations: Vec<Value> = page
        .into_iter()
        .map(|(id, members)| json!({ "id": id, "members": members }))
        .collect();
    Ok(Json(match next {
        Some(number) => json!({ "continuationToken": token_after(number), "conversations": conversations }),
        None => json!({ "conversations": conversations }),
    }))
}

/// `POST /v3/conversations`: 405, as on the real Direct Line: only a client starts a conversation.
pub(crate) async fn create() -> Response {
    let refusal = Refusal::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "NotSupported",
        "A bot cannot create a conversation on this channel: only a client can start one",
    );
    let mut response = refusal.into_response();
    response
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}
