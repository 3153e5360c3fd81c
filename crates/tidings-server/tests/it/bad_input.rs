//! Bad input is an answer: a status and a JSON error that names the field, and the process lives.

use serde_json::{Value, json};

use crate::harness::{Host, bot, channel, message, read};

async fn refused(host: &Host, body: impl Into<reqwest::Body>) -> (u16, Value) {
    let (status, body) = read(host.post_bytes(body).await).await;
    assert!(
        body["error"]["code"].is_string() && body["error"]["message"].is_string(),
        "{body}"
    );
    (status, body["error"]["field"].clone())
}

async fn still_works(host: &Host) {
    let channel = channel(200).await;
    assert_eq!(host.post(&message(&channel.uri(), "hello")).await.status(), 200);
}

#[tokio::test]
async fn what_is_no_activity_is_refused() {
    let host = Host::start(bot()).await;
    for body in [
        "",
        "{\"type\":",
        "[]",
        "null",
        "17",
        "\"message\"",
        "{\"type\":\"message\"} x",
        "\u{feff}{}",
    ] {
        assert_eq!(refused(&host, body).await.0, 400, "{body}");
    }
    assert_eq!(refused(&host, b"{\"type\":\"\xff\"}".to_vec()).await.0, 400);
    assert_eq!(refused(&host, "{}").await, (400, json!("type")));
    still_works(&host).await;
}

#[tokio::test]
async fn wrong_field_types_are_named() {
    let host = Host::start(bot()).await;
    for (field, value) in [
        ("type", json!(1)),
        ("type", json!(null)),
        ("text", json!({})),
        ("from", json!("user")),
        ("conversation", json!([])),
        ("attachments", json!({})),
        ("entities", json!("none")),
        ("serviceUrl", json!(3978)),
        ("membersAdded", json!(true)),
    ] {
        let mut activity = message("http://127.0.0.1:1", "hello");
        activity[field] = value;
        assert_eq!(
            refused(&host, activity.to_string()).await,
            (400, json!(field)),
            "{activity}"
        );
    }
    let mut activity = message("http://127.0.0.1:1", "hello");
    activity["from"]["id"] = json!(17);
    assert_eq!(
        refused(&host, activity.to_string()).await,
        (400, json!("from.id"))
    );
    still_works(&host).await;
}

#[tokio::test]
async fn missing_fields_are_named() {
    let host = Host::start(bot()).await;
    for (remove, named) in [
        ("type", "type"),
        ("conversation", "conversation.id"),
        ("from", "from.id"),
        ("serviceUrl", "serviceUrl"),
        ("channelId", "channelId"),
    ] {
        let mut activity = message("http://127.0.0.1:1", "hello");
        activity.as_object_mut().unwrap().remove(remove);
        let (status, field) = refused(&host, activity.to_string()).await;
        assert_eq!(status, 400, "{remove}");
        let field = field.as_str().unwrap_or_default();
        assert!(field == named || field == remove, "{remove} is called {field:?}");
    }
    for (object, field) in [("conversation", "conversation.id"), ("from", "from.id")] {
        let mut activity = message("http://127.0.0.1:1", "hello");
        activity[object]["id"] = json!("");
        assert_eq!(refused(&host, activity.to_string()).await, (400, json!(field)));
    }
    still_works(&host).await;
}

#[tokio::test]
async fn depth_bombs_nul_and_lone_surrogates_are_refused() {
    let host = Host::start(bot()).await;
    let nested = |levels: usize| {
        let inner = format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        message("http://127.0.0.1:1", "hello")
            .to_string()
            .replacen('{', &format!("{{\"value\":{inner},"), 1)
    };
    for levels in [200, 100_000] {
        assert_eq!(refused(&host, nested(levels)).await.0, 400, "{levels} levels");
    }
    for text in ["a\\u0000b", "\\ud800", "\\udc00", "\\ud800\\ud800"] {
        for field in ["text", "unknown"] {
            let activity = message("http://127.0.0.1:1", "hello").to_string();
            let activity = activity.replacen('{', &format!("{{\"{field}\":{{\"a\":\"{text}\"}},"), 1);
            assert_eq!(refused(&host, activity).await.0, 400, "{text} in {field}");
        }
    }
    still_works(&host).await;
}

#[tokio::test]
async fn bodies_up_to_one_mebibyte_are_read() {
    const LIMIT: usize = 1024 * 1024;
    let host = Host::start(bot()).await;
    let channel = channel(200).await;
    let sized = |size: usize| {
        let mut activity = message(&channel.uri(), "quiet");
        activity["channelData"] = json!("");
        let rest = activity.to_string().len();
        activity["channelData"] = json!("x".repeat(size - rest));
        let body = activity.to_string();
        assert_eq!(body.len(), size);
        body
    };
    assert_eq!(host.post_bytes(sized(LIMIT - 1)).await.status(), 200);
    assert_eq!(host.post_bytes(sized(LIMIT)).await.status(), 200);
    assert_eq!(refused(&host, sized(LIMIT + 1)).await.0, 413);
    still_works(&host).await;
}

