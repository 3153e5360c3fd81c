//! `/v3/directline`: what clients call (Direct Line 3.0), and `/v3/attachments`, which everybody may read.

mod activities;
mod attachments;
mod conversations;
mod stream;
mod tokens;
mod upload;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowHeaders, AllowMethods, AllowOrigin, CorsLayer, ExposeHeaders};
use tower_http::set_header::SetResponseHeaderLayer;

use crate::channel::Channel;
use crate::refusal::{no_such_path, wrong_method};

pub(crate) fn router(channel: Arc<Channel>) -> Router {
    let direct_line = Router::new()
        .route("/tokens/generate", post(tokens::generate))
        .route("/tokens/refresh", post(tokens::refresh))
        .route("/session/getsessionid", get(tokens::session_id))
        .route("/conversations", post(conversations::start))
        .route("/conversations/{conversation}", get(conversations::reconnect))
        .route(
            "/conversations/{conversation}/activities",
            get(activities::get).post(activities::post),
        )
        .route("/conversations/{conversation}/upload", post(upload::upload))
        .route("/conversations/{conversation}/stream", get(stream::open))
        .method_not_allowed_fallback(wrong_method)
        .fallback(no_such_path)
        .with_state(Arc::clone(&channel))
        .layer(SetResponseHeaderLayer::if_not_present(
            header::CACHE_CONTROL,
            HeaderValue::from_static("no-store"),
        ))
        .layer(cors());
    Router::new()
        .nest("/v3/directline", direct_line)
        .nest("/v3/attachments", attachments(channel))
}

/// What is under `/v3/attachments`, also for a bot that reads below its `serviceUrl`.
pub(crate) fn attachments(channel: Arc<Channel>) -> Router {
    Router::new()
        .route("/{attachment}", get(attachments::info))
        .route("/{attachment}/views/{view}", get(attachments::view))
        .method_not_allowed_fallback(wrong_method)
        .fallback(no_such_path)
        .with_state(channel)
}

/// The origin is mirrored and credentials are allowed because DirectLineJS asks for the session id
/// `withCredentials`, which a browser refuses to combine with `*`.
fn cors() -> CorsLayer {
    const BOT_AGENT: HeaderName = HeaderName::from_static("x-ms-bot-agent");
    const REQUESTED_WITH: HeaderName = HeaderName::from_static("x-requested-with");
    CorsLayer::new()
        .allow_origin(AllowOrigin::mirror_request())
        .allow_credentials(true)
        .allow_methods(AllowMethods::list([Method::GET, Method::POST, Method::OPTIONS]))
        .allow_headers(AllowHeaders::list([
            header::ACCEPT,
            header::AUTHORIZATION,
            header::CONTENT_DISPOSITION,
            header::CONTENT_TYPE,
            BOT_AGENT,
            REQUESTED_WITH,
        ]))
        .expose_headers(ExposeHeaders::list([header::RETRY_AFTER]))
        .max_age(Duration::from_secs(600))
}
