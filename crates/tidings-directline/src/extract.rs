//! Path ids and query parameters, whose refusals look like all others.

use axum::extract::{FromRequestParts, Path, Query};
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::refusal::Refusal;

/// The ids of a path, percent-decoded.
pub(crate) struct Ids<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Ids<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        // No id has it, and PostgreSQL does not take it in a text.
        if parts.uri.path().contains("%00") {
            return Err(Refusal::bad_argument("The path holds the NUL character (%00)"));
        }
        let Path(ids) = Path::<T>::from_request_parts(parts, state)
            .await
            .map_err(|rejection| {
                Refusal::bad_argument(format!("The path holds an unreadable id: {rejection}"))
            })?;
        Ok(Self(ids))
    }
}

/// The parameters of a query.
pub(crate) struct Parameters<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let Query(parameters) = Query::<T>::from_request_parts(parts, state)
            .await
            .map_err(|rejection| {
                Refusal::bad_argument(format!("A query parameter is unreadable: {rejection}"))
            })?;
        Ok(Self(parameters))
    }
}
