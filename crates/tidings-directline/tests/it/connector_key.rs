//! The connector side beside a Direct Line secret: open to the bot only, by the key in its `serviceUrl`.

use std::io::Write;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use http::{Method, Request, header};
use serde_json::{Value, json};
use tidings_activity::Activity;
use tidings_directline::{BaseUrl, DirectLineOptions, Fault};
use tidings_store::{Database, ManualClock};

use crate::kit::{Chat, Site, lasting_place, refused};

const PUBLIC: &str = "https://chat.example";
const INSIDE: &str = "http://127.0.0.1:3978";

/// A public server whose bot is in the same process.
fn public(options: &mut DirectLineOptions) {
    options.base_url = BaseUrl::fixed(PUBLIC);
    options.connector_url = Some(BaseUrl::fixed(INSIDE));
    options.secret = Some("s3cret".into());
}

/// With a secret, but at the address where the kit serves it.
fn secret(options: &mut DirectLineOptions) {
    options.secret = Some("s3cret".into());
}

fn key(site: &Site) -> String {
    let path = site.connector_path();
    path.strip_prefix("/local/").unwrap().to_owned()
}

/// Every route of the connector side, for one conversation, in an order in which each works.
fn calls(chat: &Chat) -> Vec<(Method, String, Option<Value>)> {
    let of = |path: &str| format!("/v3/conversations/{}/{path}", chat.id);
    let message = || Some(json!({ "type": "message", "text": "x" }));
    let first = format!("{}%7C0000001", chat.id);
    vec![
        (Method::GET, "/v3/conversations".to_owned(), None),
        (Method::POST, of("activities"), message()),
        (Method::POST, of(&format!("activities/{first}")), message()),
        (Method::PUT, of(&format!("activities/{first}")), message()),
        (Method::GET, of(&format!("activities/{first}/members")), None),
        (Method::DELETE, of(&format!("activities/{first}")), None),
        (
            Method::POST,
            of("activities/history"),
            Some(json!({ "activities": [] })),
        ),
        (Method::GET, of("members"), None),
        (Method::GET, of("members/dl_ann"), None),
        (Method::GET, of("pagedmembers?pageSize=1"), None),
        (Method::DELETE, of("members/dl_ann"), None),
        (
            Method::POST,
            of("attachments"),
            Some(json!({ "originalBase64": "aGVsbG8=", "name": "n.txt", "type": "text/plain" })),
        ),
    ]
}

#[tokio::test]
async fn with_a_secret_every_route_of_the_bot_needs_the_key() {
    let mut site = Site::with(public).await;
    let chat = site.conversation().await;
    let key = key(&site);
    let mut wrong_key = key.clone();
    wrong_key.replace_range(..1, if key.starts_with('A') { "B" } else { "A" });
    let prefixes = [
        String::new(),
        "/local".to_owned(),
        "/local/".to_owned(),
        format!("/local/{wrong_key}"),
        format!("/local/{key}A"),
        format!("/local/{}", &key[..key.len() - 1]),
        "/local/s3cret".to_owned(),
    ];
    for (method, path, body) in calls(&chat) {
        for prefix in &prefixes {
            for authorization in [None, Some("s3cret"), Some(chat.token.as_str())] {
                let path = format!("{prefix}{path}");
                let reply = site
                    .call(method.clone(), &path, authorization, body.clone())
                    .await;
                assert_eq!(reply.refusal(), refused(404, "NotFound"), "{method} {path}");
                let unknown = site.get("/v3/directline/nothing", None).await;
                assert_eq!(reply.bytes, unknown.bytes, "as any unknown path");
            }
        }
        let reply = site
            .call(method.clone(), &format!("/local/{key}{path}"), None, body)
            .await;
        assert!(reply.status.is_success(), "{method} {path}: {reply:?}");
    }
}

#[tokio::test]
async fn behind_the_key_is_the_connector_side_and_nothing_else() {
    let mut site = Site::with(public).await;
    let chat = site.conversation().await;
    let below = site.connector_path();
    let list = site.get(&format!("{below}/v3/conversations"), None).await.ok();
    assert_eq!(list["conversations"][0]["id"], chat.id);
    let create = site
        .post(&format!("{below}/v3/conversations"), None, json!({}))
        .await;
    assert_eq!(create.refusal(), refused(405, "NotSupported"));
    for path in [
        "",
        "/",
        "/v3",
        "/v3/conversations/c/nothing",
        "/v3/directline/conversations",
    ] {
        let reply = site.get(&format!("{below}{path}"), None).await;
        assert_eq!(reply.refusal(), refused(404, "NotFound"), "{path}");
    }
    let unknown = site
        .get(&format!("{below}/v3/conversations/no%20one/members"), None)
        .await;
    assert_eq!(unknown.refusal(), refused(404, "ConversationNotFound"));
    assert!(unknown.message().contains("'no one'"), "{}", unknown.message());
}

