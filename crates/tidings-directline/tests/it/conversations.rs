//! Conversations: started, found again, greeted; and what every client route shares.

use std::sync::Arc;

use axum::body::Body;
use http::{Method, Request, StatusCode};
use serde_json::json;
use tidings_activity::RoleType;
use tokio::sync::Semaphore;

use crate::kit::{Deed, Site, refused};

const START: &str = "/v3/directline/conversations";

#[tokio::test]
async fn a_token_starts_its_conversation_once() {
    let mut site = Site::new().await;
    let user = json!({ "user": { "id": "dl_ann", "name": "Ann" } });
    let generated = site.post("/v3/directline/tokens/generate", None, user).await.ok();
    let token = generated["token"].as_str().unwrap();
    let first = site
        .post(START, Some(token), json!({ "user": {}, "locale": "en-GB" }))
        .await;
    assert_eq!(first.status, StatusCode::CREATED);
    let first = first.json();
    assert_eq!(first["conversationId"], generated["conversationId"]);
    assert_eq!(first["expires_in"], 1_800);
    for field in ["token", "streamUrl", "referenceGrammarId", "eTag"] {
        assert!(
            first[field].as_str().is_some_and(|text| !text.is_empty()),
            "{field}: {first}"
        );
    }
    let stream = first["streamUrl"].as_str().unwrap();
    let id = first["conversationId"].as_str().unwrap();
    assert!(stream.starts_with(&format!(
        "ws://127.0.0.1:3978/v3/directline/conversations/{id}/stream?watermark=-&t="
    )));

    let again = site.post(START, Some(token), json!({})).await.ok();
    for field in ["conversationId", "referenceGrammarId", "eTag"] {
        assert_eq!(again[field], first[field]);
    }

    let update = site.delivered().await;
    assert_eq!(update.kind, "conversationUpdate");
    assert_eq!(update.channel_id.as_deref(), Some("directline"));
    assert_eq!(update.service_url.as_deref(), Some("http://127.0.0.1:3978"));
    assert_eq!(update.conversation.as_ref().unwrap().id.as_deref(), Some(id));
    assert_eq!(update.locale.as_deref(), Some("en-GB"));
    assert_eq!(update.recipient.as_ref().unwrap().id.as_deref(), Some("bot"));
    assert_eq!(update.from.as_ref().unwrap().id.as_deref(), Some("dl_ann"));
    let added: Vec<_> = update
        .members_added
        .as_ref()
        .unwrap()
        .iter()
        .map(|member| member.id.as_deref().unwrap())
        .collect();
    assert_eq!(added, ["bot", "dl_ann"]);
    assert!(
        site.inbox.try_recv().is_err(),
        "the second start tells the bot nothing"
    );
    assert_eq!(site.channel.history(id).await.unwrap().unwrap(), []);
}

#[tokio::test]
async fn a_user_in_the_body_is_the_user_where_the_token_names_none() {
    let mut site = Site::new().await;
    let generated = site
        .post("/v3/directline/tokens/generate", None, json!({}))
        .await
        .ok();
    let token = generated["token"].as_str().unwrap();
    let forged = site
        .post(START, Some(token), json!({ "user": { "id": "dl_ann" } }))
        .await;
    assert_eq!(forged.refusal(), refused(400, "BadArgument"));
    let started = site
        .post(START, Some(token), json!({ "user": { "id": "ann" } }))
        .await;
    assert_eq!(started.status, StatusCode::CREATED);
    assert_eq!(
        site.delivered().await.members_added.unwrap()[1].id.as_deref(),
        Some("ann")
    );
}

#[tokio::test]
async fn without_a_user_the_bot_hears_of_the_members_just_before_the_first_message() {
    let mut site = Site::new().await;
    let started = site.post(START, None, json!({})).await;
    assert_eq!(started.status, StatusCode::CREATED);
    let started = started.json();
    let path = format!(
        "{START}/{}/activities",
        started["conversationId"].as_str().unwrap()
    );
    let token = started["token"].as_str();
    assert!(site.inbox.try_recv().is_err());
    let said = |from: &str| json!({ "type": "message", "text": "hello", "from": { "id": from } });
    site.post(&path, token, said("r_1")).await.ok();
    let update = site.delivered().await;
    assert_eq!(update.kind, "conversationUpdate");
    assert_eq!(update.members_added.unwrap().len(), 2);
    assert_eq!(site.delivered().await.kind, "message");
    site.post(&path, token, said("r_1")).await.ok();
    assert_eq!(site.delivered().await.kind, "message");
    site.post(&path, token, said("r_2")).await.ok();
    let added = site.delivered().await.members_added.unwrap();
    assert_eq!((added.len(), added[0].id.as_deref()), (1, Some("r_2")));
    assert_eq!(added[0].role, Some(RoleType::User));
}

#[tokio::test]
async fn a_bot_that_fails_or_hangs_over_the_greeting_does_not_stop_the_start() {
    let mut site = Site::new().await;
    let permits = Arc::new(Semaphore::new(0));
    site.deed(Deed::WaitFor(Arc::clone(&permits)));
    let started = site.post(START, None, json!({ "user": { "id": "ann" } })).await;
    assert_eq!(started.status, StatusCode::CREATED);
    assert_eq!(site.delivered().await.kind, "conversationUpdate");
    permits.add_permits(1);
    site.deed(Deed::Panic);
    let started = site.post(START, None, json!({ "user": { "id": "ann" } })).await;
    assert_eq!(started.status, StatusCode::CREATED);
}

