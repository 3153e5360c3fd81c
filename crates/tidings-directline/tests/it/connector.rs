//! The connector side: what a bot sends, changes, and asks.

use http::{Method, Request, StatusCode};
use serde_json::{Value, json};

use crate::kit::{Site, refused, texts};

#[tokio::test]
async fn what_the_bot_sends_is_the_bots_whatever_it_claims() {
    let mut site = Site::new().await;
    let chat = site.conversation().await;
    let activity = json!({
        "type": "message", "id": "mine", "text": "hello", "timestamp": "2001-01-01T00:00:00Z", "channelId": "msteams",
        "from": { "id": "other", "role": "user" }, "recipient": { "id": "dl_ann" },
        "conversation": { "id": "another" }, "serviceUrl": "http://evil.example", "inputHint": "acceptingInput",
        "attachments": [], "channelData": { "x": 1.0 },
    });
    let sent = site.post(&chat.connector(), None, activity).await.ok();
    let id = format!("{}|0000001", chat.id);
    assert_eq!(sent, json!({ "id": id }));
    let (activities, _) = site.activities(&chat, "").await;
    assert_eq!(
        activities,
        [json!({
            "type": "message", "id": id, "text": "hello", "timestamp": "1970-01-01T00:00:00.000Z",
            "channelId": "directline", "from": { "id": "bot", "name": "Bot", "role": "bot" },
            "conversation": { "id": chat.id }, "inputHint": "acceptingInput", "attachments": [],
            "channelData": { "x": 1.0 },
        })]
    );
}

#[tokio::test]
async fn a_reply_names_what_it_answers_and_may_answer_what_never_was() {
    let mut site = Site::new().await;
    let chat = site.conversation().await;
    let said = site.say(&chat, "question").await;
    let path = format!("{}/{}", chat.connector(), said.replace('|', "%7C"));
    site.post(&path, None, json!({ "type": "message", "text": "answer" }))
        .await
        .ok();
    let continuation = format!("{}/9f0c-guid", chat.connector());
    let explicit = json!({ "type": "message", "text": "news", "replyToId": "elsewhere" });
    site.post(&continuation, None, explicit).await.ok();
    let (activities, _) = site.activities(&chat, "1").await;
    assert_eq!(activities[0]["replyToId"], said);
    assert_eq!(activities[1]["replyToId"], "elsewhere");
}

#[tokio::test]
async fn an_update_is_the_same_activity_once_more_in_its_old_place_in_time() {
    let mut site = Site::new().await;
    let chat = site.conversation().await;
    let first = site.answer(&chat, "draft").await;
    site.answer(&chat, "second").await;
    let (before, watermark) = site.activities(&chat, "").await;
    site.clock.advance(jiff::SignedDuration::from_secs(5));
    let path = format!("{}/{}", chat.connector(), first.replace('|', "%7C"));
    let changed = json!({ "type": "message", "id": first, "text": "final" });
    assert_eq!(
        site.call(Method::PUT, &path, None, Some(changed)).await.ok(),
        json!({ "id": first })
    );

    let (news, _) = site.activities(&chat, &watermark).await;
    assert_eq!(texts(&news), ["final"]);
    assert_eq!(
        (&news[0]["id"], &news[0]["timestamp"]),
        (&before[0]["id"], &before[0]["timestamp"])
    );
    assert_eq!(
        texts(&site.activities(&chat, "").await.0),
        ["second", "final"],
        "each once, as it is now"
    );
    let history = site.channel.history(&chat.id).await.unwrap().unwrap();
    assert_eq!(history[0].text.as_deref(), Some("final"), "in the order of ids");
    assert_eq!(site.answer(&chat, "third").await, format!("{}|0000004", chat.id));
}

