//! Turns that take longer than a channel waits: 202, and a restart goes on with them.

use std::time::Duration;

use serde_json::json;
use tidings_server::{Config, Server};

use crate::harness::{Gatekeeper, Host, PATIENCE, channel, database, message, read};

/// A server whose turns are slow at once, since none of them ends by itself.
async fn start(folder: &std::path::Path, bot: Gatekeeper) -> Server {
    let config = Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        database: database(folder),
        ..Config::default()
    };
    let set_up = |adapter: tidings_bot::AdapterBuilder| adapter.slow_turn_after(Duration::ZERO);
    Server::bind_with(&config, bot, set_up).await.unwrap()
}

async fn post(base: &str, activity: &serde_json::Value) -> reqwest::Response {
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(PATIENCE)
        .build()
        .unwrap();
    let request = client.post(format!("{base}/api/messages"));
    let request = request.header("content-type", "application/json");
    request.body(activity.to_string()).send().await.unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap()
}

#[test]
fn a_slow_turn_is_answered_202_and_survives_the_end_of_its_process() {
    let folder = tempfile::tempdir().unwrap();
    let other = runtime();
    let channel = other.block_on(channel(200));
    let slow = message(&channel.uri(), "slow");

    // As if it were killed: its tasks get no further and nothing is told to end.
    let killed = runtime();
    killed.block_on(async {
        let bot = Gatekeeper::new();
        let server = start(folder.path(), bot.clone()).await;
        let base = server.base_url().to_owned();
        tokio::spawn(server.run(std::future::pending()));
        let (status, body) = read(post(&base, &slow).await).await;
        assert_eq!((status, body), (202, serde_json::Value::Null));
        bot.wait().await;
    });
    drop(killed);
    assert!(other.block_on(channel.received_requests()).unwrap().is_empty());

    runtime().block_on(async {
        let bot = Gatekeeper::new();
        let server = start(folder.path(), bot.clone()).await;
        let base = server.base_url().to_owned();
        let stop = tokio_util::sync::CancellationToken::new();
        let running = tokio::spawn(server.run(stop.clone().cancelled_owned()));
        bot.wait().await;
        // The channel delivers again what it was told is safe.
        assert_eq!(post(&base, &slow).await.status(), 202);
        bot.go_on.notify_one();
        stop.cancel();
        tokio::time::timeout(PATIENCE, running).await.unwrap().unwrap();
    });
    let sent = other.block_on(channel.received_requests()).unwrap();
    assert_eq!(sent.len(), 1);
    let reply: serde_json::Value = sent[0].body_json().unwrap();
    assert_eq!(
        (&reply["text"], &reply["replyToId"]),
        (&json!("done waiting"), &slow["id"])
    );
}

#[tokio::test]
async fn a_redelivery_after_a_restart_starts_no_second_turn() {
    let channel = channel(200).await;
    let activity = message(&channel.uri(), "hello");
    let host = Host::start(crate::harness::bot()).await;
    assert_eq!(host.post(&activity).await.status(), 200);
    let host = host.restart(crate::harness::bot()).await;
    assert_eq!(host.post(&activity).await.status(), 200);
    host.stop().await;
    assert_eq!(channel.received_requests().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_message_of_the_local_channel_is_taken_when_its_turn_is_slow() {
    let (folder, bot) = (tempfile::tempdir().unwrap(), Gatekeeper::new());
    let server = start(folder.path(), bot.clone()).await;
    let base = server.base_url().to_owned();
    let running = tokio::spawn(server.run(std::future::pending()));
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(PATIENCE)
        .build()
        .unwrap();
    let conversations = format!("{base}/v3/directline/conversations");
    let (_, opened) = read(client.post(&conversations).send().await.unwrap()).await;
    let (id, token) = (
        opened["conversationId"].as_str().unwrap(),
        opened["token"].as_str().unwrap(),
    );
    let hello = json!({ "type": "message", "from": { "id": "user" }, "text": "hello" });
    let post = client.post(format!("{conversations}/{id}/activities"));
    let post = post.bearer_auth(token).header("content-type", "application/json");
    let answer = post.body(hello.to_string()).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.status());
    running.abort();
}
