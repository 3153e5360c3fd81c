//! What users say: echoed, delivered, answered; and read back by watermark.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use tidings_activity::RoleType;
use tokio::sync::Semaphore;

use crate::kit::{Deed, Site, place, refused, texts};

#[tokio::test]
async fn a_path_with_nul_is_refused_on_both_sides() {
    let site = Site::new().await;
    for path in [
        "/v3/directline/conversations/a%00b/activities",
        "/v3/conversations/a%00b/members",
        "/v3/attachments/a%00b",
    ] {
        let reply = site.get(path, None).await;
        assert_eq!(reply.refusal(), refused(400, "BadArgument"), "{path}");
    }
}

#[tokio::test]
async fn a_message_is_echoed_as_it_was_sent_with_a_real_id() {
    let mut site = Site::new().await;
    let chat = site.conversation().await;
    let message = json!({
        "type": "message", "text": "hello", "from": { "id": "somebody else", "name": "Ann", "role": "bot" },
        "id": "made up", "channelId": "webchat", "locale": "de", "localTimestamp": "2026-01-01T01:00:00+01:00",
        "serviceUrl": "http://evil.example", "recipient": { "id": "other" }, "callerId": "urn:botframework:azure",
        "deliveryMode": "expectReplies",
        "channelData": { "clientActivityID": "1x2", "postBack": true, "n": 1.50 }, "unknown": [1, null],
    });
    let posted = site
        .post(&format!("{}/activities", chat.path()), Some(&chat.token), message)
        .await
        .ok();
    let id = format!("{}|0000001", chat.id);
    assert_eq!(posted, json!({ "id": id }));

    let (activities, watermark) = site.activities(&chat, "").await;
    assert_eq!(watermark, "1");
    assert_eq!(
        activities,
        [json!({
            "type": "message", "text": "hello", "id": id, "timestamp": "1970-01-01T00:00:00.000Z",
            "from": { "id": "dl_ann", "name": "Ann", "role": "user" }, "conversation": { "id": chat.id },
            "channelId": "directline", "locale": "de", "localTimestamp": "2026-01-01T01:00:00+01:00",
            "channelData": { "clientActivityID": "1x2", "postBack": true, "n": 1.50 }, "unknown": [1, null],
        })]
    );

    let delivered = site.delivered_message().await;
    assert_eq!(delivered.id.as_deref(), Some(id.as_str()));
    assert_eq!(delivered.service_url.as_deref(), Some("http://127.0.0.1:3978"));
    let recipient = delivered.recipient.unwrap();
    assert_eq!(
        (recipient.id.as_deref(), recipient.role),
        (Some("bot"), Some(RoleType::Bot))
    );
    assert_eq!(delivered.from.unwrap().id.as_deref(), Some("dl_ann"));
    assert_eq!((delivered.caller_id, delivered.delivery_mode), (None, None));
}

#[tokio::test]
async fn activities_are_read_strictly_after_the_watermark() {
    let mut site = Site::new().await;
    let chat = site.conversation().await;
    for text in ["one", "two", "three"] {
        site.say(&chat, text).await;
    }
    let (all, last) = site.activities(&chat, "").await;
    assert_eq!(
        (texts(&all), last.as_str()),
        (vec!["one".into(), "two".into(), "three".into()], "3")
    );
    assert_eq!(texts(&site.activities(&chat, "2").await.0), ["three"]);
    assert_eq!(site.activities(&chat, "3").await, (vec![], "3".to_owned()));
    assert_eq!(
        site.activities(&chat, "4000").await,
        (vec![], "3".to_owned()),
        "one from the future is the end"
    );
    let times: Vec<_> = all
        .iter()
        .map(|activity| activity["timestamp"].as_str().unwrap())
        .collect();
    assert!(
        times.is_sorted_by(|earlier, later| earlier < later),
        "Web Chat sorts by time: {times:?}"
    );
    let path = format!("{}/activities?watermark=x", chat.path());
    assert_eq!(
        site.get(&path, Some(&chat.token)).await.refusal(),
        refused(400, "BadArgument")
    );
}

