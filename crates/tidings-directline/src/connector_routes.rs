//! `/v3/conversations`: what the bot calls (Connector REST v3).

mod activities;
mod attachments;
mod conversations;
mod members;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{delete, get, post, put};

use crate::channel::Channel;
use crate::faults;
use crate::refusal::{no_such_path, wrong_method};

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
        .with_state(channel)
        .layer(from_fn_with_state(faults, faults::happen));
    Router::new().nest("/v3/conversations", connector)
}