#[tokio::test]
async fn a_call_without_the_key_meets_no_fault() {
    let mut site = Site::with(public).await;
    let chat = site.conversation().await;
    let faults = site.channel.faults();
    faults.push(Fault::status(503));
    for prefix in ["", "/local/guess"] {
        let reply = site
            .post(
                &format!("{prefix}{}", chat.connector()),
                None,
                json!({ "type": "message" }),
            )
            .await;
        assert_eq!(reply.refusal(), refused(404, "NotFound"));
    }
    assert_eq!(faults.waiting(), 1);
    let path = format!("{}{}", site.connector_path(), chat.connector());
    let reply = site.post(&path, None, json!({ "type": "message" })).await;
    assert_eq!(reply.refusal(), refused(503, "ServiceError"));
}

#[tokio::test]
async fn the_service_url_outlives_the_process_and_the_secret_but_not_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let place = lasting_place(folder.path());
    let open = || Database::open(place.clone()).unwrap();
    let clock = ManualClock::default();
    let mut site = Site::on(open(), clock.clone(), public).await;
    let chat = site.conversation().await;
    let service_url = site.channel.service_url();
    site.say(&chat, "run").await;
    let told = site.delivered_message().await.service_url;
    assert_eq!(told.as_deref(), Some(service_url.as_str()));
    site.channel.close().await;
    site.database.close().await;
    drop(site);

    let site = Site::on(open(), clock, |options| {
        public(options);
        options.secret = Some("another".into());
    })
    .await;
    assert_eq!(site.channel.service_url(), service_url);
    let stored: http::Uri = service_url.parse().unwrap();
    let path = format!("{}{}", stored.path(), chat.connector());
    site.post(&path, None, json!({ "type": "message", "text": "done" }))
        .await
        .ok();
    assert_ne!(Site::with(public).await.channel.service_url(), service_url);
}

#[tokio::test]
async fn without_a_secret_there_is_no_key() {
    let mut site = Site::new().await;
    let chat = site.conversation().await;
    assert_eq!(site.channel.service_url(), INSIDE);
    site.say(&chat, "hello").await;
    assert_eq!(
        site.delivered_message().await.service_url.as_deref(),
        Some(INSIDE)
    );
    // What the bot sends is the clients' as it is.
    let event = json!({ "type": "event", "relatesTo": { "serviceUrl": INSIDE } });
    site.post(&chat.connector(), None, event).await.ok();
    let (activities, _) = site.activities(&chat, "1").await;
    assert_eq!(activities[0]["relatesTo"]["serviceUrl"], INSIDE);
    let chat = site.conversation().await;
    for (method, path, body) in calls(&chat) {
        let reply = site
            .call(method.clone(), &format!("/local/x{path}"), None, body.clone())
            .await;
        assert_eq!(reply.status, 404, "{path}");
        let reply = site.call(method.clone(), &path, None, body).await;
        assert!(reply.status.is_success(), "{method} {path}: {reply:?}");
    }
}

#[tokio::test]
async fn clients_get_the_public_address_and_the_bot_the_one_inside() {
    for with_secret in [true, false] {
        let mut site = Site::with(|options| {
            public(options);
            options.secret = options.secret.take().filter(|_| with_secret);
        })
        .await;
        let chat = site.conversation().await;
        let url = site.stream_url(&chat, "").await;
        assert!(
            url.starts_with("wss://chat.example/v3/directline/conversations/"),
            "{url}"
        );
        let upload = Request::post(format!("{}/upload?userId=dl_ann", chat.path()))
            .header(header::AUTHORIZATION, format!("Bearer {}", chat.token))
            .header(header::HOST, "localhost:3978")
            .header(header::CONTENT_TYPE, "text/plain")
            .body(Body::from("hello"))
            .unwrap();
        site.send(upload).await.ok();
        let got = site.delivered_message().await;
        let file = got.attachments.unwrap().remove(0).content_url.unwrap();
        assert!(file.starts_with("https://chat.example/v3/attachments/"), "{file}");
        assert_eq!(got.service_url, Some(site.channel.service_url()));
        let service_url = site.channel.service_url();
        if with_secret {
            assert!(service_url.starts_with("http://127.0.0.1:3978/local/"));
        } else {
            assert_eq!(service_url, INSIDE);
        }
    }
}