#[tokio::test]
async fn a_deleted_activity_is_an_empty_message_to_those_who_may_have_seen_it() {
    let mut site = Site::new().await;
    let chat = site.conversation().await;
    let id = site.answer(&chat, "a slip").await;
    let (_, seen) = site.activities(&chat, "").await;
    let path = format!("{}/{}", chat.connector(), id.replace('|', "%7C"));
    let deleted = site.call(Method::DELETE, &path, None, None).await;
    assert_eq!((deleted.status, deleted.bytes.len()), (StatusCode::OK, 0));

    let (news, watermark) = site.activities(&chat, &seen).await;
    assert_eq!(news.len(), 1);
    assert_eq!(
        (&news[0]["id"], &news[0]["type"]),
        (&json!(id), &json!("message"))
    );
    assert!(news[0].get("text").is_none() && news[0].get("attachments").is_none());
    assert_eq!(site.activities(&chat, "").await.0, Vec::<Value>::new());
    assert_eq!(site.activities(&chat, &watermark).await.0, Vec::<Value>::new());
    assert_eq!(site.channel.history(&chat.id).await.unwrap().unwrap(), []);
    let again = site.call(Method::DELETE, &path, None, None).await;
    assert_eq!(again.refusal(), refused(404, "ActivityNotFoundInConversation"));
    let update = site
        .call(Method::PUT, &path, None, Some(json!({ "type": "message" })))
        .await;
    assert_eq!(update.refusal(), refused(404, "ActivityNotFoundInConversation"));
}

#[tokio::test]
async fn only_the_bots_own_activities_change_and_only_under_their_id() {
    let mut site = Site::new().await;
    let chat = site.conversation().await;
    let users = site.say(&chat, "mine").await;
    let own = site.answer(&chat, "own").await;
    let path = |id: &str| format!("{}/{}", chat.connector(), id.replace('|', "%7C"));
    let message = |id: Option<&str>| Some(json!({ "type": "message", "id": id, "text": "x" }));
    let put = |path: String, body| site.call(Method::PUT, Box::leak(path.into_boxed_str()), None, body);
    assert_eq!(
        put(path(&own), message(Some("other"))).await.refusal(),
        refused(400, "BadArgument")
    );
    assert_eq!(
        put(path(&own), Some(json!({ "type": "typing" }))).await.refusal(),
        refused(400, "BadArgument")
    );
    put(path(&own), message(None)).await.ok();
    put(path(&own), message(Some(&own))).await.ok();
    assert_eq!(
        put(path(&users), message(None)).await.refusal(),
        refused(403, "NotAllowed")
    );
    let unknown = format!("{}|0000099", chat.id);
    for id in [unknown.as_str(), "x", "a%2Fb%3F%23%20"] {
        assert_eq!(
            put(path(id), message(None)).await.refusal(),
            refused(404, "ActivityNotFoundInConversation")
        );
        let delete = site.call(Method::DELETE, &path(id), None, None).await;
        assert_eq!(delete.refusal(), refused(404, "ActivityNotFoundInConversation"));
    }
}

#[tokio::test]
async fn an_unknown_conversation_is_404_on_every_route() {
    let site = Site::new().await;
    let message = || Some(json!({ "type": "message", "text": "x" }));
    let base = "/v3/conversations/no%20such%2Fone";
    for (method, path, body) in [
        (Method::POST, "activities", message()),
        (Method::POST, "activities", Some(json!({ "type": "typing" }))),
        (Method::POST, "activities/a", message()),
        (Method::PUT, "activities/a", message()),
        (Method::DELETE, "activities/a", None),
        (
            Method::POST,
            "activities/history",
            Some(json!({ "activities": [] })),
        ),
        (Method::GET, "activities/a/members", None),
        (Method::GET, "members", None),
        (Method::GET, "members/m", None),
        (Method::DELETE, "members/m", None),
        (Method::GET, "pagedmembers", None),
        (
            Method::POST,
            "attachments",
            Some(json!({ "originalBase64": "eA==" })),
        ),
    ] {
        let reply = site
            .call(method.clone(), &format!("{base}/{path}"), None, body)
            .await;
        assert_eq!(
            reply.refusal(),
            refused(404, "ConversationNotFound"),
            "{method} {path}"
        );
        assert!(reply.message().contains("'no such/one'"), "{}", reply.message());
    }
}