#[tokio::test]
async fn a_body_without_a_length_has_the_same_limit() {
    let host = Host::start(bot()).await;
    let mut request =
        String::from("POST /api/messages HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
    let chunk = "x".repeat(0x10000);
    for _ in 0..17 {
        request.push_str("10000\r\n");
        request.push_str(&chunk);
        request.push_str("\r\n");
    }
    let mut connection = crate::raw_http::RawConnection::open(&host).await;
    connection.write(request.as_bytes()).await;
    assert_eq!(crate::raw_http::status(&connection.read_head().await), 413);
    still_works(&host).await;
}

#[tokio::test]
async fn a_body_that_announces_too_much_is_refused_before_it_comes() {
    let host = Host::start(bot()).await;
    for length in ["1048577", "99999999999"] {
        let head = format!(
            "POST /api/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n"
        );
        let mut connection = crate::raw_http::RawConnection::open(&host).await;
        connection.write(head.as_bytes()).await;
        let status = crate::raw_http::status(&connection.read_head().await);
        assert_eq!(status, 413, "{length}");
    }
    still_works(&host).await;
}

#[tokio::test]
async fn queries_and_paths_that_make_no_sense_are_refused() {
    let host = Host::start(bot()).await;
    let start = host
        .client
        .post(format!("{}/v3/directline/conversations", host.base));
    let (_, conversation) = read(start.send().await.unwrap()).await;
    let activities = format!(
        "/v3/directline/conversations/{}/activities",
        conversation["conversationId"].as_str().unwrap()
    );
    for watermark in [
        "-1",
        "1.5",
        "x",
        "%00",
        "%ff",
        "9223372036854775808",
        "99999999999999999999999999",
    ] {
        let (status, body) = read(host.get(&format!("{activities}?watermark={watermark}")).await).await;
        assert_eq!(
            (status, &body["error"]["code"]),
            (400, &json!("BadArgument")),
            "{watermark}"
        );
    }
    let long = "a=1&".repeat(10_000);
    assert_eq!(host.get(&format!("/api/v1/jobs?{long}")).await.status(), 200);
    assert_eq!(
        host.get("/v3/directline/conversations/%ff/activities")
            .await
            .status(),
        400
    );
    for path in [b"/\xff\xfe".as_slice(), b"/v3/conversations/\xff/members"] {
        let request = [b"GET ", path, b" HTTP/1.1\r\nHost: localhost\r\n\r\n"].concat();
        let answer = crate::raw_http::exchange(&host, &request).await;
        assert_eq!(crate::raw_http::status(&answer), 400);
    }
    still_works(&host).await;
}

#[tokio::test]
async fn only_post_is_allowed_and_said_so() {
    let host = Host::start(bot()).await;
    let url = format!("{}/api/messages", host.base);
    for method in ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "QUERY"] {
        let response = host
            .client
            .request(method.parse().unwrap(), &url)
            .send()
            .await
            .unwrap();
        assert_eq!(
            response
                .headers()
                .get("allow")
                .map(|allow| allow.to_str().unwrap()),
            Some("POST"),
            "{method}"
        );
        let (status, body) = read(response).await;
        assert_eq!(
            (status, &body["error"]["code"]),
            (405, &json!("MethodNotAllowed")),
            "{method}"
        );
    }
    assert_eq!(host.client.head(&url).send().await.unwrap().status(), 405);
}

#[tokio::test]
async fn an_unknown_path_is_a_json_error() {
    let host = Host::start(bot()).await;
    for path in [
        "/api/message",
        "/api/v1/unknown",
        "/no/such/file.js",
        "/%00",
        "/../Cargo.toml",
        "/%2e%2e/Cargo.toml",
    ] {
        let (status, body) = read(host.get(path).await).await;
        assert_eq!(
            (status, &body["error"]["code"]),
            (404, &json!("NotFound")),
            "{path}"
        );
    }
}

#[tokio::test]
async fn json_goes_by_several_names() {
    let host = Host::start(bot()).await;
    let send = async |kind: Option<&str>| {
        let mut request = host.client.post(format!("{}/api/messages", host.base));
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        read(
            request
                .body(message("http://127.0.0.1:1", "quiet").to_string())
                .send()
                .await
                .unwrap(),
        )
        .await
    };
    for kind in [
        None,
        Some("application/json"),
        Some("Application/JSON; charset=utf-8"),
        Some("application/json;charset=iso-8859-1"),
        Some("application/vnd.microsoft.activity+json"),
        Some("text/json"),
    ] {
        assert_eq!(send(kind).await, (200, Value::Null), "{kind:?}");
    }
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/xml",
        "",
        "json",
    ] {
        let (status, body) = send(Some(kind)).await;
        assert_eq!(
            (status, &body["error"]["field"]),
            (415, &json!("Content-Type")),
            "{kind}"
        );
    }
}
