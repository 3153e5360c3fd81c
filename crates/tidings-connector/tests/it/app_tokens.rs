//! How tokens are kept, replaced, dropped and sent.

use std::sync::Arc;
use std::time::Duration;

use tidings_connector::{
    ConnectorClient, Credentials, CredentialsError, Phase, ServiceUrlPolicy, TokenRequest,
};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::hello;
use crate::identity::{Identity, grant, refusal, token};
use crate::raw_server::{RawServer, Seen, answer};

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[tokio::test]
async fn many_calls_wait_for_one_request() {
    let mut identity = Identity::start().await;
    let credentials = identity.with_secret();
    let mut calls = JoinSet::new();
    for _ in 0..50 {
        let credentials = credentials.clone();
        calls.spawn(async move { token(&credentials, None).await.expect("a token") });
    }
    assert!(calls.join_all().await.iter().all(|token| token == "token-1"));
    assert_eq!(identity.requests(), 1);
}

#[tokio::test]
async fn who_gives_up_does_not_take_the_request_along() {
    let mut identity = Identity::start().await;
    let credentials = identity.with_secret();
    let first = tokio::spawn({
        let credentials = credentials.clone();
        async move { token(&credentials, None).await }
    });
    identity.request().await;
    first.abort();
    assert_eq!(token(&credentials, None).await.expect("a token"), "token-1");
    assert_eq!(identity.requests(), 0);
}

#[tokio::test]
async fn a_token_is_replaced_five_minutes_before_its_end() {
    let mut identity = Identity::start().await;
    let credentials = identity.with_secret();
    assert_eq!(token(&credentials, None).await.expect("a token"), "token-1");
    identity.advance(secs(3600 - 301));
    assert_eq!(token(&credentials, None).await.expect("a token"), "token-1");
    assert_eq!(identity.requests(), 1);
    identity.advance(secs(1));
    // The old one serves at once, and starts the request.
    assert_eq!(token(&credentials, None).await.expect("a token"), "token-1");
    identity.request().await;
    while token(&credentials, None).await.expect("a token") == "token-1" {
        tokio::task::yield_now().await;
    }
    assert_eq!(token(&credentials, None).await.expect("a token"), "token-2");
    assert_eq!(identity.requests(), 0);
}

#[tokio::test]
async fn a_short_token_serves_half_its_life_before_it_is_replaced() {
    let mut identity = Identity::start().await;
    let credentials = identity.with_secret();
    identity.say(grant("short", 100));
    for (age, requests) in [(0, 1), (49, 0)] {
        identity.advance(secs(age));
        assert_eq!(token(&credentials, None).await.expect("a token"), "short");
        assert_eq!(identity.requests(), requests, "{age}");
    }
    identity.advance(secs(1));
    assert_eq!(token(&credentials, None).await.expect("a token"), "short");
    identity.request().await;
}

#[tokio::test]
async fn a_good_token_serves_while_it_cannot_be_replaced() {
    let mut identity = Identity::start().await;
    let credentials = identity.with_secret();
    token(&credentials, None).await.expect("a token");
    identity.request().await;
    identity.advance(secs(3300));
    for _ in 0..2 {
        identity.say(refusal(
            "400 Bad Request",
            "invalid_client",
            "AADSTS7000222: expired",
        ));
    }
    assert_eq!(token(&credentials, None).await.expect("a token"), "token-1");
    identity.request().await;
    // Whether that request is still under way or has failed, the old one serves, to its last second.
    assert_eq!(token(&credentials, None).await.expect("a token"), "token-1");
    identity.advance(secs(299));
    assert_eq!(token(&credentials, None).await.expect("a token"), "token-1");
    // Then it does not, and the endpoint has to be asked until it grants one.
    identity.advance(secs(1));
    let new = loop {
        match token(&credentials, None).await {
            Ok(new) => break new,
            Err(error) => assert_eq!(error.code.as_deref(), Some("AADSTS7000222")),
        }
        identity.advance(secs(60));
    };
    assert_eq!(new, "token-2");
}