#[tokio::test]
async fn without_an_address_of_its_own_the_bot_gets_the_public_one() {
    let site = Site::with(|options| {
        public(options);
        options.base_url = BaseUrl::fixed("https://chat.example/bots/");
        options.connector_url = None;
    })
    .await;
    let service_url = site.channel.service_url();
    let key = service_url
        .strip_prefix("https://chat.example/bots/local/")
        .unwrap();
    assert_eq!(key.len(), 43, "256 bits");
}

/// Everything that names the bot's `serviceUrl` in what it sends, as bots do.
fn telling(site: &Site, kind: &str) -> Value {
    let service_url = site.channel.service_url();
    json!({
        "type": kind,
        "text": format!("I am at {service_url}, that is {}", key(site)),
        "serviceUrl": service_url,
        "relatesTo": { "serviceUrl": service_url, "conversation": { "id": "c" } },
        "attachments": [{ "contentUrl": format!("{service_url}/v3/attachments/a/views/original") }],
        "channelData": { "reference": { "serviceUrl": service_url } },
    })
}

#[tokio::test]
async fn no_client_is_ever_shown_the_key() {
    let site = Site::with(secret).await;
    let mut shown: Vec<(&str, String)> = Vec::new();
    let text =
        |reply: &crate::kit::Reply| format!("{:?} {}", reply.headers, String::from_utf8_lossy(&reply.bytes));
    let generated = site
        .post(
            "/v3/directline/tokens/generate",
            Some("s3cret"),
            json!({ "user": { "id": "dl_ann" } }),
        )
        .await;
    shown.push(("generate", text(&generated)));
    let token = generated.ok()["token"].as_str().unwrap().to_owned();
    let start = site
        .post("/v3/directline/conversations", Some(&token), json!({}))
        .await;
    shown.push(("start", text(&start)));
    let chat = Chat {
        id: start.json()["conversationId"].as_str().unwrap().to_owned(),
        token: token.clone(),
    };
    site.serve().await;
    let mut socket = site.open_stream(&chat, "").await;

    let below = format!("{}/v3/conversations/{}", site.connector_path(), chat.id);
    let send = async |path: &str, method: Method, body: Value| {
        let reply = site
            .call(method, &format!("{below}/{path}"), None, Some(body))
            .await;
        reply.ok()["id"].as_str().unwrap().to_owned()
    };
    send("activities", Method::POST, telling(&site, "typing")).await;
    shown.push(("typing", socket.set().await.unwrap().to_string()));
    let id = send("activities", Method::POST, telling(&site, "message")).await;
    shown.push(("message", socket.set().await.unwrap().to_string()));
    let of_it = format!("activities/{}", id.replace('|', "%7C"));
    send(&of_it, Method::POST, telling(&site, "event")).await;
    shown.push(("reply", socket.set().await.unwrap().to_string()));
    send(&of_it, Method::PUT, telling(&site, "message")).await;
    shown.push(("update", socket.set().await.unwrap().to_string()));
    let mut said = telling(&site, "message");
    said["from"] = json!({ "id": "dl_bob" });
    let transcript = json!({ "activities": [telling(&site, "message"), said] });
    send("activities/history", Method::POST, transcript).await;
    shown.push(("import", socket.set().await.unwrap().to_string()));

    let mut own = json!({ "type": "message", "text": "mine", "from": { "id": "dl_ann" } });
    own["serviceUrl"] = json!("http://client.example");
    let post = site
        .post(&format!("{}/activities", chat.path()), Some(&token), own)
        .await;
    post.ok();
    shown.push(("post", text(&post)));
    shown.push(("echo", socket.set().await.unwrap().to_string()));
    let upload = site
        .call_text(
            Method::POST,
            &format!("{}/upload?userId=dl_ann", chat.path()),
            Some(&token),
            "file",
        )
        .await;
    upload.ok();
    shown.push(("upload", text(&upload)));
    shown.push(("uploaded", socket.set().await.unwrap().to_string()));
    for (name, path, method) in [
        ("reconnect", chat.path(), Method::GET),
        ("activities", format!("{}/activities", chat.path()), Method::GET),
        (
            "refresh",
            "/v3/directline/tokens/refresh".to_owned(),
            Method::POST,
        ),
        (
            "session",
            "/v3/directline/session/getsessionid".to_owned(),
            Method::GET,
        ),
        (
            "unknown",
            format!("{}/activities?watermark=x", chat.path()),
            Method::GET,
        ),
    ] {
        shown.push((name, text(&site.call(method, &path, Some(&token), None).await)));
    }
    let history = site.channel.history(&chat.id).await.unwrap().unwrap();
    assert_eq!(history.len(), 6);
    assert!(
        history
            .iter()
            .all(|activity: &Activity| activity.service_url.is_none())
    );
    shown.push(("history", serde_json::to_string(&history).unwrap()));

    for (name, text) in &shown {
        assert!(!text.contains(&key(&site)), "{name}: {text}");
        assert!(!text.contains("/local/"), "{name}: {text}");
    }
    let (activities, _) = site.activities(&chat, "").await;
    let base = site
        .channel
        .service_url()
        .split_once("/local/")
        .unwrap()
        .0
        .to_owned();
    for activity in &activities {
        assert!(activity.get("serviceUrl").is_none(), "{activity}");
    }
    // What the bot had built on its serviceUrl leads to the address that clients have.
    assert_eq!(activities[0]["relatesTo"]["serviceUrl"], base);
    assert_eq!(
        activities[0]["attachments"][0]["contentUrl"],
        format!("{base}/v3/attachments/a/views/original")
    );
}

