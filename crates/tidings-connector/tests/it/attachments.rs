//! Files: bounded, and the one place where redirects are followed.

use std::sync::Arc;

use async_trait::async_trait;
use http::HeaderValue;
use tidings_connector::{ConnectorClient, Credentials, CredentialsError, Phase, TokenRequest};

use crate::client;
use crate::raw_server::{RawServer, answer};

#[tokio::test]
async fn a_view_is_its_bytes() {
    let mut file = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n".to_vec();
    file.extend_from_slice(&[0, 255, 13, 10, 200, 7]);
    let (server, mut requests) = RawServer::answering(file).await;
    let bytes = client()
        .get_attachment_view(&server.url, "file-1", "original")
        .await
        .expect("bytes");
    assert_eq!(bytes[..], [0, 255, 13, 10, 200, 7]);
    assert_eq!(
        requests.recv().await.expect("a request").target(),
        "/v3/attachments/file-1/views/original"
    );
}

#[tokio::test]
async fn a_view_is_read_up_to_its_limit() {
    let (server, _requests) = RawServer::answering(answer("200 OK", "", &"x".repeat(100_000))).await;
    for (limit, fits) in [(99_999, false), (100_000, true), (100_001, true)] {
        let client = ConnectorClient::builder()
            .attachment_limit(limit)
            .build()
            .expect("a client");
        let view = client.get_attachment_view(&server.url, "f", "v").await;
        assert_eq!(
            view.as_ref().is_ok_and(|bytes| bytes.len() == 100_000),
            fits,
            "{limit}"
        );
        if let Err(error) = view {
            assert_eq!((error.status, error.is_accepted()), (Some(200), true));
            assert!(error.message.contains("99999 bytes"), "{error}");
        }
    }
}

#[tokio::test]
async fn errors_of_a_view_are_errors() {
    let (server, _requests) = RawServer::answering(answer(
        "404 Not Found",
        "",
        r#"{"error":{"code":"X","message":"no"}}"#,
    ))
    .await;
    let error = client()
        .get_attachment_view(&server.url, "f", "v")
        .await
        .expect_err("404");
    assert_eq!((error.status, error.code.as_deref()), (Some(404), Some("X")));
}

struct Token;

#[async_trait]
impl Credentials for Token {
    async fn authorization(&self, _: &TokenRequest<'_>) -> Result<Option<HeaderValue>, CredentialsError> {
        Ok(Some(HeaderValue::from_static("Bearer secret")))
    }
}

#[tokio::test]
async fn a_view_kept_elsewhere_is_fetched_there_without_the_token() {
    let (elsewhere, mut fetched) = RawServer::answering(answer("200 OK", "", "the file")).await;
    let location = format!("location: {}/blob/1?sig=a%2Fb\r\n", elsewhere.url);
    let (server, mut asked) = RawServer::answering(answer("302 Found", &location, "")).await;
    let client = ConnectorClient::builder()
        .credentials(Arc::new(Token))
        .build()
        .expect("a client");
    let bytes = client
        .get_attachment_view(&server.url, "f", "v")
        .await
        .expect("bytes");
    assert_eq!(bytes, "the file");
    assert_eq!(
        asked.recv().await.expect("a request").header("authorization"),
        Some("Bearer secret")
    );
    let request = fetched.recv().await.expect("a request");
    assert_eq!(request.target(), "/blob/1?sig=a%2Fb");
    assert_eq!(request.header("authorization"), None);
}

#[tokio::test]
async fn a_view_kept_on_the_same_host_keeps_the_token() {
    let server = RawServer::start(|mut wire| async move {
        while let Some(request) = wire.request().await {
            assert_eq!(request.header("authorization"), Some("Bearer secret"));
            let text = match request.target() {
                "/files/1" => answer("200 OK", "", "the file"),
                _ => answer("301 Moved Permanently", "location: /files/1\r\n", ""),
            };
            wire.send(text.as_bytes()).await;
        }
    })
    .await;
    let client = ConnectorClient::builder()
        .credentials(Arc::new(Token))
        .build()
        .expect("a client");
    assert_eq!(
        client
            .get_attachment_view(&server.url, "f", "v")
            .await
            .expect("bytes"),
        "the file"
    );
}

#[tokio::test]
async fn a_view_is_not_fetched_from_where_we_may_not_go() {
    for location in [
        "http://198.51.100.1/x",
        "file:///etc/passwd",
        "http://u:p@127.0.0.1/",
        "//example.com/x",
        "http://",
    ] {
        let (server, _requests) =
            RawServer::answering(answer("302 Found", &format!("location: {location}\r\n"), "")).await;
        let error = client()
            .get_attachment_view(&server.url, "f", "v")
            .await
            .expect_err(location);
        assert_eq!(error.phase, Phase::Refused, "{location}");
    }
}

#[tokio::test]
async fn redirects_in_a_circle_end() {
    let (server, mut requests) = RawServer::answering(answer("302 Found", "location: /again\r\n", "")).await;
    let error = client()
        .get_attachment_view(&server.url, "f", "v")
        .await
        .expect_err("a circle");
    assert_eq!(error.status, Some(302));
    let mut count = 0;
    while requests.try_recv().is_ok() {
        count += 1;
    }
    assert_eq!(count, 4);
}
