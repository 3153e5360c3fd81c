//! How far a request came, against servers that fail at every point.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::HeaderValue;
use tidings_activity::Activity;
use tidings_connector::{ConnectorClient, Credentials, CredentialsError, Phase, TokenRequest};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::raw_server::{RawServer, answer};
use crate::{client, hasty_client, hello};

/// The address of a port on which nobody listens.
async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    format!("http://{}", listener.local_addr().expect("it is bound"))
}

#[tokio::test]
async fn a_refused_connection_is_before_the_body() {
    let url = nobody().await;
    let error = client()
        .send_to_conversation(&url, "c", &hello())
        .await
        .expect_err("nobody listens");
    assert_eq!(error.phase, Phase::BeforeBody);
    assert_eq!((error.status, error.retry_after), (None, None));
    assert!(
        error.message.contains(&url) && error.message.contains("refused"),
        "{error}"
    );
    assert!(error.source.is_some());
    // Also without a body: there was no connection on which anything could leave.
    let error = client()
        .delete_activity(&url, "c", "a")
        .await
        .expect_err("nobody listens");
    assert_eq!(error.phase, Phase::BeforeBody);
}

#[tokio::test]
async fn an_unknown_host_is_before_the_body() {
    let policy = tidings_connector::ServiceUrlPolicy::local().allow("no-such-host.invalid");
    let client = ConnectorClient::builder()
        .service_urls(policy)
        .build()
        .expect("a client");
    let error = client
        .send_to_conversation("http://no-such-host.invalid", "c", &hello())
        .await
        .expect_err("no host");
    assert_eq!(error.phase, Phase::BeforeBody);
}

#[tokio::test]
async fn tls_that_fails_is_before_the_body() {
    let (server, _requests) = RawServer::answering(answer("200 OK", "", "{}")).await;
    let url = server.url.replace("http:", "https:");
    let error = hasty_client()
        .send_to_conversation(&url, "c", &hello())
        .await
        .expect_err("no TLS there");
    assert_eq!((error.phase, error.status), (Phase::BeforeBody, None));
}

#[tokio::test]
async fn before_the_body_means_that_none_of_it_arrived() {
    for _ in 0..50 {
        let (arrived, mut arrivals) = mpsc::unbounded_channel();
        let server = RawServer::start(move |mut wire| {
            let arrived = arrived.clone();
            async move {
                // Hangs up at once, and still looks what comes.
                wire.stream.shutdown().await.expect("open");
                let mut all = Vec::new();
                let _ = wire.stream.read_to_end(&mut all).await;
                arrived.send(all).expect("the test waits");
            }
        })
        .await;
        let error = client()
            .send_to_conversation(&server.url, "c", &hello())
            .await
            .expect_err("hung up");
        assert_eq!(error.status, None);
        let arrived = String::from_utf8(arrivals.recv().await.expect("a connection")).expect("text");
        match error.phase {
            Phase::BeforeBody => assert!(!arrived.contains("hello, channel"), "{arrived}"),
            phase => assert_eq!(phase, Phase::AfterBody),
        }
        assert_eq!(server.connections(), 1, "nothing is sent twice");
    }
}

#[tokio::test]
async fn a_connection_closed_after_the_request_is_after_the_body() {
    let server = RawServer::start(|mut wire| async move {
        wire.request().await;
    })
    .await;
    let error = client()
        .send_to_conversation(&server.url, "c", &hello())
        .await
        .expect_err("closed");
    assert_eq!((error.phase, error.status), (Phase::AfterBody, None));
    let error = client()
        .delete_activity(&server.url, "c", "a")
        .await
        .expect_err("closed");
    assert_eq!((error.phase, error.status), (Phase::AfterBody, None));
    assert_eq!(server.connections(), 2, "nothing is sent twice");
}

#[tokio::test]
async fn a_server_that_hangs_after_the_head_is_after_the_body() {
    let server = RawServer::start(|mut wire| async move {
        wire.head().await;
        std::future::pending::<()>().await;
    })
    .await;
    let error = hasty_client()
        .send_to_conversation(&server.url, "c", &hello())
        .await
        .expect_err("no answer");
    assert_eq!((error.phase, error.status), (Phase::AfterBody, None));
    assert!(error.message.contains("did not answer within 1 s"), "{error}");
}

