//! Deliveries of a real server, to a channel that says what it is told to.

use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout};
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::binary::{PATIENCE, Served, closed, failure, output, tidings};

/// A bot that knows the conversation `conversation` of a channel, and an operator who follows its deliveries.
struct Desk {
    folder: tempfile::TempDir,
    served: Served,
    channel: MockServer,
    tail: Lines<BufReader<ChildStdout>>,
    _tail: Child,
}

impl Desk {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let served = Served::start(&folder).await;
        let channel = MockServer::start().await;
        let (status, body) = served
            .post(&json!({
                "type": "message", "id": "first", "channelId": "test", "serviceUrl": channel.uri(),
                "from": { "id": "user" }, "recipient": { "id": "bot" }, "conversation": { "id": "conversation" },
                "deliveryMode": "expectReplies", "text": "run"
            }))
            .await;
        assert_eq!(status, 200, "{body}");
        let mut child = tidings(folder.path())
            .args(["deliveries", "tail", "--json", "--server", &served.base])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            tail: BufReader::new(child.stdout.take().unwrap()).lines(),
            _tail: child,
            folder,
            served,
            channel,
        }
    }

    /// What the channel answers from now on.
    async fn channel_says(&self, status: u16, body: Value) {
        self.channel.reset().await;
        Mock::given(method("POST"))
            .respond_with(ResponseTemplate::new(status).set_body_json(body))
            .mount(&self.channel)
            .await;
    }

    async fn owe(&self, text: &str) -> u64 {
        let body =
            json!({ "conversationId": "conversation", "activity": { "type": "message", "text": text } });
        let response = self
            .served
            .client
            .post(format!("{}/api/v1/deliveries", self.served.base))
            .header("content-type", "application/json")
            .body(body.to_string())
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 202);
        let answer: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        answer["id"].as_u64().unwrap()
    }

    /// Waits until the tail has told that a delivery is in a state.
    async fn told(&mut self, id: u64, state: &str) {
        let told = async {
            loop {
                let line = self.tail.next_line().await.unwrap().expect("the tail has ended");
                let delivery: Value = serde_json::from_str(&line).unwrap();
                if delivery["id"] == id && delivery["state"] == state {
                    return;
                }
            }
        };
        tokio::time::timeout(PATIENCE, told)
            .await
            .unwrap_or_else(|_| panic!("delivery {id} was never {state}"));
    }

    fn with<'a>(&'a self, arguments: &[&'a str]) -> Vec<&'a str> {
        [&["deliveries"], arguments, &["--server", &self.served.base]].concat()
    }

    async fn printed(&self, arguments: &[&str]) -> String {
        printed(self.folder.path(), &self.with(arguments)).await
    }

    async fn limits(&self, arguments: &[&str]) -> String {
        let arguments = [&["limits"], arguments, &["--server", &self.served.base]].concat();
        printed(self.folder.path(), &arguments).await
    }

    async fn refused(&self, arguments: &[&str]) -> String {
        let (code, line) = failure(tidings(self.folder.path()).args(self.with(arguments))).await;
        assert_eq!(code, 1, "{line}");
        line
    }
}

