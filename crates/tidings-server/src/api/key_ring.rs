//! `GET`, `POST` and `DELETE /api/v1/keys`: which keys there are, making one, revoking one.

use axum::extract::{Path, Request, State};
use axum::response::{AppendHeaders, IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Extension, Json, Router};
use http::StatusCode;
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::Serialize;
use serde_json::Value;

use crate::api::no_other_method;
use crate::api_body::{ApiBody, bad_argument};
use crate::api_error::ApiError;
use crate::gate::{Caller, Gate, Target};
use crate::keys::{CreatedKey, KeyError, KeyState, Keys, ListedKey, NewKey, Scope};

/// The name of a key whose maker gave none.
const UNNAMED: &str = "unnamed";

pub(crate) fn router(keys: Keys, gate: &Gate) -> Router {
    let ring = gate
        .guard(Scope::KeysRead, get(list))
        .merge(gate.guard(Scope::KeysWrite, post(create)));
    let one = gate.guard(Scope::KeysWrite, delete(revoke));
    Router::new()
        .route("/api/v1/keys", no_other_method(ring))
        .route("/api/v1/keys/{id}", no_other_method(one))
        .with_state(keys)
}

#[derive(Serialize)]
struct Ring {
    keys: Vec<ListedKey>,
}

async fn list(State(keys): State<Keys>) -> Result<Json<Ring>, ApiError> {
    let keys = keys.list().await.map_err(|error| {
        tracing::error!(error = %error, "the API keys could not be read");
        ApiError::of_store(&error)
    })?;
    Ok(Json(Ring { keys }))
}

/// The only answer that holds a key.
#[derive(Serialize)]
struct Created<'a> {
    #[serde(rename = "key")]
    text: &'a str,
    #[serde(flatten)]
    listed: ListedKey,
}

impl CreatedKey {
    /// The key with its text, as `POST /api/v1/keys` answers it and `tidings keys create --json` prints it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let created = Created {
            text: self.text.expose_secret(),
            listed: ListedKey {
                key: self.key.clone(),
                state: KeyState::Live,
            },
        };
        // Texts, times and lists of them: nothing of it can fail.
        serde_json::to_value(created).unwrap_or_default()
    }
}

async fn create(
    State(keys): State<Keys>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, ApiError> {
    let (head, body) = request.into_parts();
    let mut body = ApiBody::read(&head.headers, body).await?;
    let new = NewKey {
        name: body.take_text("name")?.unwrap_or_else(|| UNNAMED.to_owned()),
        scopes: scopes(body.take("scopes"))?,
        expires_at: expires_at(body.take_text("expiresAt")?)?,
    };
    body.finish("name, scopes and expiresAt")?;
    // Otherwise keys:write would be every scope there is, and every one to come.
    if let Some(scope) = new.scopes.iter().find(|scope| !caller.may(**scope)) {
        let message = format!("this API key lacks the scope {scope}, so it can not give it to another");
        return Err(ApiError::new(StatusCode::FORBIDDEN, "MissingScope", message).field("scopes"));
    }
    let created = keys.create(new, None).await.map_err(|error| match error {
        KeyError::Invalid { field, problem } => bad_argument(field, &problem),
        KeyError::TooMany(_) => ApiError::new(StatusCode::CONFLICT, "TooManyKeys", error.to_string()),
        KeyError::Store(error) => failed(&error),
    })?;
    tracing::info!(key.id = created.key.id, key.by = caller.id, "an API key was made");
    let target = Target(created.key.id.clone());
    Ok((
        StatusCode::CREATED,
        AppendHeaders([(http::header::LOCATION, format!("/api/v1/keys/{}", created.key.id))]),
        Extension(target),
        Json(created.to_json()),
    )
        .into_response())
}

fn scopes(value: Option<Value>) -> Result<Vec<Scope>, ApiError> {
    let must_be = || bad_argument("scopes", "must be a list of scopes such as [\"jobs:read\"]");
    let Some(value) = value else { return Ok(Vec::new()) };
    let Value::Array(scopes) = value else {
        return Err(must_be());
    };
    scopes
        .iter()
        .map(|scope| {
            let text = scope.as_str().ok_or_else(must_be)?;
            text.parse().map_err(|error: crate::keys::UnknownScope| {
                ApiError::new(StatusCode::BAD_REQUEST, "BadArgument", error.to_string()).field("scopes")
            })
        })
        .collect()
}

fn expires_at(text: Option<String>) -> Result<Option<Timestamp>, ApiError> {
    text.map(|text| {
        text.parse()
            .map_err(|_| bad_argument("expiresAt", "must be a time such as 2027-01-31T12:00:00Z"))
    })
    .transpose()
}

async fn revoke(
    State(keys): State<Keys>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<ListedKey>, ApiError> {
    match keys.revoke(&id, None).await.map_err(|error| failed(&error))? {
        Some(key) => {
            tracing::info!(key.id = id, key.by = caller.id, "an API key was revoked");
            Ok(Json(key))
        }
        None => Err(ApiError::new(
            StatusCode::NOT_FOUND,
            "NotFound",
            "no key has this id; `tidings keys list` shows those there are",
        )
        .field("id")),
    }
}

fn failed(error: &tidings_store::StoreError) -> ApiError {
    tracing::error!(error = %error, "the API keys could not be changed");
    ApiError::of_store(error)
}
