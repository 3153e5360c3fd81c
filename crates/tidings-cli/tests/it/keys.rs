//! Keys and the audit: in the database itself, through a running server, and what is said when neither goes.

use std::path::Path;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::binary::{Served, closed, failure, output, tidings};

/// Runs a command that must succeed, and returns what it prints.
async fn printed(folder: &Path, arguments: &[&str]) -> String {
    let output = output(tidings(folder).args(arguments)).await;
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

async fn json(folder: &Path, arguments: &[&str]) -> Value {
    let mut arguments = arguments.to_vec();
    arguments.push("--json");
    serde_json::from_str(&printed(folder, &arguments).await).unwrap()
}

#[tokio::test]
async fn keys_are_made_before_there_is_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let database = ["--database", "tidings.db"];
    let with = |arguments: &[&'static str]| [arguments, &database].concat();
    let key = printed(
        folder,
        &with(&[
            "keys",
            "create",
            "--scope",
            "jobs:write",
            "--name",
            "CI",
            "--expires",
            "90d",
        ]),
    )
    .await;
    assert!(key.starts_with("tid_") && key.trim_end().len() == 81, "{key}");
    let second = json(
        folder,
        &with(&["keys", "create", "--scope", "keys:write", "--scope", "audit:read"]),
    )
    .await;
    assert_eq!(second["scopes"], serde_json::json!(["keys:write", "audit:read"]));
    let table = printed(folder, &with(&["keys", "list"])).await;
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 3, "{table}");
    assert!(
        lines[0].contains("LAST USED") && lines[2].contains("CI") && lines[2].contains("live"),
        "{table}"
    );
    let revoked = printed(
        folder,
        &["keys", "revoke", key.trim_end(), "--database", "tidings.db"],
    )
    .await;
    assert!(revoked.ends_with("(CI) is revoked.\n"), "{revoked}");
    let ring = json(folder, &with(&["keys", "list"])).await;
    assert_eq!(ring["keys"][1]["state"], "revoked");
    let audit = json(folder, &with(&["audit", "list"])).await;
    let told: Vec<_> = audit["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["route"].as_str().unwrap())
        .collect();
    assert_eq!(
        told,
        [
            "tidings keys revoke",
            "tidings keys create",
            "tidings keys create"
        ]
    );
    let table = printed(folder, &with(&["audit", "list", "--limit", "1"])).await;
    assert!(table.contains("Older ones: --cursor 3."), "{table}");
    let (code, line) = failure(tidings(folder).args(with(&["keys", "revoke", "000000000000"]))).await;
    assert_eq!(code, 1);
    assert!(line.contains("no key has the id 000000000000"), "{line}");
}

#[tokio::test]
async fn a_running_server_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(&folder).await;
    let folder = folder.path();
    let server = ["--server", served.base.as_str()];
    let key = printed(
        folder,
        &[&["keys", "create", "--scope", "jobs:read"], &server[..]].concat(),
    )
    .await;
    let ring = json(folder, &[&["keys", "list"], &server[..]].concat()).await;
    let id = ring["keys"][0]["id"].as_str().unwrap();
    assert!(key.contains(id));
    printed(folder, &[&["keys", "revoke", id], &server[..]].concat()).await;
    let audit = json(folder, &[&["audit", "list"], &server[..]].concat()).await;
    assert_eq!(audit["entries"][0]["route"], "/api/v1/keys/{id}");
    assert_eq!(audit["entries"][1]["target"], id);
    // The same without the name of the server: its database is locked, and both ways out are named.
    let (code, line) = failure(tidings(folder).args(["keys", "list", "--database", "tidings.db"])).await;
    assert_eq!(code, 75, "{line}");
    for way in ["stop that server", "--server URL", "TIDINGS_API_KEY", "keys:read"] {
        assert!(line.contains(way), "{way} is missing in {line}");
    }
}

/// A server that answers one request as told, and returns the request.
async fn answering(listener: &TcpListener, answer: &str) -> String {
    let (mut call, _) = listener.accept().await.unwrap();
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(call.read_u8().await.unwrap());
    }
    let head = "HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\n";
    let answer = format!("{head}Content-Length: {}\r\n\r\n{answer}", answer.len());
    call.write_all(answer.as_bytes()).await.unwrap();
    String::from_utf8(request).unwrap()
}

#[tokio::test]
async fn the_key_is_sent_and_a_refusal_explained() {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let refusal = r#"{"error":{"code":"MissingKey","message":"an API key is needed"}}"#;
    for (arguments, scope) in [
        (&["keys", "list"][..], "keys:read"),
        (&["keys", "create", "--scope", "jobs:read"], "keys:write"),
        (&["audit", "list"], "audit:read"),
        (&["jobs", "list"], "jobs:read"),
        (&["deliveries", "list"], "deliveries:read"),
        (&["deliveries", "tail"], "deliveries:read"),
        (&["deliveries", "retry", "1"], "deliveries:write"),
    ] {
        let mut command = tidings(folder.path());
        // The server is found by the configuration, as the operator's would be.
        let command = command
            .args(arguments)
            .env("TIDINGS_LISTEN", &address)
            .env("TIDINGS_API_KEY", "tid_1_2");
        let ((code, line), request) = tokio::join!(failure(command), answering(&listener, refusal));
        assert_eq!(code, 77, "{line}");
        assert!(
            request
                .to_lowercase()
                .contains("\r\nauthorization: bearer tid_1_2\r\n"),
            "{request}"
        );
        assert!(
            line.contains("an API key is needed") && line.contains("TIDINGS_API_KEY"),
            "{line}"
        );
        assert!(line.contains(scope) && !line.contains("tid_1_2"), "{line}");
        assert_eq!(
            line.contains("stop the server"),
            ["keys", "audit"].contains(&arguments[0]),
            "{line}"
        );
    }
    let help = printed(folder.path(), &["keys", "list", "--help"]).await;
    assert!(help.contains("TIDINGS_API_KEY"), "{help}");
}

#[tokio::test]
async fn neither_a_server_nor_a_database() {
    let folder = tempfile::tempdir().unwrap();
    let closed = closed();
    for arguments in [
        &["keys", "list"][..],
        &["keys", "revoke", "0a"],
        &["audit", "list"],
    ] {
        let mut command = tidings(folder.path());
        let (code, line) = failure(command.args(arguments).env("TIDINGS_LISTEN", closed.to_string())).await;
        assert_eq!(code, 69, "{line}");
        assert!(
            line.contains("neither a running server nor the database"),
            "{line}"
        );
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let mut command = tidings(folder.path());
    command
        .args(["keys", "create", "--scope", "jobs:read"])
        .env("TIDINGS_LISTEN", closed.to_string());
    assert!(output(&mut command).await.status.success());
    assert!(folder.path().join("tidings.db").exists());
}

#[tokio::test]
async fn wrong_arguments_are_explained() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, part) in [
        (
            &["--scope", "jobs:delete"][..],
            "the scopes are jobs:read, jobs:write, deliveries:read",
        ),
        (&[], "--scope"),
        (&["--scope", "jobs:read", "--expires", "soon"], "90d"),
    ] {
        let output = output(tidings(folder.path()).args(["keys", "create"]).args(arguments)).await;
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(part), "{stderr}");
    }
}
