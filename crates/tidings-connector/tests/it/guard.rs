//! Whom the client calls at all, and what it says about itself.

use std::sync::Arc;

use async_trait::async_trait;
use http::HeaderValue;
use tidings_connector::{
    Anonymous, ConnectorClient, Credentials, CredentialsError, Phase, ServiceUrlError, ServiceUrlPolicy,
    TokenRequest,
};

use crate::raw_server::{RawServer, answer};
use crate::{client, hello};

#[tokio::test]
async fn foreign_hosts_are_refused_by_every_method() {
    let client = client();
    for url in [
        "http://198.51.100.1/",
        "https://example.com",
        "ftp://127.0.0.1",
        "http://u@127.0.0.1",
        "nonsense",
        "",
    ] {
        let error = client
            .send_to_conversation(url, "c", &hello())
            .await
            .expect_err(url);
        assert_eq!((error.phase, error.status), (Phase::Refused, None), "{url}");
        assert!(error.message.contains("serviceUrl"), "{error}");
        let source = error.source.expect("the reason");
        assert!(source.downcast_ref::<ServiceUrlError>().is_some());
        let error = client
            .get_attachment_view(url, "f", "original")
            .await
            .expect_err(url);
        assert_eq!(error.phase, Phase::Refused, "{url}");
    }
}

#[tokio::test]
async fn this_machine_is_called_by_the_name_that_was_given() {
    let (server, mut requests) = RawServer::answering(answer("200 OK", "", "{}")).await;
    let url = server.url.replace("127.0.0.1", "localhost");
    let policy = ServiceUrlPolicy::local().allow("elsewhere.example");
    let client = ConnectorClient::builder()
        .service_urls(policy)
        .build()
        .expect("a client");
    client
        .send_to_conversation(&url, "c", &hello())
        .await
        .expect("sent");
    let request = requests.recv().await.expect("a request");
    assert_eq!(
        request.header("host"),
        Some(url.strip_prefix("http://").expect("http"))
    );
}

struct Token;

#[async_trait]
impl Credentials for Token {
    async fn authorization(
        &self,
        request: &TokenRequest<'_>,
    ) -> Result<Option<HeaderValue>, CredentialsError> {
        assert!(request.service_url.starts_with("http://127.0.0.1:"));
        Ok(Some(HeaderValue::from_static("Bearer abc.def.ghi")))
    }
}

#[tokio::test]
async fn requests_carry_the_headers_of_the_protocol() {
    let (server, mut requests) = RawServer::answering(answer("200 OK", "", "{}")).await;
    let client = ConnectorClient::builder()
        .product("weather-bot/1.2.0")
        .build()
        .expect("a client");
    client
        .send_to_conversation(&server.url, "c", &hello())
        .await
        .expect("sent");
    let request = requests.recv().await.expect("a request");
    assert_eq!(request.method(), "POST");
    assert_eq!(
        request.header("content-type"),
        Some("application/json; charset=utf-8")
    );
    assert_eq!(request.header("accept"), Some("*/*"));
    let user_agent = request.header("user-agent").expect("a User-Agent");
    assert!(
        user_agent.starts_with("Microsoft-BotFramework/3.1 weather-bot/1.2.0 (Rust; "),
        "{user_agent}"
    );
    assert_eq!(request.header("authorization"), None);
    assert!(request.body.contains("hello, channel"));

    client.get_conversations(&server.url, None).await.expect("a page");
    let request = requests.recv().await.expect("a request");
    assert_eq!((request.method(), request.header("content-type")), ("GET", None));
}

#[tokio::test]
async fn credentials_make_the_authorization_header() {
    let (server, mut requests) = RawServer::answering(answer("200 OK", "", "{}")).await;
    for (credentials, expected) in [
        (
            Arc::new(Token) as Arc<dyn Credentials>,
            Some("Bearer abc.def.ghi"),
        ),
        (Arc::new(Anonymous), None),
    ] {
        let client = ConnectorClient::builder()
            .credentials(credentials)
            .build()
            .expect("a client");
        client
            .send_to_conversation(&server.url, "c", &hello())
            .await
            .expect("sent");
        assert_eq!(
            requests.recv().await.expect("a request").header("authorization"),
            expected
        );
        client
            .get_attachment_view(&server.url, "f", "original")
            .await
            .expect("bytes");
        assert_eq!(
            requests.recv().await.expect("a request").header("authorization"),
            expected
        );
    }
}
