//! `/v3/conversations`: what the bot calls (Connector REST v3); with a secret, only below `/local/{key}`.

mod activities;
mod attachments;
mod conversations;
mod members;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{delete, get, post, put};
use tower::Layer as _;

use crate::channel::Channel;
use crate::connector_key::{self, PREFIX};
use crate::refusal::{no_such_path, wrong_method};
use crate::{client_routes, faults};

pub(crate) fn router(channel: Arc<Channel>) -> Router {
    let faults = channel.faults.clone();
    let connector = Router::new()
        .route("/", get(conversations::list).post(conversations::create))
        .route("/{conversation}/activities", post(activities::send))
        .route("/{conversation}/activities/history", post(activities::import))
        .route(
            "/{conversation}/activities/{activity}",
            put(activities::update)
                .post(activities::reply)
                .delete(activities::delete),
        )
        .route(
            "/{conversation}/activities/{activity}/members",
            get(members::of_activity),
        )
        .route("/{conversation}/members", get(members::list))
        .route(
            "/{conversation}/members/{member}",
            delete(members::remove).get(members::get),
        )
        .route("/{conversation}/pagedmembers", get(members::page))
        .route("/{conversation}/attachments", post(attachments::upload))
        .method_not_allowed_fallback(wrong_method)
        .fallback(no_such_path)
        .with_state(Arc::clone(&channel))
        .layer(from_fn_with_state(faults, faults::happen));
    let Some(key) = channel.connector_key.clone() else {
        return Router::new().nest("/v3/conversations", connector);
    };
    let behind_key = Router::new()
        .nest("/v3/conversations", connector)
        .nest("/v3/attachments", client_routes::attachments(channel))
        .fallback(no_such_path);
    // The key is taken off before the routes are looked at: none of them has it as a parameter, and no path of
    // a route shows it.
    let gate = from_fn_with_state(key, connector_key::admit);
    Router::new()
        .nest_service(PREFIX, gate.layer(behind_key))
        .nest("/v3/conversations", Router::new().fallback(no_such_path))
}
