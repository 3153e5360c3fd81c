//! Tokens: made, refreshed, refused.

use http::{Method, Request, StatusCode};
use jiff::SignedDuration;
use serde_json::json;

use crate::kit::{Site, refused};

const GENERATE: &str = "/v3/directline/tokens/generate";
const REFRESH: &str = "/v3/directline/tokens/refresh";

#[tokio::test]
async fn generate_answers_a_token_for_a_conversation_that_has_not_started() {
    let site = Site::new().await;
    let answer = site
        .post(
            GENERATE,
            None,
            json!({ "user": { "id": "dl_ann", "name": "Ann" } }),
        )
        .await
        .ok();
    assert_eq!(answer["expires_in"], 1_800);
    assert_eq!(answer.as_object().unwrap().len(), 3);
    let id = answer["conversationId"].as_str().unwrap();
    let token = answer["token"].as_str().unwrap();
    assert!(!id.contains('|'));
    let claims = claims(token);
    assert_eq!((&claims["user"], &claims["conv"]), (&json!("dl_ann"), &json!(id)));
    assert_eq!(
        claims["exp"].as_i64().unwrap() - claims["nbf"].as_i64().unwrap(),
        1_800
    );
    let reply = site
        .get(&format!("/v3/directline/conversations/{id}"), Some(token))
        .await;
    assert_eq!(reply.refusal(), refused(404, "ConversationNotFound"));
    assert!(site.channel.history(id).await.unwrap().is_none());
}

#[tokio::test]
async fn generate_needs_no_body() {
    let site = Site::new().await;
    let answer = site.call_text(Method::POST, GENERATE, None, "").await.ok();
    assert!(claims(answer["token"].as_str().unwrap()).get("user").is_none());
}

