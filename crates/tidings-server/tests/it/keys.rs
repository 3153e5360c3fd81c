//! The API of a server in local mode, over sockets: no key is needed, and every change is on record all the same.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::harness::{Host, bot, channel, message, read};

async fn send(host: &Host, method: Method, path: &str, body: Option<Value>) -> Response {
    let mut request = host.client.request(method, format!("{}{path}", host.base));
    if let Some(body) = body {
        request = request
            .header("content-type", "application/json")
            .body(body.to_string());
    }
    request.send().await.unwrap()
}

#[tokio::test]
async fn a_job_system_completes_a_job_and_it_is_on_record() {
    let host = Host::start(bot()).await;
    let channel = channel(200).await;
    host.post(&message(&channel.uri(), "run")).await;
    let (_, log) = read(host.get("/api/v1/jobs").await).await;
    let number = log["jobs"][0]["number"].as_u64().unwrap();
    let path = format!("/api/v1/jobs/{number}/complete");
    let (status, job) = read(send(&host, Method::POST, &path, Some(json!({}))).await).await;
    assert_eq!(
        (status, &job["state"], &job["alreadyComplete"]),
        (200, &json!("complete"), &json!(false))
    );
    let (_, audit) = read(host.get("/api/v1/audit").await).await;
    let row = &audit["entries"][0];
    assert_eq!(
        (
            &row["keyId"],
            &row["target"],
            &row["status"],
            &row["remoteAddress"]
        ),
        (
            &json!("local"),
            &json!(number.to_string()),
            &json!(200),
            &json!("127.0.0.1")
        )
    );
}

#[tokio::test]
async fn keys_and_the_audit_survive_a_restart() {
    let host = Host::start(bot()).await;
    let body = json!({ "name": "CI", "scopes": ["jobs:write"] });
    let (status, made) = read(send(&host, Method::POST, "/api/v1/keys", Some(body)).await).await;
    assert_eq!(status, 201);
    let path = format!("/api/v1/keys/{}", made["id"].as_str().unwrap());
    assert_eq!(send(&host, Method::DELETE, &path, None).await.status(), 200);
    let keys = read(host.get("/api/v1/keys").await).await;
    let audit = read(host.get("/api/v1/audit").await).await;
    assert_eq!(keys.1["keys"][0]["state"], "revoked");
    assert_eq!(audit.1["entries"].as_array().unwrap().len(), 2);
    let host = host.restart(bot()).await;
    assert_eq!(read(host.get("/api/v1/keys").await).await, keys);
    assert_eq!(read(host.get("/api/v1/audit").await).await, audit);
}

/// What a form of a foreign page can send, and what a script of one cannot.
#[tokio::test]
async fn nothing_is_changed_for_a_foreign_page() {
    let host = Host::start(bot()).await;
    let ask = async |kind: &str, origin: Option<&str>| {
        let mut request = host
            .client
            .post(format!("{}/api/v1/keys", host.base))
            .header("content-type", kind)
            .body(r#"{"scopes":["keys:write"]}"#);
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(ask("text/plain", None).await, 415);
    assert_eq!(ask("application/x-www-form-urlencoded", None).await, 415);
    for kind in ["text/plain", "application/json"] {
        for origin in ["https://example.com", "null"] {
            assert_eq!(ask(kind, Some(origin)).await, 403, "{kind} {origin}");
        }
    }
    let (_, ring) = read(host.get("/api/v1/keys").await).await;
    assert_eq!(ring["keys"], json!([]));
    assert_eq!(ask("application/json", Some(&host.base)).await, 201);
}