#[tokio::test]
async fn a_page_holds_as_many_as_it_may_and_leads_on() {
    let mut site = Site::with(|options| options.limits.page_activities = 3).await;
    let chat = site.conversation().await;
    for (count, expected) in [(2, 2), (3, 3), (4, 3)] {
        while site.channel.history(&chat.id).await.unwrap().unwrap().len() < count {
            site.say(&chat, "x").await;
        }
        assert_eq!(site.activities(&chat, "").await.0.len(), expected);
    }
    let (rest, watermark) = site.activities(&chat, "3").await;
    assert_eq!((rest.len(), watermark.as_str()), (1, "4"));
}

#[tokio::test]
async fn a_message_goes_to_the_bot_before_the_next_one_of_its_conversation() {
    let mut site = Site::new().await;
    let chat = site.conversation().await;
    let permits = Arc::new(Semaphore::new(0));
    for _ in 0..20 {
        site.deed(Deed::WaitFor(Arc::clone(&permits)));
    }
    let site_ref = &site;
    let chat_ref = &chat;
    let posts = futures_util::future::join_all(
        (0..20).map(|number| async move { site_ref.say(chat_ref, &format!("{number}")).await }),
    );
    let (ids, ()) = tokio::join!(posts, async { permits.add_permits(20) });
    assert_eq!(ids.len(), 20);
    let kept = site.channel.history(&chat.id).await.unwrap().unwrap();
    for activity in kept {
        assert_eq!(site.delivered_message().await.id, activity.id);
    }
}

#[tokio::test]
async fn a_failing_bot_is_502_and_the_message_stays_said() {
    let mut site = Site::new().await;
    let chat = site.conversation().await;
    let path = format!("{}/activities", chat.path());
    let message = json!({ "type": "message", "text": "hello" });
    for (deed, code) in [
        (Deed::Answer(400), "BotRejectedActivity"),
        (Deed::Answer(403), "BotRejectedActivity"),
        (Deed::Answer(500), "BotError"),
        (Deed::Answer(302), "BotError"),
        (Deed::Panic, "BotError"),
    ] {
        site.deed(deed);
        let reply = site.post(&path, Some(&chat.token), message.clone()).await;
        assert_eq!(reply.refusal(), refused(502, code));
    }
    for status in [200, 202, 204] {
        site.deed(Deed::Answer(status));
        site.post(&path, Some(&chat.token), message.clone()).await.ok();
    }
    assert_eq!(site.activities(&chat, "").await.0.len(), 8);
}

#[tokio::test]
async fn a_slow_bot_is_502_and_its_turn_goes_on() {
    let mut site = Site::with(|options| options.limits.bot_timeout = Duration::ZERO).await;
    let chat = site.conversation().await;
    let permits = Arc::new(Semaphore::new(0));
    site.deed(Deed::WaitFor(Arc::clone(&permits)));
    let message = json!({ "type": "message", "text": "hello" });
    let reply = site
        .post(&format!("{}/activities", chat.path()), Some(&chat.token), message)
        .await;
    assert_eq!(reply.refusal(), refused(502, "BotError"));
    site.delivered_message().await;
    permits.add_permits(1);
    site.channel.close().await;
    assert_eq!(permits.available_permits(), 0, "the turn took its permit");
}

