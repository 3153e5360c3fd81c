//! One process of the server.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

/// A test that waits longer than this for something has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);
/// How long the server waits for an answer of the channel.
pub(crate) const SEND_TIMEOUT: Duration = Duration::from_secs(5);

/// How a node is started.
#[derive(Clone, Debug)]
pub(crate) struct NodeOptions {
    /// Where it runs and writes its log.
    pub(crate) folder: PathBuf,
    pub(crate) database: String,
    /// How long its claims hold; `None` leaves the default.
    pub(crate) lease: Option<&'static str>,
}

/// A started node, ready or not yet.
pub(crate) struct Node {
    child: Child,
    /// Its address, once it is ready.
    said: watch::Receiver<Option<String>>,
    /// The same, once that was waited for.
    pub(crate) base: String,
    log: PathBuf,
}

impl Node {
    /// Starts it; it is not ready yet.
    pub(crate) fn start(options: &NodeOptions) -> Self {
        let log = options.folder.join("log.txt");
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidings"));
        command
            .args([
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--database",
                &options.database,
            ])
            .current_dir(&options.folder)
            .kill_on_drop(true)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(appending(&log));
        for (name, _) in std::env::vars() {
            if name.starts_with("TIDINGS_") || name.starts_with("MicrosoftApp") || name == "PORT" {
                command.env_remove(name);
            }
        }
        command
            .env("TIDINGS_LOG", "warn")
            .env("TIDINGS_SEND_TIMEOUT", format!("{}s", SEND_TIMEOUT.as_secs()));
        if let Some(lease) = options.lease {
            command.env("TIDINGS_LEASE", lease);
        }
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (ready, said) = watch::channel(None);
        tokio::spawn(async move {
            let mut page = None;
            // Read to its end: the process must not die of writing to a closed pipe.
            while let Ok(Some(line)) = lines.next_line().await {
                let mut words = line.split_whitespace();
                match (words.next(), words.next()) {
                    (Some("page"), Some(url)) => page = Some(url.trim_end_matches('/').to_owned()),
                    (Some("Ctrl-C"), _) => {
                        ready.send_replace(page.take());
                    }
                    _ => {}
                }
            }
        });
        Self {
            child,
            said,
            base: String::new(),
            log,
        }
    }

    /// Waits until it serves.
    pub(crate) async fn ready(&mut self) {
        let ready = self.said.wait_for(Option::is_some);
        match tokio::time::timeout(PATIENCE, ready).await {
            Ok(Ok(base)) => self.base = base.clone().unwrap(),
            Ok(Err(_)) => panic!("the server ended while it started:\n{}", tail(&self.log)),
            Err(_) => panic!("the server did not start:\n{}", tail(&self.log)),
        }
    }

    /// SIGKILL, and waits until the process is gone.
    ///
    /// Panics if it had ended by itself.
    pub(crate) async fn kill(&mut self) {
        if let Some(status) = self.child.try_wait().unwrap() {
            panic!("the server ended by itself, {status}:\n{}", tail(&self.log));
        }
        self.child.start_kill().unwrap();
        self.ended().await;
    }

    /// As [`kill`](Self::kill), where it was told to stop and may have done so.
    pub(crate) async fn kill_or_find_ended(&mut self) {
        // Fails where it is gone.
        let _ = self.child.start_kill();
        let status = self.ended().await;
        assert!(
            status.success() || status.code().is_none(),
            "stopped with {status}:\n{}",
            tail(&self.log)
        );
    }

    /// Sends a signal by its name.
    pub(crate) async fn signal(&self, name: &str) {
        let pid = self.child.id().expect("the process has ended").to_string();
        let mut kill = Command::new("kill");
        assert!(
            kill.args([&format!("-{name}"), &pid])
                .status()
                .await
                .unwrap()
                .success()
        );
    }

    /// SIGTERM, and waits for a clean end.
    pub(crate) async fn stop(&mut self) {
        self.signal("TERM").await;
        let status = self.ended().await;
        assert!(status.success(), "stopped with {status}:\n{}", tail(&self.log));
    }

    async fn ended(&mut self) -> ExitStatus {
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        ended.expect("the server did not end").unwrap()
    }
}

fn appending(path: &Path) -> File {
    File::options().create(true).append(true).open(path).unwrap()
}

/// The end of a log, for a failure's message.
fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}
