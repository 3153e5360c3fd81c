//! `/api/v1/limits`: how often channels may be called.

use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use tidings_proactive::{ChannelLimits, Limit, LimitScope};

use super::{Desk, failed};
use crate::api_body::{ApiBody, bad_argument};
use crate::api_error::ApiError;
use crate::gate::Target;

#[derive(Serialize)]
pub(super) struct Limits {
    limits: Vec<Line>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    channel_id: String,
    scope: &'static str,
    windows: Vec<Window>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Window {
    permits: u32,
    period_ms: u64,
}

impl From<Vec<ChannelLimits>> for Limits {
    fn from(limits: Vec<ChannelLimits>) -> Self {
        let lines = limits.into_iter().map(|limits| Line {
            channel_id: limits.channel_id,
            scope: limits.scope.as_str(),
            windows: limits
                .windows
                .iter()
                .map(|window| Window {
                    permits: window.permits,
                    period_ms: u64::try_from(window.period.as_millis()).unwrap_or(u64::MAX),
                })
                .collect(),
        });
        Limits {
            limits: lines.collect(),
        }
    }
}

pub(super) async fn limits(State(desk): State<Desk>) -> Result<Json<Limits>, ApiError> {
    Ok(Json(desk.deliveries.limits().await.map_err(failed)?.into()))
}

pub(super) async fn set(State(desk): State<Desk>, request: Request) -> Result<Response, ApiError> {
    let (head, body) = request.into_parts();
    let mut body = ApiBody::read(&head.headers, body).await?;
    let channel_id = body.take_text("channelId")?;
    let scope = body.take_text("scope")?;
    let windows = windows(body.take("windows"))?;
    body.finish("channelId, scope and windows")?;
    let limits = ChannelLimits {
        channel_id: channel_id.ok_or_else(|| bad_argument("channelId", "must name the channel"))?,
        scope: scope
            .as_deref()
            .and_then(|scope| scope.parse::<LimitScope>().ok())
            .ok_or_else(|| bad_argument("scope", "must be lane or tenant"))?,
        windows,
    };
    let named = format!("{} {}", limits.channel_id, limits.scope);
    desk.deliveries.set_limits(limits).await.map_err(failed)?;
    let now: Limits = desk.deliveries.limits().await.map_err(failed)?.into();
    let mut response = Json(now).into_response();
    response.extensions_mut().insert(Target(named));
    Ok(response)
}

fn windows(value: Option<Value>) -> Result<Vec<Limit>, ApiError> {
    let wrong = || {
        bad_argument(
            "windows",
            "must be an array of objects with permits and periodMs, two whole numbers; an empty one limits nothing",
        )
    };
    let Some(Value::Array(windows)) = value else {
        return Err(wrong());
    };
    let read = |window: Value| {
        let Value::Object(mut fields) = window else {
            return None;
        };
        let permits = fields.remove("permits")?.as_u64()?;
        let period = fields.remove("periodMs")?.as_u64()?;
        fields.is_empty().then_some(Limit {
            period: Duration::from_millis(period),
            // More than there can be is more than is allowed.
            permits: u32::try_from(permits).unwrap_or(u32::MAX),
        })
    };
    windows
        .into_iter()
        .map(|window| read(window).ok_or_else(wrong))
        .collect()
}
