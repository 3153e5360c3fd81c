//! The end: running turns finish, nothing new begins, streams and sockets close.

use std::time::Duration;

use tidings_server::Config;

use crate::harness::{Gatekeeper, Host, bot, channel, message, read};

#[tokio::test]
async fn a_running_turn_finishes_and_nothing_new_begins() {
    let gatekeeper = Gatekeeper::new();
    let host = Host::start(gatekeeper.clone()).await;
    let channel = channel(200).await;
    let first = message(&channel.uri(), "hello");
    let running = async { host.post(&first).await.status() };
    let meanwhile = async {
        gatekeeper.wait().await;
        host.begin_stop();
        let mut other = message(&channel.uri(), "hello");
        other["conversation"]["id"] = "another".into();
        // The stop may be a moment behind; turns that came before it wait as the first does.
        loop {
            let response = tokio::select! {
                response = host.post(&other) => response,
                () = gatekeeper.wait() => continue,
            };
            let (status, body) = read(response).await;
            assert_eq!((status, &body["error"]["code"]), (503, &"ShuttingDown".into()));
            break;
        }
        gatekeeper.go_on.notify_waiters();
        gatekeeper.go_on.notify_one();
    };
    let (status, ()) = tokio::join!(running, meanwhile);
    assert_eq!(status, 200);
    host.stop().await;
    assert!(!channel.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_turn_that_never_ends_is_cut_off() {
    let gatekeeper = Gatekeeper::new();
    let config = Config {
        shutdown_timeout: Duration::from_millis(50),
        ..Config::default()
    };
    let host = Host::start_with(gatekeeper.clone(), config).await;
    let request = host.client.post(format!("{}/api/messages", host.base));
    let request = tokio::spawn(
        request
            .body(message("http://127.0.0.1:1", "hello").to_string())
            .send(),
    );
    gatekeeper.wait().await;
    host.stop().await;
    request.abort();
}

#[tokio::test]
async fn an_idle_server_stops_at_once() {
    let host = Host::start(bot()).await;
    // A connection that is kept alive does not hold it up.
    assert_eq!(host.get("/healthz").await.status(), 200);
    host.stop().await;
}
