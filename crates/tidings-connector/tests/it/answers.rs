//! What the client makes of statuses, headers and bodies.

use std::time::Duration;

use tidings_activity::ConversationParameters;
use tidings_connector::{Phase, SendError, code};

use crate::raw_server::{RawServer, answer};
use crate::{client, hasty_client, hello};

/// The error for a send that is answered so.
async fn error(status: &str, headers: &str, body: &str) -> SendError {
    let (server, _requests) = RawServer::answering(answer(status, headers, body)).await;
    let error = client()
        .send_to_conversation(&server.url, "c", &hello())
        .await
        .expect_err(status);
    assert_eq!(error.phase, Phase::AfterBody);
    assert_eq!(server.connections(), 1, "nothing is sent twice");
    error
}

/// The id that a send gets that is answered so.
async fn id(answer: String) -> String {
    let (server, _requests) = RawServer::answering(answer).await;
    let mut activity = hello();
    activity.id = Some("own".to_owned());
    let sent = client()
        .send_to_conversation(&server.url, "c", &activity)
        .await
        .expect("accepted")
        .id;
    let updated = client()
        .update_activity(&server.url, "c", "own", &activity)
        .await
        .expect("accepted")
        .id;
    assert_eq!(sent, updated);
    sent
}

#[tokio::test]
async fn an_accepted_activity_without_an_id_keeps_its_own() {
    assert_eq!(id(answer("200 OK", "", "")).await, "own");
    assert_eq!(id(answer("201 Created", "", " \r\n")).await, "own");
    assert_eq!(id(answer("202 Accepted", "", "{}")).await, "own");
    assert_eq!(id("HTTP/1.1 204 No Content\r\n\r\n".to_owned()).await, "own");
    assert_eq!(id(answer("200 OK", "", "null")).await, "own");
    assert_eq!(id(answer("200 OK", "", r#"{"id":""}"#)).await, "own");
    assert_eq!(id(answer("200 OK", "", r#"{"id":null}"#)).await, "own");
    assert_eq!(
        id(answer("200 OK", "", r#"{"id":"theirs","more":1}"#)).await,
        "theirs"
    );
    let (server, _requests) = RawServer::answering(answer("200 OK", "", "")).await;
    let sent = client()
        .send_to_conversation(&server.url, "c", &hello())
        .await
        .expect("accepted");
    assert_eq!(sent.id, "");
}

#[tokio::test]
async fn what_the_status_accepts_no_body_unmakes() {
    assert_eq!(
        id(answer(
            "200 OK",
            "content-type: text/html\r\n",
            "<html>fine</html>"
        ))
        .await,
        "own"
    );
    assert_eq!(id(answer("200 OK", "", r#"{"id":"x"#)).await, "own");
    assert_eq!(id(answer("200 OK", "", r#"{"id":7}"#)).await, "own");
    assert_eq!(
        id(answer("200 OK", "", &"x".repeat(2 * 1024 * 1024))).await,
        "own"
    );
}

#[tokio::test]
async fn an_answer_cut_off_or_hanging_is_accepted_too() {
    let cut = RawServer::start(|mut wire| async move {
        wire.request().await;
        wire.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"id\":")
            .await;
    })
    .await;
    let hanging = RawServer::start(|mut wire| async move {
        wire.request().await;
        wire.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"id\":")
            .await;
        std::future::pending::<()>().await;
    })
    .await;
    for url in [&cut.url, &hanging.url] {
        let client = hasty_client();
        assert_eq!(
            client
                .send_to_conversation(url, "c", &hello())
                .await
                .expect("accepted")
                .id,
            ""
        );
        // Who needs the body gets an error, which says that the request itself was taken.
        let error = client
            .create_conversation(url, &ConversationParameters::default())
            .await
            .expect_err("no id");
        assert_eq!(
            (error.phase, error.status, error.is_accepted()),
            (Phase::AfterBody, Some(200), true)
        );
        let error = client
            .get_conversation_members(url, "c")
            .await
            .expect_err("no list");
        assert!(error.is_accepted());
    }
}

#[tokio::test]
async fn results_that_must_be_there_must_be_json() {
    for body in ["", "<html>", r#"{"id":"#, "{}", r#"{"id":""}"#, "[]"] {
        let (server, _requests) = RawServer::answering(answer("200 OK", "", body)).await;
        let parameters = ConversationParameters::default();
        let error = client()
            .create_conversation(&server.url, &parameters)
            .await
            .expect_err(body);
        assert_eq!(
            (error.phase, error.status),
            (Phase::AfterBody, Some(200)),
            "{body}"
        );
    }
    let (server, _requests) = RawServer::answering(answer("200 OK", "", "")).await;
    assert!(
        client()
            .get_conversation_members(&server.url, "c")
            .await
            .expect("nobody")
            .is_empty()
    );
    assert_eq!(
        client()
            .get_conversations(&server.url, None)
            .await
            .expect("none")
            .conversations,
        None
    );
    assert!(
        client()
            .get_conversation_member(&server.url, "c", "m")
            .await
            .is_err()
    );
    assert!(client().get_attachment_info(&server.url, "f").await.is_err());
}

#[tokio::test]
async fn json_is_read_up_to_a_mebibyte() {
    for (length, fits) in [
        (1024 * 1024 - 1, true),
        (1024 * 1024, true),
        (1024 * 1024 + 1, false),
    ] {
        let (server, _requests) =
            RawServer::answering(answer("200 OK", "", &format!("{}[]", " ".repeat(length - 2)))).await;
        let members = client().get_conversation_members(&server.url, "c").await;
        assert_eq!(members.is_ok(), fits, "{length}");
        if let Err(error) = members {
            assert!(error.message.contains("1048576 bytes"), "{error}");
        }
    }
}

#[tokio::test]
async fn a_body_without_end_ends() {
    let server = RawServer::start(|mut wire| async move {
        wire.request().await;
        wire.send(b"HTTP/1.1 500 Oops\r\ntransfer-encoding: chunked\r\n\r\n")
            .await;
        let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
        loop {
            wire.send(chunk.as_bytes()).await;
            if wire.stream.writable().await.is_err() || wire.stream.try_write(b"").is_err() {
                return;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    let error = client()
        .send_to_conversation(&server.url, "c", &hello())
        .await
        .expect_err("500");
    assert_eq!(error.status, Some(500));
    assert!(error.message.chars().count() <= 1_001);
}

#[tokio::test]
async fn errors_carry_status_code_and_words() {
    let body = r#"{"error":{"code":"ConversationBlockedByUser","message":"User blocked the conversation."}}"#;
    let blocked = error("403 Forbidden", "x-correlating-operationid: op-7\r\n", body).await;
    assert_eq!(blocked.status, Some(403));
    assert_eq!(blocked.code.as_deref(), Some(code::CONVERSATION_BLOCKED_BY_USER));
    assert_eq!(blocked.message, "User blocked the conversation.");
    assert_eq!(blocked.operation_id.as_deref(), Some("op-7"));
    assert_eq!(blocked.retry_after, None);

    let denied = r#"{"message":"Authorization has been denied for this request."}"#;
    let denied = error("401 Unauthorized", "", denied).await;
    assert_eq!((denied.status, denied.code), (Some(401), None));
    assert_eq!(denied.message, "Authorization has been denied for this request.");

    for status in [400, 404, 405, 412, 413, 500, 502, 503, 504, 599] {
        assert_eq!(
            error(&format!("{status} Whatever"), "", "").await.status,
            Some(status)
        );
    }
    assert_eq!(error("503 Anything", "", "").await.message, "Service Unavailable");
}

#[tokio::test]
async fn error_bodies_need_not_be_json() {
    let page = format!(
        "<html>\n <h1>502 Bad Gateway</h1>\n{}</html>",
        "<p>very long</p>".repeat(10_000)
    );
    let gateway = error("502 Bad Gateway", "content-type: text/html\r\n", &page).await;
    assert_eq!((gateway.status, gateway.code), (Some(502), None));
    assert!(
        gateway.message.starts_with("<html> <h1>502 Bad Gateway</h1>"),
        "{}",
        gateway.message
    );
    assert!(gateway.message.chars().count() <= 1_001);
    assert_eq!(
        error("500 Oops", "", r#"{"error":{"code":"#).await.message,
        r#"{"error":{"code":"#
    );
    assert_eq!(
        error("400 Bad Request", "", &"[".repeat(100_000)).await.status,
        Some(400)
    );
}

#[tokio::test]
async fn an_error_whose_body_hangs_keeps_its_status() {
    let server = RawServer::start(|mut wire| async move {
        wire.request().await;
        wire.send(b"HTTP/1.1 429 Slow Down\r\nretry-after: 3\r\ncontent-length: 9\r\n\r\n{")
            .await;
        std::future::pending::<()>().await;
    })
    .await;
    let error = hasty_client()
        .send_to_conversation(&server.url, "c", &hello())
        .await
        .expect_err("429");
    assert_eq!(
        (error.status, error.retry_after),
        (Some(429), Some(Duration::from_secs(3)))
    );
}

#[tokio::test]
async fn retry_after_is_read_and_bounded() {
    let wait = async |value: &str| {
        error(
            "429 Too Many Requests",
            &format!("retry-after: {value}\r\n"),
            "{}",
        )
        .await
        .retry_after
    };
    assert_eq!(wait("17").await, Some(Duration::from_secs(17)));
    assert_eq!(wait("0").await, Some(Duration::ZERO));
    assert_eq!(
        wait("99999999999999999999999").await,
        Some(Duration::from_secs(86_400))
    );
    assert_eq!(wait("-5").await, None);
    assert_eq!(wait("soon").await, None);
    assert_eq!(wait("Thu, 01 Jan 1970 00:00:00 GMT").await, Some(Duration::ZERO));
    assert_eq!(
        wait("Fri, 31 Dec 9999 23:59:59 GMT").await,
        Some(Duration::from_secs(86_400))
    );
    let dated = "Sun, 22 Nov 2026 10:00:30 GMT\r\ndate: Sun, 22 Nov 2026 10:00:00 GMT";
    assert_eq!(wait(dated).await, Some(Duration::from_secs(30)));
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let (elsewhere, _requests) = RawServer::answering(answer("200 OK", "", "{}")).await;
    for status in [
        "301 Moved Permanently",
        "302 Found",
        "307 Temporary Redirect",
        "308 Permanent Redirect",
    ] {
        let error = error(status, &format!("location: {}/x\r\n", elsewhere.url), "").await;
        assert_eq!(error.status.map(|status| status / 100), Some(3));
        assert!(error.message.contains(&elsewhere.url), "{error}");
    }
    assert_eq!(elsewhere.connections(), 0);
}