async fn printed(folder: &Path, arguments: &[&str]) -> String {
    let output = output(tidings(folder).args(arguments)).await;
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn what_the_channel_rejects_is_seen_and_owed_again() {
    let mut desk = Desk::open().await;
    let refusal = json!({ "error": { "code": "BadArgument", "message": "the card is wrong" } });
    desk.channel_says(400, refusal).await;
    let id = desk.owe("Your report is ready.").await;
    desk.told(id, "dead").await;
    let list = desk.printed(&["list", "--state", "dead,unknown"]).await;
    assert!(
        list.contains("rejected; the connector answered 400 (BadArgument): the card is wrong"),
        "{list}"
    );
    assert!(!list.contains('\u{1b}'), "a pipe has no colours: {list:?}");
    let shown = desk.printed(&["show", &id.to_string()]).await;
    assert!(shown.starts_with(&format!("Delivery {id}: dead (")), "{shown}");
    for part in [
        "\"Your report is ready.\"",
        "conversation (test)",
        "accepted",
        "attempt 1",
        "400 (BadArgument)",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(
        shown.ends_with(&format!("Owe it again: tidings deliveries retry {id}\n")),
        "{shown}"
    );
    desk.channel_says(200, json!({ "id": "1:xyz" })).await;
    let retried = desk.printed(&["retry", &id.to_string()]).await;
    let again: u64 = retried
        .strip_prefix(&format!("Delivery {id} is owed again as "))
        .and_then(|rest| rest.strip_suffix(".\n"))
        .unwrap()
        .parse()
        .unwrap();
    desk.told(again, "delivered").await;
    let shown = desk.printed(&["show", &again.to_string()]).await;
    assert!(shown.contains(&format!("repeats   delivery {id}")), "{shown}");
    assert!(shown.contains("delivered, as activity 1:xyz"), "{shown}");
    let json: Value =
        serde_json::from_str(&desk.printed(&["show", &again.to_string(), "--json"]).await).unwrap();
    assert_eq!(
        (&json["retryOf"], &json["attempts"][0]["outcome"]),
        (&json!(id), &json!("delivered"))
    );
    let line = desk.refused(&["retry", &again.to_string()]).await;
    assert!(
        line.ends_with("is delivered and cannot be retried: only dead and unknown ones are"),
        "{line}"
    );
    let line = desk.refused(&["show", "99999"]).await;
    assert!(line.contains("no delivery has the id 99999"), "{line}");
}

#[tokio::test]
async fn a_paused_conversation_waits_and_what_waits_is_cancelled() {
    let mut desk = Desk::open().await;
    desk.channel_says(200, json!({ "id": "1" })).await;
    let paused = desk.printed(&["pause", "--conversation", "conversation"]).await;
    assert_eq!(
        paused,
        "Paused: the conversation conversation of the channel test.\n"
    );
    let first = desk.owe("first").await;
    let second = desk.owe("second").await;
    let list = desk
        .printed(&["list", "--conversation", "conversation", "--since", "1h"])
        .await;
    assert_eq!(list.matches("paused by an operator").count(), 2, "{list}");
    let shown = desk.printed(&["show", &first.to_string()]).await;
    assert!(shown.contains("now: paused by an operator"), "{shown}");
    let cancelled = desk.printed(&["cancel", &first.to_string()]).await;
    assert_eq!(cancelled, format!("Delivery {first} is cancelled.\n"));
    desk.told(first, "cancelled").await;
    let line = desk.refused(&["cancel", &first.to_string()]).await;
    assert!(
        line.ends_with("is cancelled and cannot be cancelled: it has ended"),
        "{line}"
    );
    let resumed = desk
        .printed(&["resume", "--conversation", "conversation", "--channel", "test"])
        .await;
    assert_eq!(resumed, "Nothing is paused.\n");
    desk.told(second, "delivered").await;
    let shown = desk.printed(&["show", &second.to_string()]).await;
    assert!(shown.contains("paused by an operator, for "), "{shown}");
    let page: Value = serde_json::from_str(&desk.printed(&["list", "--limit", "1", "--json"]).await).unwrap();
    assert_eq!(
        (&page["deliveries"][0]["id"], &page["next"]),
        (&json!(second), &json!(second.to_string()))
    );
    let older = desk.printed(&["list", "--before", &second.to_string()]).await;
    assert!(
        older.contains("cancelled") && !older.contains("delivered"),
        "{older}"
    );
}

#[tokio::test]
async fn what_is_held_is_passed_by_and_goes_when_it_is_released() {
    let mut desk = Desk::open().await;
    desk.channel_says(200, json!({ "id": "1" })).await;
    desk.printed(&["pause", "--all"]).await;
    let first = desk.owe("first").await.to_string();
    let second = desk.owe("second").await;
    let held = desk.printed(&["hold", &first]).await;
    assert_eq!(
        held,
        format!("Delivery {first} is held until it is released or expires.\n")
    );
    desk.printed(&["resume", "--all"]).await;
    desk.told(second, "delivered").await;
    let shown = desk.printed(&["show", &first]).await;
    assert!(
        shown.contains("now: held") && shown.contains(&format!("tidings deliveries release {first}")),
        "{shown}"
    );
    let line = desk.refused(&["hold", &second.to_string()]).await;
    assert!(
        line.ends_with("is delivered and cannot be held: it has ended"),
        "{line}"
    );
    let released = desk.printed(&["release", &first]).await;
    assert_eq!(released, format!("Delivery {first} is released.\n"));
    desk.told(first.parse().unwrap(), "delivered").await;
    let line = desk.refused(&["release", &first]).await;
    assert!(line.ends_with("cannot be released: only held ones are"), "{line}");
}

#[tokio::test]
async fn a_channel_and_everything_are_paused_and_go_on() {
    let mut desk = Desk::open().await;
    desk.channel_says(200, json!({ "id": "1" })).await;
    desk.printed(&["pause", "--channel", "test"]).await;
    let both = desk.printed(&["pause", "--all"]).await;
    assert_eq!(both, "Paused: everything.\nPaused: the channel test.\n");
    let id = desk.owe("later").await;
    assert_eq!(
        desk.printed(&["resume", "--all"]).await,
        "Paused: the channel test.\n"
    );
    let list = desk.printed(&["list"]).await;
    assert!(list.contains("paused by an operator"), "{list}");
    assert_eq!(
        desk.printed(&["resume", "--channel", "test"]).await,
        "Nothing is paused.\n"
    );
    desk.told(id, "delivered").await;
    let line = desk.refused(&["pause", "--conversation", "unheard of"]).await;
    assert!(
        line.contains("nothing was ever owed to the conversation unheard of"),
        "{line}"
    );
}

#[tokio::test]
async fn a_channel_is_limited_and_what_waits_for_it_goes_on() {
    let mut desk = Desk::open().await;
    desk.channel_says(200, json!({ "id": "1" })).await;
    let table = desk.limits(&["set", "test", "lane", "1/1h", "2/2h"]).await;
    let row = table.lines().last().unwrap();
    assert_eq!(
        row.split_whitespace().collect::<Vec<_>>(),
        ["test", "lane", "1/1h", "2/2h"],
        "{table}"
    );
    let first = desk.owe("at once").await;
    let second = desk.owe("in an hour").await;
    desk.told(first, "delivered").await;
    let table = desk.limits(&["remove", "test", "lane"]).await;
    assert_eq!(desk.limits(&["list"]).await, table);
    assert!(!table.contains("test"), "{table}");
    desk.told(second, "delivered").await;
}

#[tokio::test]
async fn without_a_server_it_is_said_where_none_is() {
    let folder = tempfile::tempdir().unwrap();
    let closed = closed();
    for arguments in [
        &["list"][..],
        &["show", "1"],
        &["tail"],
        &["retry", "1"],
        &["pause", "--all"],
    ] {
        let mut command = tidings(folder.path());
        command
            .arg("deliveries")
            .args(arguments)
            .env("TIDINGS_LISTEN", closed.to_string());
        let (code, line) = failure(&mut command).await;
        assert_eq!(code, 69, "{line}");
        assert!(
            line.contains("nothing listens there; start one with `tidings serve`"),
            "{line}"
        );
    }
}

#[tokio::test]
async fn wrong_arguments_are_explained_and_the_help_teaches() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, part) in [
        (&["list", "--state", "lost"][..], "retryable"),
        (
            &["list", "--since", "yesterday"],
            "how long ago, such as 2h or 3d",
        ),
        (&["list", "--limit", "501"], "1..=500"),
        (&["show", "seventeen"], "ID"),
        (&["retry"], "<ID>"),
        (&["pause"], "--all"),
        (&["pause", "--all", "--channel", "test"], "cannot be used with"),
    ] {
        let output = output(tidings(folder.path()).arg("deliveries").args(arguments)).await;
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(part), "{stderr}");
    }
    let help = printed(folder.path(), &["deliveries", "--help"]).await;
    for part in [
        "tidings deliveries retry 17 18",
        "may have arrived, nobody knows",
        "deliveries:write",
    ] {
        assert!(help.contains(part), "{part}: {help}");
    }
}
