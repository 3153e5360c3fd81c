//! `GET /api/v1/audit?limit=100&cursor=`: what was changed through the API, the newest first.

use axum::extract::{RawQuery, State};
use axum::routing::get;
use axum::{Json, Router};

use crate::api::no_other_method;
use crate::api_body::bad_argument;
use crate::api_error::ApiError;
use crate::audit::{Audit, AuditPage};
use crate::gate::Gate;
use crate::keys::Scope;

const DEFAULT_LIMIT: usize = 100;
/// The most rows `?limit=` may ask for.
const MAX_LIMIT: usize = 500;

pub(crate) fn router(audit: Audit, gate: &Gate) -> Router {
    let routes = gate.guard(Scope::AuditRead, get(page));
    Router::new()
        .route("/api/v1/audit", no_other_method(routes))
        .with_state(audit)
}

async fn page(State(audit): State<Audit>, RawQuery(query): RawQuery) -> Result<Json<AuditPage>, ApiError> {
    let (limit, cursor) = asked(query.as_deref().unwrap_or(""))?;
    audit.page(limit, cursor).await.map(Json).map_err(|error| {
        tracing::error!(error = %error, "the audit cannot be read");
        ApiError::of_store(&error)
    })
}

fn asked(query: &str) -> Result<(usize, Option<i64>), ApiError> {
    let (mut limit, mut cursor) = (DEFAULT_LIMIT, None);
    for (name, text) in url::form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "limit" => {
                limit = text
                    .parse()
                    .ok()
                    .filter(|limit| (1..=MAX_LIMIT).contains(limit))
                    .ok_or_else(|| {
                        bad_argument("limit", &format!("must be a whole number from 1 to {MAX_LIMIT}"))
                    })?;
            }
            "cursor" => {
                cursor = Some(
                    text.parse()
                        .ok()
                        .filter(|cursor| *cursor > 0)
                        .ok_or_else(|| bad_argument("cursor", "must be the `next` of the page before"))?,
                );
            }
            _ => {}
        }
    }
    Ok((limit, cursor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_and_cursors_are_bounded_and_named() {
        assert_eq!(asked(""), Ok((100, None)));
        assert_eq!(asked("limit=1&cursor=1"), Ok((1, Some(1))));
        assert_eq!(
            asked("limit=500&cursor=9223372036854775807"),
            Ok((500, Some(i64::MAX)))
        );
        for (query, field) in [
            ("limit=0", "limit"),
            ("limit=501", "limit"),
            ("limit=", "limit"),
            ("cursor=0", "cursor"),
            ("cursor=-1", "cursor"),
            ("cursor=x", "cursor"),
            ("cursor=9223372036854775808", "cursor"),
        ] {
            assert_eq!(asked(query).unwrap_err().field.as_deref(), Some(field), "{query}");
        }
    }
}
