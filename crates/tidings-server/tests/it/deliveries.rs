//! What the API takes and refuses, with the engine behind it.

use serde_json::{Value, json};
use tidings_server::Config;

use crate::harness::{Host, bot, channel, message, read};

/// The conversation is known, because a job was started there.
async fn host(config: Config) -> (Host, wiremock::MockServer) {
    let channel = channel(200).await;
    let host = Host::start_with(bot(), config).await;
    assert_eq!(host.post(&message(&channel.uri(), "run")).await.status(), 200);
    (host, channel)
}

async fn ask(host: &Host, path: &str, body: &Value) -> (u16, Option<String>, Value) {
    let request = host.client.post(format!("{}{path}", host.base));
    let request = request.header("content-type", "application/json");
    let response = request.body(body.to_string()).send().await.unwrap();
    let wait = response.headers().get("retry-after");
    let wait = wait.map(|wait| wait.to_str().unwrap().to_owned());
    let (status, body) = read(response).await;
    (status, wait, body)
}

async fn owe(host: &Host, fields: Value) -> (u16, Option<String>, Value) {
    let mut order = json!({ "conversationId": "conversation" });
    for (name, value) in fields.as_object().unwrap() {
        order[name] = value.clone();
    }
    ask(host, "/api/v1/deliveries", &order).await
}

fn text(text: &str) -> Value {
    json!({ "activity": { "type": "message", "text": text } })
}

#[tokio::test]
async fn what_is_too_large_is_413_and_names_its_field() {
    let (host, _channel) = host(Config::default()).await;
    let limit = 256 * 1024;
    for (length, status) in [(limit - 1, 202), (limit, 202), (limit + 1, 413)] {
        let payload = "x".repeat(length - 2);
        let (got, _, body) = owe(&host, json!({ "handler": "h", "payload": payload })).await;
        assert_eq!(got, status, "{length}");
        if status == 413 {
            assert_eq!(body["error"]["code"], "MessageSizeTooBig");
            assert_eq!(body["error"]["field"], "payload");
            assert!(body["error"]["message"].as_str().unwrap().contains("262144"));
        }
    }
    let envelope = r#"{"type":"message","text":""}"#.len();
    for (more, status) in [(-1, 202), (0, 202), (1, 413)] {
        let letters = (limit / 2 - envelope).checked_add_signed(more).unwrap();
        let (got, _, body) = owe(&host, text(&"x".repeat(letters))).await;
        assert_eq!(got, status, "{more}");
        if status == 413 {
            assert_eq!(body["error"]["field"], "activity");
        }
    }
    host.stop().await;
}

#[tokio::test]
async fn a_full_backlog_is_429_and_says_whose() {
    for (config, part) in [
        (
            Config {
                max_backlog: 2,
                ..Config::default()
            },
            "there",
        ),
        (
            Config {
                max_tenant_backlog: 2,
                ..Config::default()
            },
            "without a tenant",
        ),
    ] {
        let (host, _channel) = host(config).await;
        assert_eq!(
            ask(&host, "/api/v1/pauses", &json!({ "scope": "all" })).await.0,
            200
        );
        for number in ["one", "two"] {
            assert_eq!(owe(&host, text(number)).await.0, 202, "{part}");
        }
        let (status, wait, body) = owe(&host, text("three")).await;
        assert_eq!((status, wait.as_deref()), (429, Some("10")));
        assert_eq!(body["error"]["code"], "BacklogFull");
        let message = body["error"]["message"].as_str().unwrap();
        assert!(message.contains(part), "{message}");
        host.stop().await;
    }
}

#[tokio::test]
async fn bad_orders_are_refused_with_the_reason() {
    let (host, _channel) = host(Config::default()).await;
    let mut elsewhere = text("hi");
    elsewhere["conversationId"] = json!("nobody was ever here");
    let mut expired = text("hi");
    expired["notBefore"] = json!("2099-01-02T00:00:00Z");
    expired["expiresAt"] = json!("2099-01-01T00:00:00Z");
    for (fields, status, field) in [(elsewhere, 404, "conversationId"), (expired, 400, "expiresAt")] {
        let (got, _, body) = owe(&host, fields).await;
        assert_eq!((got, &body["error"]["field"]), (status, &json!(field)), "{body}");
    }
    let mut keyed = text("hi");
    keyed["dedupeKey"] = json!("k");
    let (status, _, first) = owe(&host, keyed.clone()).await;
    assert_eq!(status, 202);
    assert_eq!(owe(&host, keyed.clone()).await.2["id"], first["id"]);
    keyed["activity"]["text"] = json!("something else");
    assert_eq!(owe(&host, keyed).await.0, 409);
    host.stop().await;
}

#[tokio::test]
async fn a_full_database_is_503_and_what_was_accepted_is_sent_when_there_is_room() {
    let small = Config {
        database_max_pages: Some(250),
        ..Config::default()
    };
    let (host, channel) = host(small).await;
    assert_eq!(
        ask(&host, "/api/v1/pauses", &json!({ "scope": "all" })).await.0,
        200
    );
    let mut accepted = 0;
    let (status, wait, body) = loop {
        let answer = owe(&host, text(&"x".repeat(10_000))).await;
        if answer.0 != 202 {
            break answer;
        }
        accepted += 1;
        assert!(accepted < 1_000, "the page limit is not kept");
    };
    assert_eq!((status, wait.as_deref()), (503, Some("30")), "{body}");
    assert_eq!(body["error"]["code"], "DatabaseFull");
    assert!(accepted > 0);
    assert_eq!(host.get("/healthz").await.status(), 200);
    let (status, list) = read(host.get("/api/v1/deliveries?limit=500").await).await;
    assert_eq!(
        (status, list["deliveries"].as_array().unwrap().len()),
        (200, accepted)
    );

    let host = host.restart(bot()).await;
    let mut changes = host.jobs.watch();
    let resumed = host
        .client
        .delete(format!("{}/api/v1/pauses?scope=all", host.base));
    assert_eq!(resumed.send().await.unwrap().status(), 200);
    loop {
        changes.borrow_and_update();
        let (_, list) = read(host.get("/api/v1/deliveries?limit=500&state=delivered").await).await;
        if list["deliveries"].as_array().unwrap().len() == accepted {
            break;
        }
        changes.changed().await.unwrap();
    }
    let requests = channel.received_requests().await.unwrap();
    let sent = requests.iter().filter(|request| request.body.len() > 10_000);
    assert_eq!(sent.count(), accepted);
    host.stop().await;
}

#[tokio::test]
async fn whoever_writes_in_a_closed_conversation_opens_it() {
    let (host, channel) = host(Config::default()).await;
    channel.reset().await;
    let forbidden = wiremock::ResponseTemplate::new(403);
    wiremock::Mock::given(wiremock::matchers::method("POST"))
        .respond_with(forbidden)
        .mount(&channel)
        .await;
    let (status, _, owed) = owe(&host, text("hello?")).await;
    assert_eq!(status, 202);
    let mut changes = host.jobs.watch();
    let path = format!("/api/v1/deliveries/{}", owed["id"]);
    while read(host.get(&path).await).await.1["state"] != "dead" {
        changes.changed().await.unwrap();
    }
    assert_eq!(owe(&host, text("again?")).await.2["state"], "refused");
    assert_eq!(host.post(&message(&channel.uri(), "quiet")).await.status(), 200);
    assert_ne!(owe(&host, text("welcome back")).await.2["state"], "refused");
    host.stop().await;
}