#[tokio::test]
async fn a_failing_endpoint_is_asked_less_and_less() {
    let mut identity = Identity::start().await;
    let credentials = identity.with_secret();
    let fail = async |identity: &mut Identity, requests: usize| {
        let error: CredentialsError = token(&credentials, None).await.expect_err("refused");
        assert_eq!(error.code.as_deref(), Some("AADSTS7000215"));
        assert_eq!(identity.requests(), requests);
    };
    let say = |identity: &Identity| {
        identity.say(refusal(
            "401 Unauthorized",
            "invalid_client",
            "AADSTS7000215: wrong",
        ));
    };
    say(&identity);
    fail(&mut identity, 1).await;
    for wait in [1, 2, 4, 8, 16, 32, 60, 60] {
        identity.advance(secs(wait) - Duration::from_millis(1));
        fail(&mut identity, 0).await;
        identity.advance(Duration::from_millis(1));
        say(&identity);
        fail(&mut identity, 1).await;
    }
    identity.advance(secs(60));
    assert_eq!(token(&credentials, None).await.expect("mended"), "token-1");
}

#[tokio::test]
async fn an_endpoint_says_when_to_come_back_within_reason() {
    for (asked, wait) in [(7, 7), (299, 299), (300, 300), (301, 300), (86_400, 300)] {
        let mut identity = Identity::start().await;
        let credentials = identity.with_secret();
        identity.say(answer(
            "429 Too Many Requests",
            &format!("retry-after: {asked}\r\n"),
            "",
        ));
        token(&credentials, None).await.expect_err("busy");
        identity.advance(secs(wait) - Duration::from_millis(1));
        token(&credentials, None).await.expect_err("still");
        assert_eq!(identity.requests(), 1, "{asked}");
        identity.advance(Duration::from_millis(1));
        token(&credentials, None).await.expect("a token");
    }
}

#[tokio::test]
async fn a_limited_number_of_audiences_is_kept() {
    let mut identity = Identity::start().await;
    let credentials = identity.with_secret();
    token(&credentials, None).await.expect("a token");
    let audience = |number: usize| format!("app-{number}");
    for number in 0..64 {
        token(&credentials, Some(&audience(number)))
            .await
            .expect("a token");
    }
    assert_eq!(identity.requests(), 65);
    for number in 0..64 {
        token(&credentials, Some(&audience(number)))
            .await
            .expect("a token");
    }
    assert_eq!(identity.requests(), 0, "64 fit");
    token(&credentials, Some(&audience(64))).await.expect("a token");
    assert_eq!(identity.requests(), 1);
    // The one that was not used for longest has gone, and only that one.
    for number in 1..=64 {
        token(&credentials, Some(&audience(number)))
            .await
            .expect("a token");
    }
    assert_eq!(identity.requests(), 0);
    token(&credentials, Some(&audience(0))).await.expect("a token");
    assert_eq!(identity.requests(), 1);
    token(&credentials, None).await.expect("a token");
    assert_eq!(identity.requests(), 0, "that for the channels stays");
}