#[tokio::test]
async fn a_server_that_never_reads_is_after_the_body() {
    let server = RawServer::start(|wire| async move {
        std::future::pending::<()>().await;
        drop(wire);
    })
    .await;
    let big = Activity::message("x".repeat(16 * 1024 * 1024));
    let error = hasty_client()
        .send_to_conversation(&server.url, "c", &big)
        .await
        .expect_err("no answer");
    assert_eq!((error.phase, error.status), (Phase::AfterBody, None));
}

#[tokio::test]
async fn an_answer_that_comes_before_the_body_was_read_counts() {
    let server = RawServer::start(|mut wire| async move {
        wire.head().await;
        wire.send(answer("413 Payload Too Large", "connection: close\r\n", "too big").as_bytes())
            .await;
        std::future::pending::<()>().await;
    })
    .await;
    let big = Activity::message("x".repeat(16 * 1024 * 1024));
    let error = client()
        .send_to_conversation(&server.url, "c", &big)
        .await
        .expect_err("too big");
    assert_eq!(
        (error.phase, error.status, error.message.as_str()),
        (Phase::AfterBody, Some(413), "too big")
    );
}

#[tokio::test]
async fn what_is_not_http_is_after_the_body() {
    for nonsense in [
        "220 mail.example ESMTP\r\n",
        "HTTP/1.1 abc\r\n\r\n",
        "\0\0\0\0\0\0\0\0\r\n\r\n",
    ] {
        let (server, _requests) = RawServer::answering(nonsense).await;
        let error = hasty_client()
            .send_to_conversation(&server.url, "c", &hello())
            .await
            .expect_err(nonsense);
        assert_eq!(
            (error.phase, error.status),
            (Phase::AfterBody, None),
            "{nonsense:?}"
        );
    }
}

#[tokio::test]
async fn endless_headers_end() {
    let server = RawServer::start(|mut wire| async move {
        wire.request().await;
        wire.send(b"HTTP/1.1 200 OK\r\n").await;
        let line = format!("x-filler: {}\r\n", "y".repeat(8_000));
        while wire.stream.write_all(line.as_bytes()).await.is_ok() {}
    })
    .await;
    let error = client()
        .send_to_conversation(&server.url, "c", &hello())
        .await
        .expect_err("too many");
    assert_eq!((error.phase, error.status), (Phase::AfterBody, None));
}

struct NoToken;

#[async_trait]
impl Credentials for NoToken {
    async fn authorization(&self, _: &TokenRequest<'_>) -> Result<Option<HeaderValue>, CredentialsError> {
        Err(CredentialsError::new("the secret has expired"))
    }
}

struct SlowToken;

#[async_trait]
impl Credentials for SlowToken {
    async fn authorization(&self, _: &TokenRequest<'_>) -> Result<Option<HeaderValue>, CredentialsError> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn without_a_token_nothing_is_sent() {
    let (server, _requests) = RawServer::answering(answer("200 OK", "", "{}")).await;
    let client = ConnectorClient::builder()
        .credentials(Arc::new(NoToken))
        .build()
        .expect("a client");
    let error = client
        .send_to_conversation(&server.url, "c", &hello())
        .await
        .expect_err("no token");
    assert_eq!((error.phase, error.status), (Phase::BeforeBody, None));
    assert!(error.message.contains("the secret has expired"), "{error}");

    let client = ConnectorClient::builder()
        .credentials(Arc::new(SlowToken))
        .timeout(Duration::from_millis(50))
        .build()
        .expect("a client");
    let error = client
        .send_to_conversation(&server.url, "c", &hello())
        .await
        .expect_err("no token");
    assert_eq!((error.phase, error.status), (Phase::BeforeBody, None));
    assert!(error.message.contains("token"), "{error}");
    assert_eq!(server.connections(), 0);
}
