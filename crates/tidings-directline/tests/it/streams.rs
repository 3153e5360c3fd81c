//! The WebSocket: what comes over it, and when it ends.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use http::StatusCode;
use jiff::SignedDuration;
use serde_json::json;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::kit::{Site, Socket, refused, texts};

#[tokio::test]
async fn a_stream_brings_what_was_said_then_what_is_said() {
    let mut site = Site::new().await;
    let chat = site.conversation().await;
    site.serve().await;
    site.say(&chat, "before").await;
    let mut socket = site.open_stream(&chat, "").await;
    assert_eq!(socket.texts(1).await, (vec!["before".to_owned()], "1".to_owned()));
    site.say(&chat, "during").await;
    let set = socket.set().await.unwrap();
    assert_eq!(set["watermark"], "2");
    assert_eq!(set["activities"][0]["text"], "during");
    assert_eq!(set["activities"][0]["from"]["role"], "user");
    site.answer(&chat, "answer").await;
    assert_eq!(socket.texts(1).await, (vec!["answer".to_owned()], "3".to_owned()));
}

#[tokio::test]
async fn a_reconnecting_stream_goes_on_after_its_watermark() {
    let mut site = Site::new().await;
    let chat = site.conversation().await;
    site.serve().await;
    let mut socket = site.open_stream(&chat, "").await;
    site.answer(&chat, "one").await;
    let (_, watermark) = socket.texts(1).await;
    socket.0.close(None).await.unwrap();
    site.answer(&chat, "two").await;
    site.answer(&chat, "three").await;
    let mut socket = site.open_stream(&chat, &watermark).await;
    assert_eq!(socket.texts(2).await.0, ["two", "three"]);
}

#[tokio::test]
async fn updates_and_deletions_come_as_the_same_id() {
    let mut site = Site::new().await;
    let chat = site.conversation().await;
    site.serve().await;
    let mut socket = site.open_stream(&chat, "").await;
    let id = site.answer(&chat, "draft").await;
    socket.texts(1).await;
    let path = format!("{}/{}", chat.connector(), id.replace('|', "%7C"));
    site.call(
        http::Method::PUT,
        &path,
        None,
        Some(json!({ "type": "message", "text": "final" })),
    )
    .await
    .ok();
    let set = socket.set().await.unwrap();
    assert_eq!(
        (&set["activities"][0]["id"], &set["activities"][0]["text"]),
        (&json!(id), &json!("final"))
    );
    site.call(http::Method::DELETE, &path, None, None).await;
    let set = socket.set().await.unwrap();
    assert_eq!(
        (&set["activities"][0]["id"], set["activities"][0].get("text")),
        (&json!(id), None)
    );
}

#[tokio::test]
async fn typing_comes_only_over_the_stream_and_after_what_was_said_before() {
    let mut site = Site::new().await;
    let chat = site.conversation().await;
    site.serve().await;
    let mut socket = site.open_stream(&chat, "").await;
    for text in ["one", "two"] {
        site.answer(&chat, text).await;
        site.post(&chat.connector(), None, json!({ "type": "typing" }))
            .await
            .ok();
    }
    let mut kinds = Vec::new();
    while kinds.len() < 4 {
        let set = socket.set().await.unwrap();
        for activity in set["activities"].as_array().unwrap() {
            let kind = activity["type"].as_str().unwrap().to_owned();
            if kind == "typing" {
                assert!(set.get("watermark").is_none());
                assert_eq!(activity["from"]["role"], "bot");
                assert!(activity["id"].is_string() && activity["timestamp"].is_string());
            }
            kinds.push(kind);
        }
    }
    assert_eq!(kinds.iter().filter(|kind| *kind == "typing").count(), 2);
    assert_eq!(kinds[0], "message");
    assert_eq!(kinds[3], "typing");
    assert_eq!(texts(&site.activities(&chat, "").await.0), ["one", "two"]);
    // The user's own typing is echoed too: Web Chat awaits it like anything it posts.
    let own = json!({ "type": "typing", "channelData": { "clientActivityID": "7" } });
    site.post(&format!("{}/activities", chat.path()), Some(&chat.token), own)
        .await
        .ok();
    let set = socket.set().await.unwrap();
    assert_eq!(set["activities"][0]["channelData"]["clientActivityID"], "7");
    assert_eq!(set["activities"][0]["from"]["role"], "user");
}

#[tokio::test]
async fn a_newer_stream_closes_the_older_one() {
    let mut site = Site::new().await;
    let chat = site.conversation().await;
    let other = site.conversation_of("dl_bob").await;
    site.serve().await;
    let mut bystander = site.open_stream(&other, "").await;
    let mut older = site.open_stream(&chat, "").await;
    site.answer(&chat, "one").await;
    older.texts(1).await;
    let mut newer = site.open_stream(&chat, "1").await;
    assert_eq!(older.close_frame().await, (1008, "Collision".to_owned()));
    assert!(older.frame().await.is_none());
    site.answer(&chat, "two").await;
    assert_eq!(newer.texts(1).await.0, ["two"]);
    site.answer(&other, "undisturbed").await;
    assert_eq!(bystander.texts(1).await.0, ["undisturbed"]);
}

#[tokio::test]
async fn empty_frames_keep_a_stream_alive_both_ways() {
    let mut site = Site::with(|options| options.limits.keep_alive = Duration::from_millis(1)).await;
    let chat = site.conversation().await;
    site.serve().await;
    let mut socket = site.open_stream(&chat, "").await;
    for _ in 0..3 {
        assert_eq!(socket.frame().await, Some(Message::text("")));
        socket.0.send(Message::text("")).await.unwrap();
    }
    socket.0.send(Message::text("{}")).await.unwrap();
    site.answer(&chat, "still here").await;
    assert_eq!(socket.texts(1).await.0, ["still here"]);
}