#[tokio::test]
async fn without_a_bot_a_message_is_kept_and_502() {
    let clock = tidings_store::ManualClock::default();
    let database = tidings_store::Database::open(place()).unwrap();
    let options = tidings_directline::DirectLineOptions::new(
        tidings_directline::BaseUrl::fixed("http://127.0.0.1:1"),
        tidings_activity::ChannelAccount::new("bot", "Bot"),
    );
    let lonely = tidings_directline::DirectLine::open(database.clone(), options)
        .await
        .unwrap();
    let mut site = Site::on(database, clock, |_| ()).await;
    let chat = site.conversation().await;
    let request = http::Request::post(format!("{}/activities", chat.path()))
        .header("authorization", format!("Bearer {}", chat.token))
        .body(axum::body::Body::from(r#"{"type":"message","text":"anybody?"}"#))
        .unwrap();
    // The same database, so the same key; but the system's clock, by which the token is long expired.
    let response = tower::ServiceExt::oneshot(lonely.router(), request)
        .await
        .unwrap();
    assert_eq!(response.status(), 403);
    let request = http::Request::post(format!("{}/activities", chat.path()))
        .body(axum::body::Body::from(r#"{"type":"message","text":"anybody?"}"#))
        .unwrap();
    let response = tower::ServiceExt::oneshot(lonely.router(), request)
        .await
        .unwrap();
    assert_eq!(response.status(), 502);
    assert_eq!(lonely.history(&chat.id).await.unwrap().unwrap().len(), 1);
}

#[tokio::test]
async fn unreadable_activities_are_refused_by_the_name_of_the_field() {
    let mut site = Site::new().await;
    let chat = site.conversation().await;
    let path = format!("{}/activities", chat.path());
    let deep = format!(
        r#"{{"type":"message","value":{}{}}}"#,
        "[".repeat(200),
        "]".repeat(200)
    );
    for (body, code, named) in [
        ("", "MalformedData", ""),
        (r#"{"type":"message""#, "MalformedData", ""),
        ("[]", "MalformedData", ""),
        ("null", "MalformedData", ""),
        (r#"{"text":"hello"}"#, "MissingProperty", "type"),
        (r#"{"type":7}"#, "BadArgument", "type"),
        (r#"{"type":"message","from":{"id":7}}"#, "BadArgument", "from.id"),
        (
            r#"{"type":"message","attachments":{}}"#,
            "BadArgument",
            "attachments",
        ),
        (r#"{"type":"message","text":"\u0000"}"#, "MalformedData", "text"),
        (
            r#"{"type":"message","channelData":{"x":"\ud800"}}"#,
            "MalformedData",
            "channelData",
        ),
        (deep.as_str(), "MalformedData", "value"),
        (r#"{"type":"conversationUpdate"}"#, "BadArgument", "type"),
        (r#"{"type":"trace"}"#, "BadArgument", "type"),
    ] {
        let reply = site
            .call_text(Method::POST, &path, Some(&chat.token), body.to_owned())
            .await;
        assert_eq!(reply.refusal(), refused(400, code), "{body}");
        assert!(reply.message().contains(named), "{body}: {}", reply.message());
    }
    let invalid_utf8 = site
        .call_text(Method::POST, &path, Some(&chat.token), vec![b'"', 0xff, b'"'])
        .await;
    assert_eq!(invalid_utf8.refusal(), refused(400, "MalformedData"));
    assert!(site.channel.history(&chat.id).await.unwrap().unwrap().is_empty());
}

#[tokio::test]
async fn somebody_must_speak_and_nobody_as_the_bot_or_as_a_reserved_id() {
    let mut site = Site::new().await;
    let started = site
        .post("/v3/directline/conversations", None, json!({}))
        .await
        .json();
    let path = format!(
        "/v3/directline/conversations/{}/activities",
        started["conversationId"].as_str().unwrap()
    );
    let token = started["token"].as_str();
    let from = |from: Value| json!({ "type": "message", "text": "hello", "from": from });
    assert_eq!(
        site.post(&path, token, json!({ "type": "message" }))
            .await
            .refusal(),
        refused(400, "MissingProperty")
    );
    assert_eq!(
        site.post(&path, token, from(json!({ "id": "" }))).await.refusal(),
        refused(400, "MissingProperty")
    );
    assert_eq!(
        site.post(&path, token, from(json!({ "id": "dl_bob" })))
            .await
            .refusal(),
        refused(400, "BadArgument")
    );
    assert_eq!(
        site.post(&path, token, from(json!({ "id": "bot" })))
            .await
            .refusal(),
        refused(400, "BadArgument")
    );
    let long = |length: usize| from(json!({ "id": "x".repeat(length) }));
    assert_eq!(
        site.post(&path, token, long(257)).await.refusal(),
        refused(400, "BadArgument")
    );
    site.post(&path, token, long(256)).await.ok();
    // Whoever holds the secret, in local mode everybody who says nothing, may speak as anyone.
    site.post(&path, None, from(json!({ "id": "dl_bob" }))).await.ok();
    assert_eq!(
        site.delivered_message().await.from.unwrap().id.unwrap().len(),
        256
    );
}

#[tokio::test]
async fn typing_and_invoke_reach_the_bot_and_no_history() {
    let mut site = Site::new().await;
    let chat = site.conversation().await;
    for kind in ["typing", "invoke", "event"] {
        let activity = json!({ "type": kind, "name": "n", "from": { "id": "dl_ann" } });
        site.post(
            &format!("{}/activities", chat.path()),
            Some(&chat.token),
            activity,
        )
        .await
        .ok();
        assert_eq!(site.delivered().await.kind.as_str(), kind);
    }
    let (kept, _) = site.activities(&chat, "").await;
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0]["type"], "event");
}
