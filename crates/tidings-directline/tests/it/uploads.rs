//! Files: raw and multipart, in both directions.

use axum::body::Body;
use http::{Request, header};
use jiff::SignedDuration;
use serde_json::json;

use crate::kit::{Chat, Reply, Site, refused};

const MIB: usize = 1024 * 1024;

async fn upload(
    site: &Site,
    chat: &Chat,
    query: &str,
    headers: &[(&str, &str)],
    body: impl Into<Body>,
) -> Reply {
    let mut request = Request::post(format!("{}/upload{query}", chat.path()))
        .header(header::AUTHORIZATION, format!("Bearer {}", chat.token));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    site.send(request.body(body.into()).unwrap()).await
}

/// A multipart body as a browser writes it.
fn form(parts: &[(&str, Option<&str>, &str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (field, file, kind, bytes) in parts {
        let file = file
            .map(|name| format!("; filename=\"{name}\""))
            .unwrap_or_default();
        body.extend_from_slice(
            format!("--B\r\nContent-Disposition: form-data; name=\"{field}\"{file}\r\nContent-Type: {kind}\r\n\r\n")
                .as_bytes(),
        );
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--B--\r\n");
    body
}

const FORM: &[(&str, &str)] = &[("content-type", "multipart/form-data; boundary=B")];
const ACTIVITY: &str = "application/vnd.microsoft.activity";

#[tokio::test]
async fn a_raw_upload_is_a_message_with_one_file() {
    let mut site = Site::new().await;
    let chat = site.conversation().await;
    let headers = [
        ("content-type", "image/jpeg"),
        ("content-disposition", r#"name="file"; filename="badjokeeel.jpg""#),
    ];
    let sent = upload(
        &site,
        &chat,
        "?userId=ignored",
        &headers,
        b"\xff\xd8jpeg".to_vec(),
    )
    .await
    .ok();
    assert_eq!(sent, json!({ "id": format!("{}|0000001", chat.id) }));
    let delivered = site.delivered_message().await;
    assert_eq!(delivered.from.unwrap().id.as_deref(), Some("dl_ann"));
    let attachment = &delivered.attachments.unwrap()[0];
    assert_eq!(attachment.content_type.as_deref(), Some("image/jpeg"));
    assert_eq!(attachment.name.as_deref(), Some("badjokeeel.jpg"));
    let url = attachment.content_url.clone().unwrap();
    let path = url.strip_prefix("http://127.0.0.1:3978").unwrap();
    let file = site.get(path, None).await;
    assert_eq!(file.bytes, b"\xff\xd8jpeg");
    assert_eq!(file.headers["content-type"], "image/jpeg");
    assert_eq!(
        file.headers["content-disposition"],
        "inline; filename*=UTF-8''badjokeeel.jpg"
    );
    assert_eq!(file.headers["x-content-type-options"], "nosniff");
    let (echoed, _) = site.activities(&chat, "").await;
    assert_eq!(echoed[0]["attachments"][0]["contentUrl"], url);
}

#[tokio::test]
async fn a_form_as_directlinejs_sends_it_fills_the_activitys_attachments() {
    let mut site = Site::new().await;
    let chat = site.conversation().await;
    let activity = json!({
        "type": "message", "text": "two files", "from": { "id": "dl_ann", "role": "user" },
        "channelData": { "clientActivityID": "9x" },
        "attachments": [
            { "name": "a.png", "contentType": "image/png", "thumbnailUrl": "data:image/png;base64,AA==" },
            { "name": "b.txt", "contentType": "text/plain" },
        ],
    })
    .to_string();
    let body = form(&[
        ("activity", Some("blob"), ACTIVITY, activity.as_bytes()),
        ("file", Some("b.txt"), "text/plain", b"text"),
        ("file", Some("a.png"), "image/png", b"png"),
    ]);
    upload(&site, &chat, "?userId=dl_ann", FORM, body).await.ok();
    let (echoed, _) = site.activities(&chat, "").await;
    assert_eq!(echoed[0]["channelData"]["clientActivityID"], "9x");
    assert_eq!(echoed[0]["text"], "two files");
    let attachments = echoed[0]["attachments"].as_array().unwrap();
    assert_eq!(attachments.len(), 2);
    assert_eq!(attachments[0]["thumbnailUrl"], "data:image/png;base64,AA==");
    for (attachment, bytes) in attachments.iter().zip([b"png".as_slice(), b"text"]) {
        let path = attachment["contentUrl"]
            .as_str()
            .unwrap()
            .strip_prefix("http://127.0.0.1:3978")
            .unwrap();
        assert_eq!(site.get(path, None).await.bytes, bytes);
    }
}

#[tokio::test]
async fn a_form_needs_no_activity_but_somebody_to_speak() {
    let mut site = Site::new().await;
    let started = site
        .post("/v3/directline/conversations", None, json!({}))
        .await
        .json();
    let chat = Chat {
        id: started["conversationId"].as_str().unwrap().to_owned(),
        token: started["token"].as_str().unwrap().to_owned(),
    };
    let body = || form(&[("file", Some("a.bin"), "application/x-odd", b"1")]);
    assert_eq!(
        upload(&site, &chat, "", FORM, body()).await.refusal(),
        refused(400, "MissingProperty")
    );
    assert_eq!(
        upload(&site, &chat, "?userId=u%00", FORM, body()).await.refusal(),
        refused(400, "BadArgument")
    );
    upload(&site, &chat, "?userId=u1", FORM, body()).await.ok();
    assert_eq!(
        site.delivered_message().await.from.unwrap().id.as_deref(),
        Some("u1")
    );
}

#[tokio::test]
async fn unreadable_uploads_are_refused() {
    let mut site = Site::new().await;
    let chat = site.conversation().await;
    let activity_only = form(&[("activity", None, ACTIVITY, br#"{"type":"message"}"#)]);
    let bad_activity = form(&[
        ("activity", None, ACTIVITY, b"{"),
        ("file", Some("a"), "text/plain", b"1"),
    ]);
    let whole = form(&[("file", Some("a.txt"), "text/plain", b"1")]);
    for (headers, body, code) in [
        (FORM, activity_only, "MissingProperty"),
        (FORM, bad_activity, "MalformedData"),
        (FORM, whole[..whole.len() - 12].to_vec(), "MalformedData"),
        (FORM, Vec::new(), "MalformedData"),
        (
            &[("content-type", "multipart/form-data")],
            whole.clone(),
            "MalformedData",
        ),
        (&[("content-type", "image/png")], Vec::new(), "MissingProperty"),
    ] {
        assert_eq!(
            upload(&site, &chat, "", headers, body).await.refusal(),
            refused(400, code)
        );
    }
    assert!(site.channel.history(&chat.id).await.unwrap().unwrap().is_empty());
}

#[tokio::test]
async fn files_have_at_most_4_mib_together() {
    let mut site = Site::new().await;
    let chat = site.conversation().await;
    let raw: &[(&str, &str)] = &[("content-type", "application/octet-stream")];
    for (length, accepted) in [(4 * MIB - 1, true), (4 * MIB, true), (4 * MIB + 1, false)] {
        let half = vec![b'x'; length / 2];
        let rest = vec![b'x'; length - length / 2];
        let two = form(&[
            ("file", Some("a"), "x/y", &half),
            ("file", Some("b"), "x/y", &rest),
        ]);
        for reply in [
            upload(&site, &chat, "", raw, vec![b'x'; length]).await,
            upload(&site, &chat, "", FORM, two).await,
        ] {
            if accepted {
                reply.ok();
            } else {
                assert_eq!(reply.refusal(), refused(413, "MessageSizeTooBig"));
            }
        }
    }
    let files = |count: usize| form(&vec![("file", Some("a"), "x/y", b"1".as_slice()); count]);
    upload(&site, &chat, "", FORM, files(31)).await.ok();
    upload(&site, &chat, "", FORM, files(32)).await.ok();
    assert_eq!(
        upload(&site, &chat, "", FORM, files(33)).await.refusal(),
        refused(413, "MessageSizeTooBig")
    );
    let text = "x".repeat(256 * 1024);
    let activity = json!({ "type": "message", "text": text }).to_string();
    let long = form(&[
        ("activity", None, ACTIVITY, activity.as_bytes()),
        ("file", Some("a"), "x/y", b"1"),
    ]);
    assert_eq!(
        upload(&site, &chat, "", FORM, long).await.refusal(),
        refused(413, "MessageSizeTooBig")
    );
}

#[tokio::test]
async fn files_are_kept_for_a_day_and_no_more_than_fit() {
    let mut site = Site::with(|options| options.limits.attachment_bytes = 10).await;
    let chat = site.conversation().await;
    let raw: &[(&str, &str)] = &[("content-type", "text/plain")];
    upload(&site, &chat, "", raw, "123456").await.ok();
    upload(&site, &chat, "", raw, "1234").await.ok();
    let (first, _) = site.activities(&chat, "").await;
    let url = first[0]["attachments"][0]["contentUrl"]
        .as_str()
        .unwrap()
        .to_owned();
    let view = url.strip_prefix("http://127.0.0.1:3978").unwrap();
    let full = upload(&site, &chat, "", raw, "1").await;
    assert_eq!(full.refusal(), refused(429, "LimitExceeded"));
    assert!(full.headers.contains_key("retry-after"));
    assert_eq!(site.channel.history(&chat.id).await.unwrap().unwrap().len(), 2);

    site.clock.advance(SignedDuration::from_secs(24 * 3_600 - 1));
    assert_eq!(site.get(view, None).await.bytes, b"123456");
    site.clock.advance(SignedDuration::from_secs(1));
    assert_eq!(site.get(view, None).await.refusal(), refused(404, "NotFound"));
    let info = view.strip_suffix("/views/original").unwrap();
    assert_eq!(site.get(info, None).await.refusal(), refused(404, "NotFound"));
    let token = site.get(&chat.path(), None).await.ok()["token"]
        .as_str()
        .unwrap()
        .to_owned();
    upload(&site, &Chat { token, ..chat }, "", raw, "1234567890")
        .await
        .ok();
}

#[tokio::test]
async fn the_bot_uploads_a_file_with_a_thumbnail() {
    let mut site = Site::new().await;
    let chat = site.conversation().await;
    let path = format!("/v3/conversations/{}/attachments", chat.id);
    let data = json!({ "type": "image/png", "name": "ä \"1\".png", "originalBase64": "cG5nIQ==", "thumbnailBase64": "dA==" });
    let id = site.post(&path, None, data).await.ok()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let info = site.get(&format!("/v3/attachments/{id}"), None).await.ok();
    assert_eq!(
        info,
        json!({ "name": "ä \"1\".png", "type": "image/png",
            "views": [{ "viewId": "original", "size": 4 }, { "viewId": "thumbnail", "size": 1 }] })
    );
    let original = site
        .get(&format!("/v3/attachments/{id}/views/original"), None)
        .await;
    assert_eq!(original.bytes, b"png!");
    assert_eq!(
        original.headers["content-disposition"],
        "inline; filename*=UTF-8''%C3%A4%20%221%22.png"
    );
    assert_eq!(
        site.get(&format!("/v3/attachments/{id}/views/thumbnail"), None)
            .await
            .bytes,
        b"t"
    );
    for missing in [
        format!("/v3/attachments/{id}/views/other"),
        "/v3/attachments/x/views/original".to_owned(),
    ] {
        assert_eq!(site.get(&missing, None).await.refusal(), refused(404, "NotFound"));
    }
    for (data, code) in [
        (json!({ "type": "image/png" }), "MissingProperty"),
        (json!({ "originalBase64": "no base64!" }), "BadArgument"),
        (json!({ "originalBase64": 7 }), "BadArgument"),
    ] {
        assert_eq!(site.post(&path, None, data).await.refusal(), refused(400, code));
    }
}

#[tokio::test]
async fn the_bots_file_has_at_most_4_mib() {
    use base64::Engine as _;
    let mut site = Site::new().await;
    let chat = site.conversation().await;
    let path = format!("/v3/conversations/{}/attachments", chat.id);
    for (length, accepted) in [(4 * MIB - 1, true), (4 * MIB, true), (4 * MIB + 1, false)] {
        let base64 = base64::engine::general_purpose::STANDARD.encode(vec![b'x'; length]);
        let reply = site.post(&path, None, json!({ "originalBase64": base64 })).await;
        if accepted {
            reply.ok();
        } else {
            assert_eq!(reply.refusal(), refused(413, "MessageSizeTooBig"));
        }
    }
}

#[tokio::test]
async fn nothing_uploaded_runs_in_the_page() {
    let mut site = Site::new().await;
    let chat = site.conversation().await;
    for (kind, disposition) in [
        ("text/html", "attachment"),
        ("image/svg+xml", "attachment"),
        ("application/javascript", "attachment"),
        ("text/plain; charset=utf-8", "inline"),
        ("IMAGE/PNG", "inline"),
    ] {
        let id = site
            .post(
                &format!("/v3/conversations/{}/attachments", chat.id),
                None,
                json!({ "type": kind, "originalBase64": "eA==" }),
            )
            .await
            .ok();
        let view = format!("/v3/attachments/{}/views/original", id["id"].as_str().unwrap());
        let file = site.get(&view, None).await;
        assert!(
            file.headers["content-disposition"]
                .to_str()
                .unwrap()
                .starts_with(disposition),
            "{kind}"
        );
        assert_eq!(
            file.headers["content-security-policy"],
            "default-src 'none'; sandbox"
        );
    }
}