#[tokio::test]
async fn a_file_of_the_bot_is_read_by_its_id_on_both_sides() {
    let mut site = Site::with(public).await;
    let chat = site.conversation().await;
    let below = site.connector_path();
    let file = site
        .post(
            &format!("{below}/v3/conversations/{}/attachments", chat.id),
            None,
            json!({ "originalBase64": "aGVsbG8=", "name": "n.txt", "type": "text/plain" }),
        )
        .await
        .ok();
    let path = format!("/v3/attachments/{}", file["id"].as_str().unwrap());
    for prefix in ["", below.as_str()] {
        let info = site.get(&format!("{prefix}{path}"), None).await.ok();
        assert_eq!(info["name"], "n.txt");
        let view = site.get(&format!("{prefix}{path}/views/original"), None).await;
        assert_eq!(view.bytes, b"hello");
    }
    let wrong = site.get(&format!("/local/guess{path}"), None).await;
    assert_eq!(wrong.refusal(), refused(404, "NotFound"));
    let none = site.get(&format!("{below}/v3/attachments/guess"), None).await;
    assert_eq!(none.refusal(), refused(404, "NotFound"));
}

#[tokio::test]
async fn with_a_secret_direct_line_has_cors_as_without_and_the_bots_side_none() {
    let site = Site::with(public).await;
    let plain = Site::new().await;
    let preflight = |path: &str| {
        Request::options(path)
            .header("origin", "https://elsewhere.example")
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization")
            .body(Body::empty())
            .unwrap()
    };
    let path = "/v3/directline/conversations";
    let with = site.send(preflight(path)).await;
    assert!(with.status.is_success());
    assert_eq!(with.headers, plain.send(preflight(path)).await.headers);
    for path in [
        format!("{}/v3/conversations", site.connector_path()),
        "/local/guess/v3/conversations".to_owned(),
        "/v3/conversations".to_owned(),
    ] {
        let reply = site.send(preflight(&path)).await;
        assert!(!reply.status.is_success(), "{path}");
        assert!(reply.headers.get("access-control-allow-origin").is_none());
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn neither_a_log_nor_debug_output_holds_the_key() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _until_the_end = tracing::subscriber::set_default(subscriber);
    let mut site = Site::with(public).await;
    tracing::info!("the log is kept");
    let chat = site.conversation().await;
    for (method, path, body) in calls(&chat) {
        site.call(method, &format!("{}{path}", site.connector_path()), None, body)
            .await;
    }
    let broken = format!("{}/v3/conversations/%ff/members", site.connector_path());
    assert_eq!(site.get(&broken, None).await.status, 400);
    let key = key(&site);
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("the log is kept"));
    assert!(!log.contains(&key), "{log}");
    let debug = format!("{:?}", site.channel);
    assert!(debug.contains(INSIDE) && debug.contains(PUBLIC), "{debug}");
    assert!(!debug.contains(&key) && !debug.contains("s3cret"), "{debug}");
}