#[tokio::test]
async fn what_is_not_for_users_is_taken_and_not_shown() {
    let mut site = Site::new().await;
    let chat = site.conversation().await;
    for kind in ["trace", "conversationUpdate", "typing"] {
        let sent = site
            .post(&chat.connector(), None, json!({ "type": kind, "name": "n" }))
            .await
            .ok();
        assert!(sent["id"].as_str().unwrap().starts_with(&chat.id));
    }
    for kind in ["event", "endOfConversation", "of tomorrow"] {
        site.post(&chat.connector(), None, json!({ "type": kind, "name": "n" }))
            .await
            .ok();
    }
    let (activities, _) = site.activities(&chat, "").await;
    let kinds: Vec<_> = activities
        .iter()
        .map(|activity| activity["type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["event", "endOfConversation", "of tomorrow"]);
}

#[tokio::test]
async fn unreadable_sends_are_refused() {
    let mut site = Site::new().await;
    let chat = site.conversation().await;
    for (body, code) in [
        ("{", "MalformedData"),
        ("[]", "MalformedData"),
        ("{}", "MissingProperty"),
        (r#"{"type":1}"#, "BadArgument"),
    ] {
        let reply = site.call_text(Method::POST, &chat.connector(), None, body).await;
        assert_eq!(reply.refusal(), refused(400, code), "{body}");
    }
    let history = format!("{}/history", chat.connector());
    assert_eq!(
        site.post(&history, None, json!({})).await.refusal(),
        refused(400, "MissingProperty")
    );
    let untyped = json!({ "activities": [{ "text": "x" }] });
    assert_eq!(
        site.post(&history, None, untyped).await.refusal(),
        refused(400, "MissingProperty")
    );
}

#[tokio::test]
async fn a_delivery_is_kept_once_per_conversation() {
    let mut site = Site::new().await;
    let (ann, bob) = (
        site.conversation_of("dl_ann").await,
        site.conversation_of("dl_bob").await,
    );
    let send = |path: String, delivery: &'static str| {
        let request = Request::post(path)
            .header("x-tidings-delivery", delivery)
            .body(axum::body::Body::from(r#"{"type":"message","text":"once"}"#))
            .unwrap();
        site.send(request)
    };
    let first = send(ann.connector(), "d1").await.ok();
    assert_eq!(send(ann.connector(), "d1").await.ok(), first);
    assert_eq!(send(format!("{}/reply", ann.connector()), "d1").await.ok(), first);
    assert_ne!(send(ann.connector(), "d2").await.ok(), first);
    send(bob.connector(), "d1").await.ok();
    assert_eq!(site.activities(&ann, "").await.0.len(), 2);
    assert_eq!(site.activities(&bob, "").await.0.len(), 1);
    assert_eq!(
        send(ann.connector(), "").await.refusal(),
        refused(400, "BadArgument")
    );
    let long: &'static str = Box::leak("x".repeat(129).into_boxed_str());
    assert_eq!(
        send(ann.connector(), long).await.refusal(),
        refused(400, "BadArgument")
    );
    send(ann.connector(), &long[1..]).await.ok();
}

#[tokio::test]
async fn a_transcript_is_appended_with_its_times_and_speakers() {
    let mut site = Site::new().await;
    let chat = site.conversation().await;
    let transcript = json!({ "activities": [
        { "type": "message", "text": "q", "timestamp": "2020-01-01T00:00:00Z", "from": { "id": "old", "name": "Old" } },
        { "type": "typing", "from": { "id": "bot" } },
        { "type": "message", "text": "a", "from": { "id": "bot" } },
    ]});
    let sent = site
        .post(&format!("{}/history", chat.connector()), None, transcript)
        .await
        .ok();
    assert_eq!(sent, json!({ "id": format!("{}|0000002", chat.id) }));
    let (activities, _) = site.activities(&chat, "").await;
    assert_eq!(texts(&activities), ["q", "a"]);
    assert_eq!(activities[0]["timestamp"], "2020-01-01T00:00:00Z");
    assert_eq!(
        activities[0]["from"],
        json!({ "id": "old", "name": "Old", "role": "user" })
    );
    assert_eq!(activities[1]["from"]["role"], "bot");
    let nothing = site
        .post(
            &format!("{}/history", chat.connector()),
            None,
            json!({ "activities": [] }),
        )
        .await
        .ok();
    assert_eq!(nothing, json!({ "id": "" }));
}

#[tokio::test]
async fn members_are_listed_paged_found_and_removed() {
    let mut site = Site::new().await;
    let started = site
        .post("/v3/directline/conversations", None, json!({}))
        .await
        .json();
    let id = started["conversationId"].as_str().unwrap();
    let base = format!("/v3/conversations/{id}");
    assert_eq!(site.get(&format!("{base}/members"), None).await.ok(), json!([]));
    let odd = "a/b?c#d%e f";
    for user in ["u1", "u2", odd] {
        let message = json!({ "type": "message", "text": "hi", "from": { "id": user, "name": "N" } });
        site.post(
            &format!("/v3/directline/conversations/{id}/activities"),
            None,
            message,
        )
        .await
        .ok();
    }
    let all = site.get(&format!("{base}/members"), None).await.ok();
    let ids: Vec<_> = all
        .as_array()
        .unwrap()
        .iter()
        .map(|member| member["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["bot", "u1", "u2", odd]);
    assert_eq!(all[1], json!({ "id": "u1", "name": "N", "role": "user" }));
    assert_eq!(all[0]["role"], "bot");
    let of_activity = format!("{base}/activities/{id}%7C0000001/members");
    assert_eq!(site.get(&of_activity, None).await.ok(), all);
    let unknown = format!("{base}/activities/{id}%7C0000009/members");
    assert_eq!(
        site.get(&unknown, None).await.refusal(),
        refused(404, "ActivityNotFoundInConversation")
    );

    let mut paged = Vec::new();
    let mut token = String::new();
    loop {
        let path = format!("{base}/pagedmembers?pageSize=3&continuationToken={token}");
        let page = site.get(&path, None).await.ok();
        paged.extend(page["members"].as_array().unwrap().clone());
        let Some(next) = page["continuationToken"].as_str() else {
            break;
        };
        assert_eq!(page["members"].as_array().unwrap().len(), 3);
        token = next.to_owned();
    }
    assert_eq!(Value::from(paged), all);
    let whole = site
        .get(&format!("{base}/pagedmembers?pageSize=4"), None)
        .await
        .ok();
    assert!(whole.get("continuationToken").is_none());
    for (query, accepted) in [
        ("pageSize=0", false),
        ("pageSize=1", true),
        ("pageSize=500", true),
        ("pageSize=501", false),
        ("pageSize=x", false),
        ("continuationToken=!", false),
        ("continuationToken=AA", false),
        ("", true),
    ] {
        let reply = site.get(&format!("{base}/pagedmembers?{query}"), None).await;
        if accepted {
            reply.ok();
        } else {
            assert_eq!(reply.refusal(), refused(400, "BadArgument"), "{query}");
        }
    }

    let member = format!("{base}/members/a%2Fb%3Fc%23d%25e%20f");
    assert_eq!(site.get(&member, None).await.ok()["id"], odd);
    while site.inbox.try_recv().is_ok() {}
    assert_eq!(
        site.call(Method::DELETE, &member, None, None).await.status,
        StatusCode::OK
    );
    let update = site.delivered().await;
    assert_eq!(update.kind, "conversationUpdate");
    assert_eq!(update.members_removed.unwrap()[0].id.as_deref(), Some(odd));
    let gone = refused(404, "MemberNotFoundInConversation");
    assert_eq!(
        site.call(Method::DELETE, &member, None, None).await.refusal(),
        gone
    );
    assert_eq!(site.get(&member, None).await.refusal(), gone);
    let bot = site
        .call(Method::DELETE, &format!("{base}/members/bot"), None, None)
        .await;
    assert_eq!(bot.refusal(), refused(400, "BadArgument"));
}

#[tokio::test]
async fn conversations_are_listed_in_pages_and_never_created() {
    let mut site = Site::new().await;
    assert_eq!(
        site.get("/v3/conversations", None).await.ok(),
        json!({ "conversations": [] })
    );
    let chat = site.conversation().await;
    for _ in 0..100 {
        site.post("/v3/directline/conversations", None, json!({}))
            .await
            .json();
    }
    let page = site.get("/v3/conversations", None).await.ok();
    let first = page["conversations"].as_array().unwrap();
    assert_eq!(first.len(), 100);
    assert_eq!(first[0]["id"], chat.id);
    assert_eq!(first[0]["members"][1]["id"], "dl_ann");
    let token = page["continuationToken"].as_str().unwrap();
    let rest = site
        .get(&format!("/v3/conversations?continuationToken={token}"), None)
        .await
        .ok();
    assert_eq!(rest["conversations"].as_array().unwrap().len(), 1);
    assert!(rest.get("continuationToken").is_none());
    let wrong = site.get("/v3/conversations?continuationToken=x", None).await;
    assert_eq!(wrong.refusal(), refused(400, "BadArgument"));

    let members = json!({ "bot": { "id": "bot" }, "members": [{ "id": "u" }] });
    let create = site.post("/v3/conversations", None, members).await;
    assert_eq!(create.refusal(), refused(405, "NotSupported"));
    assert_eq!(create.headers["allow"], "GET, HEAD");
}
