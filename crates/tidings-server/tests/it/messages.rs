//! What `POST /api/messages` answers to turns that are well formed.

use serde_json::{Value, json};

use crate::harness::{Host, bot, channel, message, read};

#[tokio::test]
async fn a_turn_is_answered_with_an_empty_200_and_the_reply_goes_to_the_channel() {
    let host = Host::start(bot()).await;
    let channel = channel(200).await;
    let mut activity = message(&channel.uri(), "hello");
    activity["id"] = json!("a/b ?#%");
    let (status, body) = read(host.post(&activity).await).await;
    assert_eq!((status, body), (200, Value::Null));
    let calls = channel.received_requests().await.unwrap();
    assert_eq!(calls.len(), 1);
    assert_eq!(
        calls[0].url.path(),
        "/v3/conversations/conversation/activities/a%2Fb%20%3F%23%25"
    );
    let reply: Value = calls[0].body_json().unwrap();
    assert_eq!(reply["text"], "echo hello");
    let agent = calls[0].headers.get("user-agent").unwrap().to_str().unwrap();
    assert!(
        agent.starts_with("Microsoft-BotFramework/3.1 tidings/"),
        "{agent}"
    );
}

#[tokio::test]
async fn expect_replies_come_in_the_body() {
    let host = Host::start(bot()).await;
    let channel = channel(200).await;
    let mut activity = message(&channel.uri(), "hello");
    activity["deliveryMode"] = json!("expectReplies");
    let response = host.post(&activity).await;
    assert_eq!(
        response.headers()["content-type"],
        "application/json; charset=utf-8"
    );
    let (status, body) = read(response).await;
    assert_eq!(status, 200);
    assert_eq!(body["activities"][0]["text"], "echo hello");
    assert!(channel.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn an_invoke_nobody_handles_is_501() {
    let host = Host::start(bot()).await;
    let mut activity = message("http://127.0.0.1:1", "");
    activity["type"] = json!("invoke");
    activity["name"] = json!("no/such");
    assert_eq!(host.post(&activity).await.status(), 501);
}

#[tokio::test]
async fn a_failed_turn_is_a_500_with_a_json_error() {
    let host = Host::start(bot()).await;
    for text in ["fail", "panic"] {
        let (status, body) = read(host.post(&message("http://127.0.0.1:1", text)).await).await;
        assert_eq!(status, 500, "{text}");
        assert!(body["error"]["code"].is_string(), "{body}");
        assert!(!body.to_string().contains("the handler's own words"), "{body}");
    }
    assert_eq!(
        host.post(&message("http://127.0.0.1:1", "quiet")).await.status(),
        200
    );
}

#[tokio::test]
async fn a_caller_that_hangs_up_does_not_end_the_turn() {
    use crate::harness::Gatekeeper;
    use crate::raw_http::RawConnection;

    let gatekeeper = Gatekeeper::new();
    let host = Host::start(gatekeeper.clone()).await;
    let channel = channel(200).await;
    let body = message(&channel.uri(), "hello").to_string();
    let mut caller = RawConnection::open(&host).await;
    let head = format!(
        "POST /api/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    caller.write(format!("{head}{body}").as_bytes()).await;
    gatekeeper.wait().await;
    drop(caller);
    // The server has noticed once a request on a later connection was answered.
    assert_eq!(host.get("/healthz").await.status(), 200);
    gatekeeper.go_on.notify_one();
    host.stop().await;
    assert_eq!(channel.received_requests().await.unwrap().len(), 1);
}
