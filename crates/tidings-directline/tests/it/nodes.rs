//! Several nodes on one PostgreSQL database.

use http::{Method, Request};
use serde_json::json;
use tidings_directline::MIGRATIONS;
use tidings_store::test_postgres::TestPostgres;
use tidings_store::{Database, ManualClock};

use crate::kit::{Chat, Site, texts};

/// Two nodes that were started at the same time.
async fn nodes() -> (Site, Site) {
    let place = TestPostgres::shared().options().component(MIGRATIONS);
    let clock = ManualClock::default();
    let node = || Site::on(Database::open(place.clone()).unwrap(), clock.clone(), |_| ());
    tokio::join!(node(), node())
}

/// What the bot says through a node's connector side, under a delivery id.
fn once(chat: &Chat, delivery: &str) -> Request<axum::body::Body> {
    Request::post(chat.connector())
        .header("x-tidings-delivery", delivery)
        .body(axum::body::Body::from(r#"{"type":"message","text":"once"}"#))
        .unwrap()
}

#[tokio::test]
async fn a_conversation_of_one_node_goes_on_at_another() {
    let (mut one, mut two) = nodes().await;
    let chat = one.conversation().await;
    one.say(&chat, "at one").await;
    // The token was signed by the other node: both have the same key.
    two.say(&chat, "at two").await;
    let (activities, watermark) = one.activities(&chat, "").await;
    assert_eq!(texts(&activities), ["at one", "at two"]);
    assert_eq!(watermark, "2");
    let (at_one, at_two) = (one.delivered_message().await, two.delivered_message().await);
    assert_eq!(at_one.text.as_deref(), Some("at one"));
    assert_eq!(at_two.text.as_deref(), Some("at two"));
    assert!(two.inbox.try_recv().is_err(), "nobody joins twice");
}

#[tokio::test]
async fn a_stream_brings_what_is_said_and_changed_at_another_node() {
    let (mut one, two) = nodes().await;
    let chat = one.conversation().await;
    one.serve().await;
    let mut socket = one.open_stream(&chat, "").await;
    let id = two.answer(&chat, "draft").await;
    assert_eq!(socket.texts(1).await, (vec!["draft".to_owned()], "1".to_owned()));
    let path = format!("{}/{}", chat.connector(), id.replace('|', "%7C"));
    let changed = json!({ "type": "message", "text": "final" });
    two.call(Method::PUT, &path, None, Some(changed)).await.ok();
    assert_eq!(socket.texts(1).await, (vec!["final".to_owned()], "2".to_owned()));
    one.answer(&chat, "and here").await;
    assert_eq!(socket.texts(1).await.0, ["and here"]);
}

#[tokio::test]
async fn two_nodes_give_each_activity_a_place_of_its_own() {
    const EACH: usize = 20;
    let (mut one, two) = nodes().await;
    let chat = one.conversation().await;
    let (first, second, to) = (&one, &two, &chat);
    let all = (0..2 * EACH).map(|index| async move {
        let site = if index % 2 == 0 { first } else { second };
        site.send(once(to, &index.to_string())).await.ok()
    });
    let mut ids: Vec<String> = futures_util::future::join_all(all)
        .await
        .into_iter()
        .map(|answer| answer["id"].as_str().unwrap().to_owned())
        .collect();
    ids.sort_unstable();
    let expected: Vec<String> = (1..=2 * EACH)
        .map(|number| format!("{}|{number:07}", chat.id))
        .collect();
    assert_eq!(ids, expected);
    assert_eq!(one.activities(&chat, "").await.1, (2 * EACH).to_string());
}

#[tokio::test]
async fn a_delivery_that_comes_to_two_nodes_is_kept_once() {
    let (mut one, two) = nodes().await;
    let chat = one.conversation().await;
    for delivery in ["7001", "7002", "7003"] {
        let (first, second) = tokio::join!(one.send(once(&chat, delivery)), two.send(once(&chat, delivery)));
        assert_eq!(first.ok(), second.ok(), "{delivery}");
    }
    assert_eq!(one.activities(&chat, "").await.0.len(), 3);
}