#[tokio::test]
async fn what_a_client_sends_over_a_stream_has_at_most_16_kib() {
    let mut site = Site::new().await;
    let chat = site.conversation().await;
    site.serve().await;
    for (size, lives) in [(16 * 1024 - 1, true), (16 * 1024, true), (16 * 1024 + 1, false)] {
        let mut socket = site.open_stream(&chat, "").await;
        socket.0.send(Message::text("x".repeat(size))).await.unwrap();
        if lives {
            site.answer(&chat, "still here").await;
            assert!(socket.set().await.is_some(), "{size}");
        } else {
            while socket.frame().await.is_some() {}
        }
    }
}

#[tokio::test]
async fn a_stream_url_is_good_for_a_minute_and_for_one_conversation() {
    let mut site = Site::new().await;
    let chat = site.conversation().await;
    let other = site.conversation_of("dl_bob").await;
    site.serve().await;
    let url = site.stream_url(&chat, "").await;
    site.clock.advance(SignedDuration::from_secs(59));
    Socket::open(&url).await;
    site.clock.advance(SignedDuration::from_secs(1));
    assert_eq!(refusal_of(&url).await, refused(403, "TokenExpired"));
    let url = site.stream_url(&chat, "").await;
    for (wrong, expected) in [
        (url.replace(&chat.id, &other.id), refused(403, "NotAllowed")),
        (
            url.split("&t=").next().unwrap().to_owned(),
            refused(401, "Unauthorized"),
        ),
        (
            format!("{}&t={}", url.split("&t=").next().unwrap(), chat.token),
            refused(403, "NotAllowed"),
        ),
        (
            url.replace("watermark=-", "watermark=x"),
            refused(400, "BadArgument"),
        ),
    ] {
        assert_eq!(refusal_of(&wrong).await, expected, "{wrong}");
    }
    let path = url
        .split_once("/v3")
        .map(|(_, path)| format!("/v3{path}"))
        .unwrap();
    assert_eq!(
        site.get(&path, None).await.refusal(),
        refused(400, "BadArgument"),
        "no upgrade"
    );
}

#[tokio::test]
async fn the_farewell_of_a_client_is_answered() {
    let mut site = Site::new().await;
    let chat = site.conversation().await;
    site.serve().await;
    let mut socket = site.open_stream(&chat, "").await;
    let farewell = CloseFrame {
        code: CloseCode::Normal,
        reason: "bye".into(),
    };
    socket.0.close(Some(farewell.clone())).await.unwrap();
    let answer = socket.0.next().await.unwrap().unwrap();
    assert_eq!(answer, Message::Close(Some(farewell)));
    assert!(socket.0.next().await.is_none());
}

#[tokio::test]
async fn there_are_as_many_streams_as_allowed_and_a_place_is_free_again_after_one_ends() {
    let mut site = Site::with(|options| options.limits.sockets = 2).await;
    let chats = [
        site.conversation().await,
        site.conversation().await,
        site.conversation().await,
    ];
    site.serve().await;
    let mut first = site.open_stream(&chats[0], "").await;
    let _second = site.open_stream(&chats[1], "").await;
    let url = site.stream_url(&chats[2], "").await;
    assert_eq!(refusal_of(&url).await, refused(429, "LimitExceeded"));
    first.0.close(None).await.unwrap();
    while first.frame().await.is_some() {}
    opened(&url).await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_dropped_and_finds_everything_when_it_returns() {
    let mut site = Site::with(|options| {
        options.limits.write_timeout = Duration::from_millis(1);
        options.limits.sockets = 1;
    })
    .await;
    let chat = site.conversation().await;
    let other = site.conversation_of("dl_bob").await;
    site.serve().await;
    let mut slow = site.open_stream(&chat, "").await;
    // More than the kernel's buffers of one connection hold.
    let long = "x".repeat(200_000);
    for _ in 0..150 {
        site.answer(&chat, &long).await;
    }
    let url = site.stream_url(&other, "").await;
    opened(&url).await;
    let mut seen = 0;
    let mut watermark = String::new();
    while let Some(set) = slow.set().await {
        seen += set["activities"].as_array().unwrap().len();
        watermark = set["watermark"].as_str().unwrap().to_owned();
    }
    assert!(seen < 150, "it was dropped before the end");
    let mut rest = 150 - seen;
    while rest > 0 {
        let (more, next) = site.activities(&chat, &watermark).await;
        assert!(!more.is_empty());
        rest -= more.len();
        watermark = next;
    }
}

#[tokio::test]
async fn closing_the_channel_closes_its_streams() {
    let mut site = Site::new().await;
    let chat = site.conversation().await;
    site.serve().await;
    let mut socket = site.open_stream(&chat, "").await;
    let (closing, ()) = tokio::join!(socket.close_frame(), site.channel.close());
    assert_eq!(closing, (1001, "The server is shutting down".to_owned()));
}

/// Opens a stream as soon as there is a place for it, which is given back just after the last byte of another.
async fn opened(url: &str) {
    let freed = async { while tokio_tungstenite::connect_async(url).await.is_err() {} };
    tokio::time::timeout(crate::kit::LOST, freed).await.unwrap();
}

/// The refusal of an upgrade.
async fn refusal_of(url: &str) -> (u16, String) {
    let Err(Error::Http(response)) = tokio_tungstenite::connect_async(url).await else {
        panic!("the upgrade is refused")
    };
    let status: StatusCode = response.status();
    let body: serde_json::Value = serde_json::from_slice(response.body().as_deref().unwrap()).unwrap();
    (
        status.as_u16(),
        body["error"]["code"].as_str().unwrap().to_owned(),
    )
}
