//! What goes wrong on demand.

use std::time::Duration;

use serde_json::json;
use tidings_directline::Fault;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::kit::{Site, refused};

#[tokio::test]
async fn queued_answers_come_in_order_and_nothing_is_done() {
    let mut site = Site::new().await;
    let chat = site.conversation().await;
    let faults = site.channel.faults();
    faults.push(Fault::too_many_requests(Duration::from_millis(1_500)));
    faults.push(Fault::status(503));
    faults.push(Fault::Answer {
        status: 404,
        retry_after: None,
        code: Some("ConversationNotFound".to_owned()),
    });
    faults.push(Fault::status(9_999));
    let path = chat.connector();
    let send = || site.post(&path, None, json!({ "type": "message", "text": "x" }));
    let first = send().await;
    assert_eq!(first.refusal(), refused(429, "ServiceError"));
    assert_eq!(first.headers["retry-after"], "2");
    assert_eq!(send().await.refusal(), refused(503, "ServiceError"));
    assert_eq!(send().await.refusal(), refused(404, "ConversationNotFound"));
    assert_eq!(send().await.refusal(), refused(500, "ServiceError"));
    assert_eq!(site.channel.history(&chat.id).await.unwrap().unwrap().len(), 0);
    send().await.ok();
    assert_eq!(faults.waiting(), 0);
}

#[tokio::test]
async fn clients_are_spared() {
    let mut site = Site::new().await;
    let chat = site.conversation().await;
    site.channel.faults().push(Fault::status(503));
    site.say(&chat, "hello").await;
    assert_eq!(site.channel.faults().waiting(), 1);
    site.channel.faults().clear();
    site.answer(&chat, "hello").await;
}

#[tokio::test]
async fn a_lost_answer_is_carried_out_first() {
    let mut site = Site::new().await;
    let chat = site.conversation().await;
    site.channel
        .faults()
        .push(Fault::AcceptThenAnswer { status: 500 });
    let reply = site
        .post(&chat.connector(), None, json!({ "type": "message", "text": "x" }))
        .await;
    assert_eq!(reply.refusal(), refused(500, "ServiceError"));
    assert_eq!(site.channel.history(&chat.id).await.unwrap().unwrap().len(), 1);
}

#[tokio::test]
async fn a_dropped_connection_has_not_one_byte() {
    let mut site = Site::new().await;
    let chat = site.conversation().await;
    let address = site.serve().await;
    for (fault, kept) in [(Fault::Disconnect, 0), (Fault::AcceptThenDisconnect, 1)] {
        site.channel.faults().push(fault);
        let mut connection = tokio::net::TcpStream::connect(&address).await.unwrap();
        let body = r#"{"type":"message","text":"x"}"#;
        let request = format!(
            "POST {} HTTP/1.1\r\nhost: {address}\r\ncontent-length: {}\r\n\r\n{body}",
            chat.connector(),
            body.len()
        );
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _reset_or_end = connection.read_to_end(&mut answer).await;
        assert_eq!(String::from_utf8_lossy(&answer), "");
        assert_eq!(site.channel.history(&chat.id).await.unwrap().unwrap().len(), kept);
    }
}

#[tokio::test]
async fn latency_and_delay_only_take_time() {
    let mut site = Site::new().await;
    let chat = site.conversation().await;
    site.channel.faults().set_latency(Some(Duration::from_millis(1)));
    site.channel.faults().push(Fault::Delay(Duration::from_millis(1)));
    site.answer(&chat, "late").await;
    site.channel.faults().set_latency(None);
    assert_eq!(site.channel.history(&chat.id).await.unwrap().unwrap().len(), 1);
}