/// A connector that answers `status` to these tokens and 200 to others.
async fn connector(
    status: &'static str,
    refused: &'static [&'static str],
) -> (RawServer, mpsc::UnboundedReceiver<Seen>) {
    let (seen, requests) = mpsc::unbounded_channel();
    let server = RawServer::start(move |mut wire| {
        let seen = seen.clone();
        async move {
            while let Some(request) = wire.request().await {
                let token = request.header("authorization").unwrap_or_default();
                let token = token.strip_prefix("Bearer ").unwrap_or_default();
                let text = if refused.contains(&token) || refused == ["*"] {
                    answer(
                        status,
                        "",
                        r#"{"error":{"code":"BotNotRegistered","message":"no"}}"#,
                    )
                } else {
                    answer("200 OK", "", r#"{"id":"1"}"#)
                };
                let _ = seen.send(request);
                wire.send(text.as_bytes()).await;
            }
        }
    })
    .await;
    (server, requests)
}

fn client(credentials: impl Credentials) -> ConnectorClient {
    ConnectorClient::builder()
        .credentials(Arc::new(credentials))
        .build()
        .expect("a client")
}

fn tokens(requests: &mut mpsc::UnboundedReceiver<Seen>) -> Vec<String> {
    std::iter::from_fn(|| requests.try_recv().ok())
        .map(|request| request.header("authorization").unwrap_or("none").to_owned())
        .collect()
}

#[tokio::test]
async fn a_refused_token_is_replaced_and_the_call_repeated_once() {
    let identity = Identity::start().await;
    let (server, mut requests) = connector("401 Unauthorized", &["token-1"]).await;
    let client = client(identity.with_secret());
    let sent = client
        .send_to_conversation(&server.url, "c", &hello())
        .await
        .expect("sent");
    assert_eq!(sent.id, "1");
    let first = requests.recv().await.expect("a request");
    let second = requests.recv().await.expect("a second");
    assert_eq!(first.header("authorization"), Some("Bearer token-1"));
    assert_eq!(second.header("authorization"), Some("Bearer token-2"));
    assert_eq!((first.target(), &first.body), (second.target(), &second.body));
    // From now on it is the new one.
    client.get_conversations(&server.url, None).await.expect("a page");
    assert_eq!(tokens(&mut requests), ["Bearer token-2"]);
}

#[tokio::test]
async fn a_connector_that_refuses_every_token_is_not_given_all_of_them() {
    let mut identity = Identity::start().await;
    let (server, mut requests) = connector("401 Unauthorized", &["*"]).await;
    let client = client(identity.with_secret());
    let mut send = async || {
        let error = client
            .send_to_conversation(&server.url, "c", &hello())
            .await
            .expect_err("refused");
        assert_eq!((error.phase, error.status), (Phase::AfterBody, Some(401)));
        assert_eq!(error.code.as_deref(), Some("BotNotRegistered"));
        tokens(&mut requests)
    };
    assert_eq!(send().await, ["Bearer token-1", "Bearer token-2"]);
    assert_eq!(send().await, ["Bearer token-2"]);
    identity.advance(secs(30) - Duration::from_millis(1));
    assert_eq!(send().await, ["Bearer token-2"]);
    identity.advance(Duration::from_millis(1));
    assert_eq!(send().await, ["Bearer token-2", "Bearer token-3"]);
    assert_eq!(identity.requests(), 3);
}

#[tokio::test]
async fn other_refusals_do_not_replace_the_token() {
    let mut identity = Identity::start().await;
    for status in [
        "403 Forbidden",
        "400 Bad Request",
        "407 Proxy Authentication Required",
        "500 Internal Server Error",
    ] {
        let (server, mut requests) = connector(status, &["*"]).await;
        let error = client(identity.with_secret())
            .send_to_conversation(&server.url, "c", &hello())
            .await
            .expect_err(status);
        assert!(
            error
                .status
                .is_some_and(|code| status.starts_with(&code.to_string()))
        );
        assert_eq!(tokens(&mut requests).len(), 1, "{status}");
        assert_eq!(identity.requests(), 1);
    }
}

#[tokio::test]
async fn the_401_stands_if_there_is_no_other_token() {
    let identity = Identity::start().await;
    let (server, mut requests) = connector("401 Unauthorized", &["*"]).await;
    identity.say(grant("only", 3600));
    identity.say(refusal(
        "400 Bad Request",
        "invalid_client",
        "AADSTS7000222: expired",
    ));
    let credentials = identity.with_secret();
    let error = client(credentials.clone())
        .send_to_conversation(&server.url, "c", &hello())
        .await
        .expect_err("refused");
    assert_eq!(error.status, Some(401));
    assert_eq!(tokens(&mut requests), ["Bearer only"]);
    // The next call says what is wrong, and nothing is sent.
    let error = client(credentials)
        .send_to_conversation(&server.url, "c", &hello())
        .await
        .expect_err("no token");
    assert_eq!((error.phase, error.status), (Phase::BeforeBody, None));
    let source = error.source.expect("a cause");
    let source = source
        .downcast_ref::<CredentialsError>()
        .expect("why there is no token");
    assert!(source.is_configuration());
    assert!(tokens(&mut requests).is_empty());
}

#[tokio::test]
async fn the_same_token_again_is_not_tried_again() {
    let identity = Identity::start().await;
    let (server, mut requests) = connector("401 Unauthorized", &["*"]).await;
    for _ in 0..2 {
        identity.say(grant("same", 3600));
    }
    client(identity.with_secret())
        .send_to_conversation(&server.url, "c", &hello())
        .await
        .expect_err("refused");
    assert_eq!(tokens(&mut requests), ["Bearer same"]);
}

#[tokio::test]
async fn a_view_is_fetched_with_another_token_too() {
    let identity = Identity::start().await;
    let (server, mut requests) = connector("401 Unauthorized", &["token-1"]).await;
    let bytes = client(identity.with_secret())
        .get_attachment_view(&server.url, "f", "original")
        .await
        .expect("bytes");
    assert_eq!(bytes, r#"{"id":"1"}"#);
    assert_eq!(tokens(&mut requests), ["Bearer token-1", "Bearer token-2"]);
}

#[tokio::test]
async fn a_view_elsewhere_never_sees_a_token() {
    for status in ["301 Moved Permanently", "302 Found", "307 Temporary Redirect"] {
        let identity = Identity::start().await;
        // Elsewhere answers 401: that must not bring a token either.
        let (elsewhere, mut fetched) = RawServer::answering(answer("401 Unauthorized", "", "")).await;
        let location = format!("location: {}/blob\r\n", elsewhere.url);
        let (server, _asked) = RawServer::answering(answer(status, &location, "")).await;
        let error = client(identity.with_secret())
            .get_attachment_view(&server.url, "f", "v")
            .await
            .expect_err("401");
        assert_eq!(error.status, Some(401));
        assert_eq!(tokens(&mut fetched), ["none"], "{status}");
    }
}

#[tokio::test]
async fn each_audience_has_its_token() {
    let mut identity = Identity::start().await;
    let (server, mut requests) = connector("401 Unauthorized", &["token-2"]).await;
    let channel = client(identity.with_secret());
    let parent = channel.for_audience(Some("parent-app"));
    for (client, expected) in [
        (&channel, vec!["Bearer token-1"]),
        (&parent, vec!["Bearer token-2", "Bearer token-3"]),
        (&channel, vec!["Bearer token-1"]),
        (&parent.for_audience(None), vec!["Bearer token-1"]),
        (&parent, vec!["Bearer token-3"]),
    ] {
        client
            .send_to_conversation(&server.url, "c", &hello())
            .await
            .expect("sent");
        assert_eq!(tokens(&mut requests), expected);
    }
    assert_eq!(identity.requests(), 3);
}

#[tokio::test]
async fn an_exempt_connector_gets_no_token() {
    let mut identity = Identity::start().await;
    let (server, mut requests) = connector("401 Unauthorized", &[]).await;
    let local = format!("{}/local", server.url);
    let client = ConnectorClient::builder()
        .service_urls(
            ServiceUrlPolicy::microsoft()
                .allow("127.0.0.1")
                .exempt(&local)
                .expect("an address"),
        )
        .credentials(Arc::new(identity.with_secret()))
        .build()
        .expect("a client");
    for (url, expected) in [
        (local.clone(), "none"),
        (format!("{local}/"), "none"),
        (server.url.clone(), "Bearer token-1"),
    ] {
        client
            .send_to_conversation(&url, "c", &hello())
            .await
            .expect("sent");
        client.get_attachment_view(&url, "f", "v").await.expect("bytes");
        assert_eq!(tokens(&mut requests), [expected, expected], "{url}");
    }
    assert_eq!(identity.requests(), 1);
}

#[tokio::test]
async fn a_token_that_was_replaced_meanwhile_is_no_reason_to_drop_the_new_one() {
    let mut identity = Identity::start().await;
    let credentials = identity.with_secret();
    let request = TokenRequest::new("https://smba.trafficmanager.net/emea/");
    let old = credentials
        .authorization(&request)
        .await
        .expect("a token")
        .expect("a header");
    assert!(credentials.drop_refused(&request, &old));
    token(&credentials, None).await.expect("a token");
    // Another call comes back late with its 401 to the old one.
    assert!(credentials.drop_refused(&request, &old));
    assert_eq!(token(&credentials, None).await.expect("a token"), "token-2");
    assert_eq!(identity.requests(), 2);
}
