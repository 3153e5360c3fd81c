//! The members of a conversation.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use tidings_activity::ChannelAccount;

use crate::channel::Channel;
use crate::conversation::Conversation;
use crate::extract::{Ids, Parameters};
use crate::member::{self, Member};
use crate::refusal::Refusal;

/// Most members of one page.
const MOST_PER_PAGE: usize = 500;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PageParameters {
    page_size: Option<String>,
    continuation_token: Option<String>,
}

/// `GET /v3/conversations/{c}/members`.
pub(crate) async fn list(
    State(channel): State<Arc<Channel>>,
    Ids(conversation): Ids<String>,
) -> Result<Json<Vec<ChannelAccount>>, Refusal> {
    let conversation = channel.conversation(&conversation).await?;
    all(&channel, &conversation).await.map(Json)
}

/// `GET /v3/conversations/{c}/activities/{a}/members`: on this channel, everybody sees everything.
pub(crate) async fn of_activity(
    State(channel): State<Arc<Channel>>,
    Ids((conversation, activity)): Ids<(String, String)>,
) -> Result<Json<Vec<ChannelAccount>>, Refusal> {
    let conversation = channel.conversation(&conversation).await?;
    channel.existing(&conversation, &activity).await?;
    all(&channel, &conversation).await.map(Json)
}

/// `GET /v3/conversations/{c}/members/{m}`.
pub(crate) async fn get(
    State(channel): State<Arc<Channel>>,
    Ids((conversation, member_id)): Ids<(String, String)>,
) -> Result<Json<ChannelAccount>, Refusal> {
    let conversation = channel.conversation(&conversation).await?;
    let found = channel
        .db
        .read(move |tx| member::find(tx, conversation.number, &member_id))
        .await?;
    found.map(|member| Json(member.account)).ok_or_else(not_a_member)
}

/// `DELETE /v3/conversations/{c}/members/{m}`: the bot is told of it with a conversationUpdate.
pub(crate) async fn remove(
    State(channel): State<Arc<Channel>>,
    Ids((conversation, member_id)): Ids<(String, String)>,
) -> Result<StatusCode, Refusal> {
    let conversation = channel.conversation(&conversation).await?;
    if Some(&member_id) == channel.bot_account.id.as_ref() {
        return Err(Refusal::bad_argument(
            "The bot cannot be removed from its own conversation",
        ));
    }
    let number = conversation.number;
    let removed = channel
        .db
        .write_repeatable(move |tx| {
            let found = member::find(tx, number, &member_id)?;
            member::leave(tx, number, &member_id)?;
            Ok(found)
        })
        .await?
        .ok_or_else(not_a_member)?;
    if let Some(bot) = channel.bot() {
        channel.deliver(
            bot,
            channel.members_changed(&conversation, Vec::new(), vec![removed.account]),
            None,
            None,
        );
    }
    Ok(StatusCode::OK)
}

/// `GET /v3/conversations/{c}/pagedmembers?pageSize=&continuationToken=`.
pub(crate) async fn page(
    State(channel): State<Arc<Channel>>,
    Ids(conversation): Ids<String>,
    Parameters(parameters): Parameters<PageParameters>,
) -> Result<Json<Value>, Refusal> {
    let size = match parameters.page_size.as_deref() {
        None | Some("") => MOST_PER_PAGE,
        Some(text) => text
            .parse::<usize>()
            .ok()
            .filter(|size| (1..=MOST_PER_PAGE).contains(size))
            .ok_or_else(|| {
                Refusal::bad_argument(format!("'pageSize' is not a number from 1 to {MOST_PER_PAGE}"))
            })?,
    };
    let after = after_token(parameters.continuation_token.as_deref())?;
    let conversation = channel.conversation(&conversation).await?;
    let mut members = channel
        .db
        .read(move |tx| member::page(tx, conversation.number, after, size + 1))
        .await?;
    let next = (members.len() > size).then(|| members[size - 1].number);
    members.truncate(size);
    let members = accounts(members);
    Ok(Json(match next {
        Some(number) => json!({ "continuationToken": token_after(number), "members": members }),
        None => json!({ "members": members }),
    }))
}

/// A continuation token: opaque to the caller, the row to go on after to us.
pub(crate) fn token_after(number: i64) -> String {
    URL_SAFE_NO_PAD.encode(number.to_be_bytes())
}

/// Reads a continuation token; absent or empty is the start.
pub(crate) fn after_token(token: Option<&str>) -> Result<i64, Refusal> {
    let Some(token) = token.filter(|token| !token.is_empty()) else {
        return Ok(0);
    };
    URL_SAFE_NO_PAD
        .decode(token)
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .map(i64::from_be_bytes)
        .ok_or_else(|| Refusal::bad_argument("'continuationToken' is not one that this server gave"))
}

async fn all(channel: &Channel, conversation: &Conversation) -> Result<Vec<ChannelAccount>, Refusal> {
    let number = conversation.number;
    let members = channel
        .db
        .read(move |tx| member::page(tx, number, 0, usize::MAX))
        .await?;
    Ok(accounts(members))
}

fn accounts(members: Vec<Member>) -> Vec<ChannelAccount> {
    members.into_iter().map(|member| member.account).collect()
}

fn not_a_member() -> Refusal {
    Refusal::new(
        StatusCode::NOT_FOUND,
        "MemberNotFoundInConversation",
        "The conversation has no such member",
    )
}
