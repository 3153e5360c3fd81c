//! A look at an issuer's keys.

use std::time::{Duration, SystemTime};

use tidings_connector::jwt::PublishedKeys;
use tidings_connector::test_idp::TestKey;
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

const TIMEOUT: Duration = Duration::from_secs(5);

async fn issuer(metadata: ResponseTemplate, keys: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    for (at, answer) in [("/metadata", metadata), ("/keys", keys)] {
        Mock::given(path(at)).respond_with(answer).mount(&server).await;
    }
    server
}

fn json(text: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(text, "application/json")
}

/// What is found at an issuer that publishes `keys` under the address its metadata names.
async fn found(keys: ResponseTemplate) -> Result<PublishedKeys, String> {
    let server = MockServer::start().await;
    let metadata = json(&format!(r#"{{"jwks_uri":"{}/keys"}}"#, server.uri()));
    for (at, answer) in [("/metadata", metadata), ("/keys", keys)] {
        Mock::given(path(at)).respond_with(answer).mount(&server).await;
    }
    PublishedKeys::look_up(&format!("{}/metadata", server.uri()), TIMEOUT).await
}

#[tokio::test]
async fn keys_are_counted_and_the_date_told() {
    let jwks = serde_json::json!({
        "keys": [TestKey::Channel.jwk("one", &[]), TestKey::Next.jwk("two", &[]), { "kty": "EC", "kid": "three" }]
    });
    let keys = json(&jwks.to_string()).insert_header("date", "Thu, 01 Jan 1970 00:01:40 GMT");
    let found = found(keys).await.unwrap();
    assert_eq!(found.count, 2, "those of the sort that tokens are verified with");
    assert_eq!(
        found.date,
        Some(SystemTime::UNIX_EPOCH + Duration::from_secs(100))
    );
}

#[tokio::test]
async fn what_are_no_keys_is_said() {
    for (keys, says) in [
        (ResponseTemplate::new(503), "/keys answered 503"),
        (json("keys"), "is not a JWKS"),
        (json("{}"), "is not a JWKS"),
        (json(r#"{"keys":[{"kty":"EC"}]}"#), "has no RSA key"),
        (json(&" ".repeat(1024 * 1024 + 1)), "longer than"),
    ] {
        let error = found(keys).await.unwrap_err();
        assert!(error.contains(says), "{error}");
    }
    for (metadata, says) in [
        (ResponseTemplate::new(404), "/metadata answered 404"),
        (json("{}"), "is not OpenID metadata"),
        (json(r#"{"jwks_uri":"not an address"}"#), "is not a URL"),
    ] {
        let server = issuer(metadata, json("{}")).await;
        let url = format!("{}/metadata", server.uri());
        let error = PublishedKeys::look_up(&url, TIMEOUT).await.unwrap_err();
        assert!(error.contains(says), "{error}");
    }
    let nobody = PublishedKeys::look_up("http://127.0.0.1:1/metadata", TIMEOUT).await;
    assert!(nobody.unwrap_err().contains("127.0.0.1:1"));
}
