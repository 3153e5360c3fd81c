//! Cancelling, holding back and retrying a delivery; pausing and resuming.

use axum::Json;
use axum::extract::{Path, RawQuery, Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tidings_proactive::{DeliveriesError, DeliveryId, PauseTarget};

use super::line::{Detail, Paused};
use super::{Desk, delivery_id, failed};
use crate::api_body::{ApiBody, bad_argument, check_nul};
use crate::api_error::ApiError;
use crate::gate::Target;

pub(super) async fn cancel(
    State(desk): State<Desk>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Json<Detail>, ApiError> {
    without_fields(request).await?;
    let id = delivery_id(&id)?;
    desk.deliveries.cancel(id).await.map_err(failed)?;
    detail(&desk, id).await
}

pub(super) async fn hold(
    State(desk): State<Desk>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Json<Detail>, ApiError> {
    let (head, body) = request.into_parts();
    let mut body = ApiBody::read(&head.headers, body).await?;
    let until: Option<Timestamp> = body
        .take_text("until")?
        .map(|text| text.parse())
        .transpose()
        .map_err(|_| bad_argument("until", "must be a time such as 2027-01-31T12:00:00Z"))?;
    body.finish("until")?;
    let id = delivery_id(&id)?;
    desk.deliveries.hold(id, until).await.map_err(failed)?;
    detail(&desk, id).await
}

pub(super) async fn release(
    State(desk): State<Desk>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Json<Detail>, ApiError> {
    without_fields(request).await?;
    let id = delivery_id(&id)?;
    desk.deliveries.release(id).await.map_err(failed)?;
    detail(&desk, id).await
}

async fn without_fields(request: Request) -> Result<(), ApiError> {
    let (head, body) = request.into_parts();
    ApiBody::read(&head.headers, body).await?.finish("no fields")
}

async fn detail(desk: &Desk, id: DeliveryId) -> Result<Json<Detail>, ApiError> {
    let detail = desk.deliveries.detail(id).await.map_err(failed)?;
    let detail = detail
        .ok_or(DeliveriesError::UnknownDelivery { id })
        .map_err(failed)?;
    Ok(Json(detail.into()))
}

#[derive(Serialize)]
struct Retried {
    id: DeliveryId,
}

pub(super) async fn retry(
    State(desk): State<Desk>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let (head, body) = request.into_parts();
    let mut body = ApiBody::read(&head.headers, body).await?;
    let reopen = match body.take("reopen") {
        None => false,
        Some(Value::Bool(reopen)) => reopen,
        Some(_) => return Err(bad_argument("reopen", "must be true or false")),
    };
    body.finish("reopen")?;
    let id = delivery_id(&id)?;
    let new = desk.deliveries.retry(id, reopen).await.map_err(failed)?;
    let mut response = (StatusCode::ACCEPTED, Json(Retried { id: new })).into_response();
    response.extensions_mut().insert(Target(format!("{id} as {new}")));
    Ok(response)
}

pub(super) async fn pauses(State(desk): State<Desk>) -> Result<Json<Paused>, ApiError> {
    Ok(Json(desk.deliveries.pauses().await.map_err(failed)?.into()))
}

pub(super) async fn pause(State(desk): State<Desk>, request: Request) -> Result<Response, ApiError> {
    let (head, body) = request.into_parts();
    let mut body = ApiBody::read(&head.headers, body).await?;
    let target = Asked {
        scope: body.take_text("scope")?,
        channel_id: body.take_text("channelId")?,
        conversation_id: body.take_text("conversationId")?,
    }
    .target()?;
    body.finish("scope, channelId and conversationId")?;
    desk.deliveries.pause(target.clone()).await.map_err(failed)?;
    told(&desk, &target).await
}

pub(super) async fn resume(
    State(desk): State<Desk>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let mut asked = Asked::default();
    for (name, text) in url::form_urlencoded::parse(query.as_deref().unwrap_or("").as_bytes()) {
        let text = Some(text.into_owned());
        match &*name {
            "scope" => asked.scope = text,
            "channelId" => asked.channel_id = text,
            "conversationId" => asked.conversation_id = text,
            _ => {}
        }
    }
    let target = asked.target()?;
    desk.deliveries.resume(target.clone()).await.map_err(failed)?;
    told(&desk, &target).await
}

/// What is paused now, and for the audit what was meant.
async fn told(desk: &Desk, target: &PauseTarget) -> Result<Response, ApiError> {
    let paused: Paused = desk.deliveries.pauses().await.map_err(failed)?.into();
    let mut response = Json(paused).into_response();
    let named: String = target.to_string().chars().take(200).collect();
    response.extensions_mut().insert(Target(named));
    Ok(response)
}

#[derive(Default)]
struct Asked {
    scope: Option<String>,
    channel_id: Option<String>,
    conversation_id: Option<String>,
}

impl Asked {
    fn target(self) -> Result<PauseTarget, ApiError> {
        let there = |text: Option<String>| text.filter(|text| !text.is_empty());
        let Asked {
            scope,
            channel_id,
            conversation_id,
        } = self;
        let (channel_id, conversation_id) = (there(channel_id), there(conversation_id));
        for (field, text) in [("channelId", &channel_id), ("conversationId", &conversation_id)] {
            text.as_deref().map_or(Ok(()), |text| check_nul(field, text))?;
        }
        let superfluous = |field| bad_argument(field, "does not belong to this scope; leave it out");
        match scope.as_deref() {
            Some("all") => match (channel_id, conversation_id) {
                (None, None) => Ok(PauseTarget::All),
                (Some(_), _) => Err(superfluous("channelId")),
                (_, Some(_)) => Err(superfluous("conversationId")),
            },
            Some("channel") => match (channel_id, conversation_id) {
                (Some(channel), None) => Ok(PauseTarget::Channel(channel)),
                (None, _) => Err(bad_argument("channelId", "must name the channel")),
                (_, Some(_)) => Err(superfluous("conversationId")),
            },
            Some("lane") => Ok(PauseTarget::Lane {
                channel_id,
                conversation_id: conversation_id
                    .ok_or_else(|| bad_argument("conversationId", "must name the conversation"))?,
            }),
            _ => Err(bad_argument("scope", "must be all, channel or lane")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_has_exactly_what_its_scope_needs() {
        let asked = |scope: &str, channel: &str, conversation: &str| {
            Asked {
                scope: Some(scope.to_owned()),
                channel_id: Some(channel.to_owned()),
                conversation_id: Some(conversation.to_owned()),
            }
            .target()
        };
        assert_eq!(asked("all", "", ""), Ok(PauseTarget::All));
        assert_eq!(
            asked("channel", "sms", ""),
            Ok(PauseTarget::Channel("sms".to_owned()))
        );
        assert_eq!(
            asked("lane", "", "c"),
            Ok(PauseTarget::Lane {
                channel_id: None,
                conversation_id: "c".to_owned()
            })
        );
        for (scope, channel, conversation, field) in [
            ("", "", "", "scope"),
            ("everything", "", "", "scope"),
            ("channel", "s\0ms", "", "channelId"),
            ("lane", "", "c\0", "conversationId"),
            ("all", "sms", "", "channelId"),
            ("all", "", "c", "conversationId"),
            ("channel", "", "", "channelId"),
            ("channel", "sms", "c", "conversationId"),
            ("lane", "sms", "", "conversationId"),
        ] {
            let error = asked(scope, channel, conversation).unwrap_err();
            assert_eq!(
                (error.status.as_u16(), error.field.as_deref()),
                (400, Some(field)),
                "{scope}"
            );
        }
    }
}