#[tokio::test]
async fn generate_refuses_what_it_cannot_use() {
    let site = Site::new().await;
    for (body, code) in [
        (r#"{"user""#, "MalformedData"),
        ("[]", "MalformedData"),
        (r#"{"user":"ann"}"#, "BadArgument"),
        (r#"{"user":{"id":7}}"#, "BadArgument"),
        (r#"{"user":{"id":"ann"}}"#, "BadArgument"),
        (r#"{"user":{"id":"dl_\u0000"}}"#, "MalformedData"),
    ] {
        assert_eq!(
            site.call_text(Method::POST, GENERATE, None, body).await.refusal(),
            refused(400, code),
            "{body}"
        );
    }
    let long = |length: usize| json!({ "user": { "id": format!("dl_{}", "x".repeat(length - 3)) } });
    site.post(GENERATE, None, long(256)).await.ok();
    assert_eq!(
        site.post(GENERATE, None, long(257)).await.refusal(),
        refused(400, "BadArgument")
    );
    let spaces = |length: usize| " ".repeat(length);
    assert_eq!(
        site.call_text(Method::POST, GENERATE, None, spaces(65_536))
            .await
            .status,
        StatusCode::OK
    );
    assert_eq!(
        site.call_text(Method::POST, GENERATE, None, spaces(65_537))
            .await
            .refusal(),
        refused(413, "MessageSizeTooBig")
    );
}

#[tokio::test]
async fn a_token_is_refreshed_while_it_lives() {
    let mut site = Site::new().await;
    let chat = site.conversation().await;
    site.clock.advance(SignedDuration::from_secs(1_799));
    let fresh = site.post(REFRESH, Some(&chat.token), json!({})).await.ok();
    assert_eq!(fresh["conversationId"], chat.id);
    assert_eq!(fresh["expires_in"], 1_800);
    site.clock.advance(SignedDuration::from_secs(1));
    assert_eq!(
        site.post(REFRESH, Some(&chat.token), json!({})).await.refusal(),
        refused(403, "TokenExpired")
    );
    let token = fresh["token"].as_str().unwrap();
    assert_eq!(claims(token)["user"], "dl_ann");
    site.get(&chat.path(), Some(token)).await.ok();
    assert_eq!(
        site.post(REFRESH, None, json!({})).await.refusal(),
        refused(400, "BadArgument")
    );
}

#[tokio::test]
async fn an_expired_token_is_refused_everywhere() {
    let mut site = Site::new().await;
    let chat = site.conversation().await;
    site.clock.advance(SignedDuration::from_secs(1_800));
    let token = Some(chat.token.as_str());
    let activities = format!("{}/activities", chat.path());
    let message = json!({ "type": "message", "text": "late" });
    for reply in [
        site.get(&chat.path(), token).await,
        site.get(&activities, token).await,
        site.post(&activities, token, message).await,
        site.post("/v3/directline/conversations", token, json!({})).await,
        site.post(&format!("{}/upload", chat.path()), token, json!({}))
            .await,
        site.get("/v3/directline/session/getsessionid", token).await,
    ] {
        assert_eq!(reply.refusal(), refused(403, "TokenExpired"));
    }
}

#[tokio::test]
async fn a_token_opens_only_its_own_conversation() {
    let mut site = Site::new().await;
    let (ann, bob) = (
        site.conversation_of("dl_ann").await,
        site.conversation_of("dl_bob").await,
    );
    let token = Some(ann.token.as_str());
    let activities = format!("{}/activities", bob.path());
    for reply in [
        site.get(&bob.path(), token).await,
        site.get(&activities, token).await,
        site.post(&activities, token, json!({ "type": "message" })).await,
        site.post(&format!("{}/upload", bob.path()), token, json!({}))
            .await,
        site.get("/v3/directline/conversations/unknown", token).await,
    ] {
        assert_eq!(reply.refusal(), refused(403, "NotAllowed"));
    }
}

#[tokio::test]
async fn a_tampered_or_foreign_token_is_refused() {
    let mut site = Site::new().await;
    let chat = site.conversation().await;
    let other = Site::new().await;
    let foreign = other.post(GENERATE, None, json!({})).await.ok()["token"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut tampered = chat.token.clone();
    tampered.replace_range(30..31, if &chat.token[30..31] == "A" { "B" } else { "A" });
    for token in [foreign.as_str(), &tampered, "nonsense", "undefined"] {
        assert_eq!(
            site.get(&chat.path(), Some(token)).await.refusal(),
            refused(403, "NotAllowed"),
            "{token}"
        );
    }
    for header in ["Bearer", "Basic YTpi", chat.token.as_str()] {
        let request = Request::get(chat.path())
            .header("authorization", header)
            .body(axum::body::Body::empty());
        let reply = site.send(request.unwrap()).await;
        assert_eq!(reply.refusal(), refused(401, "Unauthorized"), "{header}");
        assert_eq!(reply.headers["www-authenticate"], "Bearer");
    }
}

#[tokio::test]
async fn a_configured_secret_is_required() {
    let mut site = Site::with(|options| options.secret = Some("s3cret".into())).await;
    assert_eq!(
        site.post(GENERATE, None, json!({})).await.refusal(),
        refused(401, "Unauthorized")
    );
    assert_eq!(
        site.post(GENERATE, Some("s3cre"), json!({})).await.refusal(),
        refused(403, "NotAllowed")
    );
    assert_eq!(
        site.post(GENERATE, Some("s3cret!"), json!({})).await.refusal(),
        refused(403, "NotAllowed")
    );
    let generated = site.post(GENERATE, Some("s3cret"), json!({})).await.ok();
    let token = generated["token"].as_str().unwrap();
    assert_eq!(
        site.post(GENERATE, Some(token), json!({})).await.refusal(),
        refused(403, "NotAllowed")
    );

    let conversations = "/v3/directline/conversations";
    assert_eq!(
        site.post(conversations, None, json!({})).await.refusal(),
        refused(401, "Unauthorized")
    );
    let started = site
        .post(
            conversations,
            Some("s3cret"),
            json!({ "user": { "id": "dl_ann" } }),
        )
        .await;
    assert_eq!(started.status, StatusCode::CREATED);
    assert_eq!(site.delivered().await.kind, "conversationUpdate");
    let id = started.json()["conversationId"].as_str().unwrap().to_owned();
    let path = format!("{conversations}/{id}");
    assert_eq!(
        site.get(&path, None).await.refusal(),
        refused(401, "Unauthorized")
    );
    assert_eq!(
        site.get(&format!("{conversations}/unknown"), Some("s3cret"))
            .await
            .refusal(),
        refused(404, "ConversationNotFound")
    );
    let started = site.get(&path, Some("s3cret")).await.ok();
    assert_eq!(started["conversationId"], id);
}

#[tokio::test]
async fn a_session_id_is_for_those_who_may_be_here() {
    let mut site = Site::new().await;
    let chat = site.conversation().await;
    let path = "/v3/directline/session/getsessionid";
    let first = site.get(path, Some(&chat.token)).await.ok();
    assert!(first["sessionId"].as_str().is_some_and(|id| id.len() == 32));
    assert_eq!(
        site.get(path, Some("nonsense")).await.refusal(),
        refused(403, "NotAllowed")
    );
}

fn claims(token: &str) -> serde_json::Value {
    use base64::Engine as _;
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(
        &base64::engine::general_purpose::URL_SAFE_NO_PAD
            .decode(payload)
            .unwrap(),
    )
    .unwrap()
}
