//! Each limit: at, below, above.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use jiff::SignedDuration;
use serde_json::json;

use tokio::sync::Semaphore;

use crate::kit::{Chat, Deed, Site, refused, texts};

/// An activity whose JSON has exactly this many characters, each of `filler`.
fn activity_of(characters: usize, filler: char) -> String {
    let frame = r#"{"type":"message","from":{"id":"dl_ann"},"text":""}"#;
    let text: String = std::iter::repeat_n(filler, characters - frame.len()).collect();
    frame.replace(r#""text":"""#, &format!(r#""text":"{text}""#))
}

#[tokio::test]
async fn an_activity_has_at_most_256_k_characters_whatever_their_bytes() {
    let mut site = Site::new().await;
    let chat = site.conversation().await;
    let client = format!("{}/activities", chat.path());
    let most = 256 * 1024;
    for filler in ['a', 'é', '😀'] {
        for path in [client.clone(), chat.connector()] {
            // Four bytes a character are more than the connector side reads.
            if filler == '😀' && path == chat.connector() {
                continue;
            }
            for characters in [most - 1, most] {
                let text = activity_of(characters, filler);
                assert_eq!(
                    site.call_text(Method::POST, &path, None, text).await.status,
                    StatusCode::OK
                );
            }
            let reply = site
                .call_text(Method::POST, &path, None, activity_of(most + 1, filler))
                .await;
            assert_eq!(reply.refusal(), refused(413, "MessageSizeTooBig"));
        }
    }
    let endless = "x".repeat(4 * most + 1);
    assert_eq!(
        site.call_text(Method::POST, &client, None, endless)
            .await
            .refusal(),
        refused(413, "MessageSizeTooBig")
    );
}

#[tokio::test]
async fn a_connector_body_has_at_most_1_mib() {
    let mut site = Site::new().await;
    let chat = site.conversation().await;
    let history = format!("{}/history", chat.connector());
    let padded = |length: usize| format!(r#"{{"activities":[]{}}}"#, " ".repeat(length - 17));
    for length in [1024 * 1024 - 1, 1024 * 1024] {
        assert_eq!(padded(length).len(), length);
        assert_eq!(
            site.call_text(Method::POST, &history, None, padded(length))
                .await
                .status,
            StatusCode::OK
        );
    }
    let reply = site
        .call_text(Method::POST, &history, None, padded(1024 * 1024 + 1))
        .await;
    assert_eq!(reply.refusal(), refused(413, "MessageSizeTooBig"));
    let huge = site
        .call_text(Method::POST, &chat.connector(), None, vec![b' '; 1024 * 1024 + 1])
        .await;
    assert_eq!(huge.refusal(), refused(413, "MessageSizeTooBig"));
}

#[tokio::test]
async fn a_transcript_has_at_most_a_thousand_activities() {
    let mut site = Site::new().await;
    let chat = site.conversation().await;
    let history = format!("{}/history", chat.connector());
    let transcript = |count: usize| json!({ "activities": vec![json!({ "type": "message" }); count] });
    for count in [999, 1_000] {
        site.post(&history, None, transcript(count)).await.ok();
    }
    let reply = site.post(&history, None, transcript(1_001)).await;
    assert_eq!(reply.refusal(), refused(413, "MessageSizeTooBig"));
    assert_eq!(
        site.channel.history(&chat.id).await.unwrap().unwrap().len(),
        1_999
    );
}

#[tokio::test]
async fn history_keeps_the_newest() {
    let mut site = Site::with(|options| options.limits.history_activities = 5).await;
    let chat = site.conversation().await;
    for number in 1..=5 {
        site.answer(&chat, &format!("{number}")).await;
        assert_eq!(site.activities(&chat, "").await.0.len(), number);
    }
    site.answer(&chat, "6").await;
    let (kept, watermark) = site.activities(&chat, "").await;
    assert_eq!(
        (texts(&kept), watermark.as_str()),
        (["2", "3", "4", "5", "6"].map(str::to_owned).to_vec(), "6")
    );
    assert_eq!(texts(&site.activities(&chat, "4").await.0), ["5", "6"]);
}

#[tokio::test]
async fn history_is_forgotten_after_its_life() {
    let mut site = Site::with(|options| options.limits.history_life = Duration::from_secs(3 * 3_600)).await;
    let chat = site.conversation().await;
    let quiet = site.conversation_of("dl_bob").await;
    site.answer(&chat, "old").await;
    site.answer(&quiet, "old").await;
    site.clock.advance(SignedDuration::from_secs(3 * 3_600));
    let kept = async |chat: &Chat| texts(&site.activities(&renewed(&site, chat).await, "").await.0);
    site.answer(&chat, "at the limit").await;
    assert_eq!(kept(&chat).await, ["old", "at the limit"]);
    site.clock.advance(SignedDuration::from_secs(1));
    for _ in 0..200 {
        site.answer(&chat, "new").await;
    }
    assert!(!kept(&chat).await.contains(&"old".to_owned()));
    assert_eq!(kept(&quiet).await, ["old"], "nobody has looked yet");
    site.clock.advance(SignedDuration::from_hours(1));
    site.post("/v3/directline/conversations", None, json!({}))
        .await
        .json();
    assert_eq!(kept(&quiet).await, Vec::<String>::new());
    site.answer(&quiet, "the conversation lives").await;
}

#[tokio::test]
async fn the_bot_has_so_many_activities_in_hand_and_no_more() {
    let mut site = Site::with(|options| {
        options.limits.deliveries = 2;
        options.limits.bot_timeout = Duration::ZERO;
    })
    .await;
    let chat = site.conversation().await;
    let path = format!("{}/activities", chat.path());
    let permits = Arc::new(Semaphore::new(0));
    let message = json!({ "type": "message", "text": "x" });
    for _ in 0..2 {
        site.deed(Deed::WaitFor(Arc::clone(&permits)));
        let slow = site.post(&path, Some(&chat.token), message.clone()).await;
        assert_eq!(slow.refusal(), refused(502, "BotError"));
    }
    let full = site.post(&path, Some(&chat.token), message.clone()).await;
    assert_eq!(full.refusal(), refused(429, "LimitExceeded"));
    assert_eq!(full.headers["retry-after"], "1");
    assert_eq!(site.channel.history(&chat.id).await.unwrap().unwrap().len(), 2);
    permits.add_permits(2);
    site.channel.close().await;
    assert_eq!(permits.available_permits(), 0);
}

/// The chat with a token that has not expired.
async fn renewed(site: &Site, chat: &Chat) -> Chat {
    let answer = site.get(&chat.path(), None).await.ok();
    Chat {
        id: chat.id.clone(),
        token: answer["token"].as_str().unwrap().to_owned(),
    }
}

#[tokio::test]
async fn a_conversation_has_so_many_members_and_no_more() {
    let mut site = Site::with(|options| options.limits.members = 3).await;
    let chat = site.conversation_of("dl_ann").await;
    let path = format!("{}/activities", chat.path());
    let said = |user: &str| json!({ "type": "message", "text": "hi", "from": { "id": user } });
    site.post(&path, None, said("third")).await.ok();
    assert_eq!(
        site.post(&path, None, said("fourth")).await.refusal(),
        refused(403, "NotAllowed")
    );
    site.post(&path, None, said("third")).await.ok();
    assert_eq!(site.channel.history(&chat.id).await.unwrap().unwrap().len(), 2);
}
