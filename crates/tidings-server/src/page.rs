//! The page at `/`: the console if it was built, else a plain page with two chat windows.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::api_error::ApiError;
use crate::guard::loopback_sources;

/// The built console; empty where it has not been built.
#[derive(RustEmbed)]
#[folder = "../../console/dist"]
#[allow_missing = true]
struct Console;

/// The page that needs no build.
const PLAIN: [(&str, &str, &str); 3] = [
    ("", "text/html; charset=utf-8", include_str!("page/plain.html")),
    (
        "plain.js",
        "text/javascript; charset=utf-8",
        include_str!("page/plain.js"),
    ),
    (
        "plain.css",
        "text/css; charset=utf-8",
        include_str!("page/plain.css"),
    ),
];

/// Routes of the page of the server at `address`.
pub(crate) fn router(address: SocketAddr, public_url: Option<&str>) -> Router {
    // Sockets and uploaded files have absolute addresses, by another name than the page perhaps.
    let (sockets, files) = match public_url {
        Some(url) => (url.replacen("http", "ws", 1), url.to_owned()),
        None => (loopback_sources("ws", address), loopback_sources("http", address)),
    };
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
         img-src 'self' data: blob: https: {files}; media-src 'self' data: blob: https: {files}; \
         font-src 'self' data:; connect-src 'self' blob: data: {sockets}; worker-src 'self' blob:; \
         manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    // The addresses are host names and ports; a policy that is no header value would be a bug of this file.
    let policy = HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"));
    Router::new()
        .fallback(get(asset).fallback(wrong_method))
        .with_state(policy)
}

async fn wrong_method(uri: Uri) -> Response {
    let path = uri.path().trim_start_matches('/');
    let exists = match Console::get("index.html") {
        Some(_) => path.is_empty() || Console::get(path).is_some(),
        None => PLAIN.into_iter().any(|(name, ..)| name == path),
    };
    if exists {
        ([(header::ALLOW, "GET, HEAD")], ApiError::method_not_allowed()).into_response()
    } else {
        not_found()
    }
}

async fn asset(State(policy): State<HeaderValue>, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    let mut response =
        match Console::get("index.html") {
            Some(index) if path.is_empty() => embedded("index.html", index, &headers),
            Some(_) => Console::get(path).map_or_else(not_found, |file| embedded(path, file, &headers)),
            None => PLAIN.into_iter().find(|(name, ..)| *name == path).map_or_else(
                not_found,
                |(_, kind, text)| {
                    (
                        [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")],
                        text,
                    )
                        .into_response()
                },
            ),
        };
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, policy),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            HeaderValue::from_static("same-origin"),
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            HeaderValue::from_static("same-origin"),
        ),
    ] {
        response.headers_mut().insert(name, value);
    }
    response
}

fn not_found() -> Response {
    ApiError::not_found().into_response()
}

fn embedded(path: &str, file: EmbeddedFile, request: &HeaderMap) -> Response {
    let hash: String = file.metadata.sha256_hash()[..12]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let tag = format!("\"{hash}\"");
    // The console's build puts a hash into the names under assets/.
    let cache = if path.starts_with("assets/") {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    if request
        .get(header::IF_NONE_MATCH)
        .is_some_and(|known| known.as_bytes() == tag.as_bytes())
    {
        return (
            StatusCode::NOT_MODIFIED,
            [(header::ETAG, tag), (header::CACHE_CONTROL, cache.to_owned())],
        )
            .into_response();
    }
    let kind = match file.metadata.mimetype() {
        text if text.starts_with("text/") => format!("{text}; charset=utf-8"),
        other => other.to_owned(),
    };
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::ETAG, tag),
        (header::CACHE_CONTROL, cache.to_owned()),
    ];
    (headers, axum::body::Bytes::from(file.data.into_owned())).into_response()
}
