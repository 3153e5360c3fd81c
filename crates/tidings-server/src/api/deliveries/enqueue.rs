//! `POST /api/v1/deliveries`: something is to be owed to a conversation.

use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{AppendHeaders, IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use jiff::Timestamp;
use serde::Serialize;
use tidings_proactive::{DeliveryId, DeliveryState};

use super::Desk;
use super::intake::{NotTaken, Taken, Why};
use super::order;
use crate::api_body::{bad_argument, read_bytes};
use crate::api_error::ApiError;
use crate::gate::Target;

/// The largest body: a thousand ordinary activities, or thirty of the largest.
const MAX_BODY_BYTES: usize = 8 * 1024 * 1024;

#[derive(Serialize)]
struct One {
    id: DeliveryId,
    state: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Many {
    deliveries: Vec<One>,
    predicted_finish: Option<Timestamp>,
}

impl From<(DeliveryId, DeliveryState)> for One {
    fn from((id, state): (DeliveryId, DeliveryState)) -> Self {
        Self {
            id,
            state: state.as_str(),
        }
    }
}

/// It is on record when the answer comes, and nothing of a request that is refused.
pub(super) async fn enqueue(State(desk): State<Desk>, request: Request) -> Result<Response, ApiError> {
    let (head, body) = request.into_parts();
    let body = read_bytes(&head.headers, body, MAX_BODY_BYTES).await?;
    let (orders, many) = order::read(&body)?;
    let taken = desk.intake.take(orders).await.map_err(|refused| {
        let place = refused.order;
        let error = answer(refused);
        // That the database fails is not for one of them to mend.
        let is_of_one = many && !error.status.is_server_error();
        if is_of_one {
            order::within(error, place)
        } else {
            error
        }
    })?;
    Ok(accepted(taken, many))
}

fn accepted(taken: Taken, many: bool) -> Response {
    let first = taken.deliveries.first().map(|(id, _)| *id);
    let last = taken.deliveries.last().map(|(id, _)| *id);
    let mut ones = taken.deliveries.into_iter().map(One::from);
    let (mut response, target) = match (first, last) {
        (Some(first), _) if !many => {
            let place = AppendHeaders([(header::LOCATION, format!("/api/v1/deliveries/{first}"))]);
            (
                (StatusCode::ACCEPTED, place, Json(ones.next())).into_response(),
                first.to_string(),
            )
        }
        (first, last) => {
            let many = Many {
                deliveries: ones.collect(),
                predicted_finish: taken.predicted_finish,
            };
            let target = match (first, last) {
                (Some(first), Some(last)) => format!("{} from {first} to {last}", many.deliveries.len()),
                _ => String::new(),
            };
            ((StatusCode::ACCEPTED, Json(many)).into_response(), target)
        }
    };
    response.extensions_mut().insert(Target(target));
    response
}

fn answer(NotTaken { why, .. }: NotTaken) -> ApiError {
    match why {
        Why::UnknownConversation => ApiError::new(
            StatusCode::NOT_FOUND,
            "NotFound",
            "the bot has never heard of this conversation; it has to begin with a message to the bot",
        )
        .field("conversationId"),
        Why::DedupeConflict(first) => ApiError::new(
            StatusCode::CONFLICT,
            "DedupeConflict",
            format!("dedupeKey was used for something else, delivery {first}; choose another key"),
        )
        .field("dedupeKey"),
        Why::TooLarge { limit } => ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "MessageSizeTooBig",
            format!("activity is larger in UTF-16 than the {limit} bytes that the channel takes; shorten or split it"),
        )
        .field("activity"),
        Why::BadContent(field, problem) => {
            ApiError::new(StatusCode::BAD_REQUEST, "BadArgument", problem).field(field)
        }
        Why::PayloadTooLarge { limit } => ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "MessageSizeTooBig",
            format!("payload has more than {limit} bytes; store what is large elsewhere and pass its id"),
        )
        .field("payload"),
        Why::DatabaseFull => ApiError::database_full(),
        Why::BacklogFull { retry_after } => too_much("there", retry_after),
        Why::TenantBacklogFull { tenant, retry_after } => {
            let place = match tenant.as_str() {
                "" => "in conversations without a tenant".to_owned(),
                tenant => format!("in conversations of tenant {tenant:?}"),
            };
            too_much(&place, retry_after)
        }
        Why::Expired => bad_argument("expiresAt", "must be after now and after notBefore"),
        Why::NoReconcile => bad_argument(
            "policy",
            "cannot be reconcile for this channel, which does not recognise repeats; at_least_once or at_most_once can",
        ),
        Why::Invalid(problem) => ApiError::new(StatusCode::BAD_REQUEST, "BadArgument", problem),
        Why::Failed(error) => {
            tracing::error!(%error, "deliveries could not be put on record");
            ApiError::of_engine(&error)
        }
    }
}

fn too_much(place: &str, retry_after: Duration) -> ApiError {
    let seconds = retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0);
    let message = format!("too much waits to be sent {place} already; try again in {seconds} s");
    ApiError::new(StatusCode::TOO_MANY_REQUESTS, "BacklogFull", message)
        .field("conversationId")
        .header(header::RETRY_AFTER, HeaderValue::from(seconds))
}
