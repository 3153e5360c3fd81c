//! Connections: as few as there are calls at one time, and never a request twice.

use std::sync::Arc;

use tidings_connector::Phase;
use tokio::sync::{Barrier, Notify};

use crate::raw_server::{RawServer, answer};
use crate::{client, hello};

#[tokio::test]
async fn calls_in_a_row_share_one_connection() {
    let (server, _requests) = RawServer::answering(answer("200 OK", "", r#"{"id":"x"}"#)).await;
    let client = client();
    for _ in 0..20 {
        client
            .send_to_conversation(&server.url, "c", &hello())
            .await
            .expect("sent");
        client
            .clone()
            .delete_activity(&server.url, "c", "a")
            .await
            .expect("deleted");
        client
            .get_conversation_members(&server.url, "c")
            .await
            .expect_err("not a list");
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn an_answered_error_keeps_the_connection() {
    let (server, _requests) = RawServer::answering(answer("500 Oops", "", "<html>")).await;
    let client = client();
    for _ in 0..5 {
        client
            .send_to_conversation(&server.url, "c", &hello())
            .await
            .expect_err("500");
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_are_no_more_connections_than_calls_at_one_time() {
    let (server, _requests) = RawServer::answering(answer("200 OK", "", r#"{"id":"x"}"#)).await;
    let (client, url) = (client(), Arc::new(server.url.clone()));
    let together = Arc::new(Barrier::new(16));
    let callers: Vec<_> = (0..16)
        .map(|_| {
            let (client, url, together) = (client.clone(), Arc::clone(&url), Arc::clone(&together));
            tokio::spawn(async move {
                together.wait().await;
                for _ in 0..100 {
                    client
                        .send_to_conversation(&url, "c", &hello())
                        .await
                        .expect("sent");
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.expect("a caller");
    }
    assert!(server.connections() <= 16, "{} connections", server.connections());
}

#[tokio::test]
async fn a_connection_that_the_server_ends_is_replaced() {
    let server = RawServer::start(|mut wire| async move {
        wire.request().await;
        wire.send(answer("200 OK", "connection: close\r\n", r#"{"id":"x"}"#).as_bytes())
            .await;
    })
    .await;
    let client = client();
    for calls in 1..=5 {
        client
            .send_to_conversation(&server.url, "c", &hello())
            .await
            .expect("sent");
        assert_eq!(server.connections(), calls);
    }
}

#[tokio::test]
async fn a_pooled_connection_that_ends_with_the_request_is_no_reason_to_send_twice() {
    let seen = Arc::new(Notify::new());
    let served = Arc::clone(&seen);
    let server = RawServer::start(move |mut wire| {
        let seen = Arc::clone(&served);
        async move {
            wire.request().await;
            wire.send(answer("200 OK", "", r#"{"id":"x"}"#).as_bytes()).await;
            wire.request().await;
            seen.notify_one();
        }
    })
    .await;
    let client = client();
    client
        .send_to_conversation(&server.url, "c", &hello())
        .await
        .expect("sent");
    let error = client
        .send_to_conversation(&server.url, "c", &hello())
        .await
        .expect_err("closed");
    seen.notified().await;
    assert_eq!((error.phase, error.status), (Phase::AfterBody, None));
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_broken_answer_costs_its_connection_only() {
    let (server, _requests) =
        RawServer::answering("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nnonsense\r\n").await;
    let client = client();
    for calls in 1..=3 {
        client
            .send_to_conversation(&server.url, "c", &hello())
            .await
            .expect("the status says that it was taken");
        assert_eq!(server.connections(), calls);
    }
}

#[tokio::test]
async fn a_call_that_is_given_up_takes_its_connection_along() {
    let (arrived, left) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (here, gone) = (Arc::clone(&arrived), Arc::clone(&left));
    let server = RawServer::start(move |mut wire| {
        let (here, gone) = (Arc::clone(&here), Arc::clone(&gone));
        async move {
            wire.request().await;
            here.notify_one();
            // Never answers; the next thing to read is the end.
            assert!(wire.request().await.is_none());
            gone.notify_one();
        }
    })
    .await;
    let (client, url) = (client(), server.url.clone());
    let call = tokio::spawn(async move { client.send_to_conversation(&url, "c", &hello()).await });
    arrived.notified().await;
    call.abort();
    left.notified().await;
}