#[tokio::test]
async fn reconnecting_gives_a_token_and_a_stream_that_goes_on_at_the_watermark() {
    let mut site = Site::new().await;
    let chat = site.conversation().await;
    site.say(&chat, "one").await;
    let answer = site
        .get(&format!("{}?watermark=1", chat.path()), Some(&chat.token))
        .await
        .ok();
    assert_eq!(answer["conversationId"], chat.id);
    assert!(answer["streamUrl"].as_str().unwrap().contains("watermark=1&"));
    let token = answer["token"].as_str().unwrap();
    site.get(&chat.path(), Some(token)).await.ok();
    // What DirectLineJS asks with before it has seen a watermark.
    for nothing in ["?watermark=", "?watermark=null", "?watermark=undefined", ""] {
        let answer = site
            .get(&format!("{}{nothing}", chat.path()), Some(&chat.token))
            .await
            .ok();
        assert!(
            answer["streamUrl"].as_str().unwrap().contains("watermark=-&"),
            "{nothing}"
        );
    }
    let wrong = site
        .get(&format!("{}?watermark=x", chat.path()), Some(&chat.token))
        .await;
    assert_eq!(wrong.refusal(), refused(400, "BadArgument"));
}

#[tokio::test]
async fn in_local_mode_an_old_conversation_is_opened_again_without_a_token() {
    let mut site = Site::new().await;
    let chat = site.conversation().await;
    site.clock.advance(jiff::SignedDuration::from_hours(48));
    let answer = site.get(&chat.path(), None).await.ok();
    let reply = site
        .get(&format!("{}/activities", chat.path()), answer["token"].as_str())
        .await;
    assert_eq!(reply.ok()["activities"], json!([]));
}

#[tokio::test]
async fn the_socket_leads_to_the_loopback_name_that_the_client_uses() {
    let mut site = Site::new().await;
    let chat = site.conversation().await;
    let request = Request::get(chat.path())
        .header("host", "localhost:3978")
        .header("authorization", format!("Bearer {}", chat.token))
        .body(Body::empty())
        .unwrap();
    let url = site.send(request).await.ok()["streamUrl"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(url.starts_with("ws://localhost:3978/"), "{url}");
}

#[tokio::test]
async fn direct_line_answers_preflights_on_every_path_and_the_connector_does_not() {
    let site = Site::new().await;
    for path in [
        "/v3/directline/tokens/generate",
        "/v3/directline/conversations/c/activities",
        "/v3/directline/no/such/path",
    ] {
        let request = Request::options(path)
            .header("origin", "http://localhost:5173")
            .header("access-control-request-method", "POST")
            .header(
                "access-control-request-headers",
                "authorization,content-type,x-ms-bot-agent,x-requested-with",
            )
            .body(Body::empty())
            .unwrap();
        let reply = site.send(request).await;
        assert!(reply.status.is_success(), "{path}");
        assert_eq!(
            reply.headers["access-control-allow-origin"],
            "http://localhost:5173"
        );
        assert_eq!(reply.headers["access-control-allow-credentials"], "true");
        let methods = reply.headers["access-control-allow-methods"].to_str().unwrap();
        assert!(
            ["GET", "POST", "OPTIONS"]
                .iter()
                .all(|method| methods.contains(method)),
            "{methods}"
        );
        let allowed = reply.headers["access-control-allow-headers"]
            .to_str()
            .unwrap()
            .to_ascii_lowercase();
        for name in [
            "authorization",
            "content-type",
            "x-ms-bot-agent",
            "x-requested-with",
        ] {
            assert!(allowed.contains(name), "{allowed}");
        }
    }
    let refusal = Request::get("/v3/directline/conversations/c")
        .header("origin", "http://localhost:5173")
        .header("authorization", "Bearer x")
        .body(Body::empty())
        .unwrap();
    let reply = site.send(refusal).await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
    assert_eq!(
        reply.headers["access-control-allow-origin"],
        "http://localhost:5173"
    );
    assert_eq!(reply.headers["cache-control"], "no-store");
    let connector = Request::get("/v3/conversations")
        .header("origin", "http://localhost:5173")
        .body(Body::empty())
        .unwrap();
    assert!(
        site.send(connector)
            .await
            .headers
            .get("access-control-allow-origin")
            .is_none()
    );
}

#[tokio::test]
async fn unknown_paths_and_wrong_methods_are_refused_in_the_same_shape() {
    let site = Site::new().await;
    for path in [
        "/v3/directline/nothing",
        "/v3/conversations/c/nothing",
        "/v3/attachments/a/b",
    ] {
        assert_eq!(
            site.get(path, None).await.refusal(),
            refused(404, "NotFound"),
            "{path}"
        );
    }
    for (method, path) in [
        (Method::GET, "/v3/directline/tokens/generate"),
        (Method::PUT, "/v3/directline/conversations/c/activities"),
        (Method::GET, "/v3/conversations/c/activities"),
        (Method::DELETE, "/v3/attachments/a"),
    ] {
        assert_eq!(
            site.call(method, path, None, None).await.refusal(),
            refused(405, "NotSupported"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_closed_channel_takes_nothing_more_from_clients_but_lets_the_bot_finish() {
    let mut site = Site::new().await;
    let chat = site.conversation().await;
    site.channel.close().await;
    let message = json!({ "type": "message", "text": "late" });
    let reply = site
        .post(&format!("{}/activities", chat.path()), Some(&chat.token), message)
        .await;
    assert_eq!(reply.refusal(), refused(503, "ServiceError"));
    assert_eq!(
        site.post(START, None, json!({})).await.refusal(),
        refused(503, "ServiceError")
    );
    site.answer(&chat, "the last word").await;
    assert_eq!(site.channel.history(&chat.id).await.unwrap().unwrap().len(), 1);
}
