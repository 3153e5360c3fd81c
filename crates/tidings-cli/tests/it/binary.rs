//! Running the binary.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::Client;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// A test that waits longer than this for something has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// An address of this machine where nobody listens.
pub(crate) fn closed() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// The command, in `folder`, without the settings of whoever runs the tests.
pub(crate) fn tidings(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidings"));
    command
        .current_dir(folder)
        .kill_on_drop(true)
        .stdin(Stdio::null());
    for (name, _) in std::env::vars() {
        if name.starts_with("TIDINGS_")
            || name.starts_with("OTEL_")
            || name.starts_with("MicrosoftApp")
            || name == "PORT"
        {
            command.env_remove(name);
        }
    }
    command
}

pub(crate) async fn output(command: &mut Command) -> Output {
    tokio::time::timeout(PATIENCE, command.output())
        .await
        .expect("the command did not end")
        .unwrap()
}

/// Runs a command that must fail, and returns its exit code and its one line on standard error.
pub(crate) async fn failure(command: &mut Command) -> (i32, String) {
    let output = output(command).await;
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.stdout.is_empty(),
        "{:?}",
        String::from_utf8_lossy(&output.stdout)
    );
    assert_eq!(stderr.matches('\n').count(), 1, "one line: {stderr}");
    assert!(stderr.starts_with("tidings: "), "{stderr}");
    (output.status.code().unwrap(), stderr.trim_end().to_owned())
}

/// An activity's id; the same id again would be a redelivery.
fn next_id() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("m-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A served bot.
pub(crate) struct Served {
    pub(crate) base: String,
    pub(crate) banner: String,
    pub(crate) client: Client,
    child: Child,
    // Kept open: the process must not die of writing to a closed pipe.
    _stdout: Lines<BufReader<ChildStdout>>,
}

impl Served {
    /// On a free port, with `tidings.db` in `folder`.
    pub(crate) async fn start(folder: &TempDir) -> Self {
        Self::start_as(tidings(folder.path()).args(["serve", "--listen", "127.0.0.1:0"])).await
    }

    pub(crate) async fn start_as(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut banner = String::new();
        let read = async {
            while let Some(line) = lines.next_line().await.unwrap() {
                banner.push_str(&line);
                banner.push('\n');
                if line.starts_with("Ctrl-C") {
                    return;
                }
            }
            panic!("the server ended: {banner}");
        };
        tokio::time::timeout(PATIENCE, read)
            .await
            .expect("the server did not start");
        let page = banner
            .split_whitespace()
            .find(|word| word.starts_with("http://"))
            .unwrap();
        let base = page.trim_end_matches('/').to_owned();
        let client = Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        Self {
            base,
            banner,
            client,
            child,
            _stdout: lines,
        }
    }

    /// Sends a message and returns the status and the texts of the replies in the answer's body.
    pub(crate) async fn say(&self, text: &str) -> (u16, Vec<String>) {
        let activity = json!({
            "type": "message",
            "id": next_id(),
            "channelId": "test",
            "serviceUrl": "http://127.0.0.1:1",
            "from": { "id": "user" },
            "recipient": { "id": "bot" },
            "conversation": { "id": "conversation" },
            "deliveryMode": "expectReplies",
            "text": text,
        });
        let (status, body) = self.post(&activity).await;
        let replies = body["activities"].as_array().cloned().unwrap_or_default();
        (
            status,
            replies
                .iter()
                .filter_map(|reply| Some(reply["text"].as_str()?.to_owned()))
                .collect(),
        )
    }

    pub(crate) async fn post(&self, activity: &Value) -> (u16, Value) {
        let request = self.client.post(format!("{}/api/messages", self.base));
        let response = request
            .header("content-type", "application/json")
            .body(activity.to_string())
            .send()
            .await
            .unwrap();
        let status = response.status().as_u16();
        (
            status,
            serde_json::from_str(&response.text().await.unwrap()).unwrap_or_default(),
        )
    }

    pub(crate) async fn jobs(&self) -> Value {
        let response = self
            .client
            .get(format!("{}/api/v1/jobs", self.base))
            .send()
            .await
            .unwrap();
        serde_json::from_str(&response.text().await.unwrap()).unwrap()
    }

    /// Sends a signal by its name.
    pub(crate) async fn signal(&self, name: &str) {
        let pid = self.child.id().expect("the process has ended").to_string();
        assert!(
            Command::new("kill")
                .args([&format!("-{name}"), &pid])
                .status()
                .await
                .unwrap()
                .success()
        );
    }

    /// Waits for the end and returns the exit code; `None` if a signal ended it.
    pub(crate) async fn ended(mut self) -> Option<i32> {
        tokio::time::timeout(PATIENCE, self.child.wait())
            .await
            .expect("the server did not end")
            .unwrap()
            .code()
    }
}
