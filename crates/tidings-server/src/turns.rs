//! The bot's turns, as HTTP and the local channel start them.

use async_trait::async_trait;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use tidings_activity::Activity;
use tidings_bot::{Adapter, Inbound, ProcessError, TurnResponse};
use tidings_directline::{BotEndpoint, BotReply};

use crate::api_error::ApiError;

/// Starts turns of the bot. A turn is a task of its own: a caller that hangs up does not end it.
#[derive(Clone)]
pub(crate) struct Turns(pub(crate) Adapter);

impl Turns {
    pub(crate) async fn run(&self, inbound: Inbound) -> Result<TurnResponse, ApiError> {
        self.0.process(inbound).await.map_err(|error| refusal(&error))
    }
}

fn refusal(error: &ProcessError) -> ApiError {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let refusal = ApiError::new(status, error.code(), error.to_string());
    match error.field() {
        Some(field) => refusal.field(field),
        None => refusal,
    }
}

/// The answer to the POST that brought the activity.
pub(crate) fn answer(response: TurnResponse) -> Response {
    let status = StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match response.body {
        None => status.into_response(),
        Some(body) => {
            let json = HeaderValue::from_static("application/json; charset=utf-8");
            (status, [(header::CONTENT_TYPE, json)], body.get().to_owned()).into_response()
        }
    }
}

/// The local channel reaches the bot in process.
#[async_trait]
impl BotEndpoint for Turns {
    async fn deliver(&self, activity: Activity) -> BotReply {
        match self.run(Inbound::anonymous(activity)).await {
            Ok(response) => BotReply {
                status: response.status,
                body: response.body.map(|body| Bytes::from(body.get().to_owned())),
            },
            Err(error) => BotReply {
                status: error.status.as_u16(),
                body: Some(Bytes::from(error.message)),
            },
        }
    }
}
