//! The server in a process of its own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tidings_proactive::DeliveryState;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::connection::Connection;
use crate::engine::{CHANNEL, activity};
use crate::place::Home;

pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    control: Connection,
    process: Child,
    _folder: TempDir,
    _home: Home,
}

impl Served {
    /// Starts `tidings`, or the one that was built beside this program.
    pub(crate) async fn start(tidings: Option<&PathBuf>, home: Home) -> Result<Self> {
        let program = match tidings {
            Some(tidings) => tidings.clone(),
            None => std::env::current_exe()?.with_file_name("tidings"),
        };
        let folder = tempfile::tempdir()?;
        let mut process = Command::new(&program)
            .args(["serve", "--listen", "127.0.0.1:0", "--database", &home.url])
            .env("TIDINGS_LOG", "warn")
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| {
                let program = program.display();
                format!("cannot start {program}: build it with `cargo build --release -p tidings-cli`")
            })?;
        let stdout = process.stdout.take().context("the server has no output")?;
        let mut lines = BufReader::new(stdout).lines();
        let mut page = None;
        while let Some(line) = lines.next_line().await? {
            let mut words = line.split_whitespace();
            match (words.next(), words.next()) {
                (Some("page"), Some(url)) => page = Some(url.to_owned()),
                (Some("Ctrl-C"), _) => break,
                _ => {}
            }
        }
        let page = page.context("the server did not start")?;
        let address = page
            .trim_start_matches("http://")
            .trim_end_matches('/')
            .parse()
            .with_context(|| format!("the server is at {page}"))?;
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self {
            address,
            control: Connection::open(address).await?,
            process,
            _folder: folder,
            _home: home,
        })
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        self.process.id()
    }

    /// Says something to the bot and returns its answer.
    pub(crate) async fn say(
        &mut self,
        id: &str,
        conversation: &str,
        service_url: &str,
        text: &str,
    ) -> Result<String> {
        let activity = json!({
            "type": "message",
            "id": id,
            "channelId": CHANNEL,
            "serviceUrl": service_url,
            "from": { "id": "user" },
            "recipient": { "id": "bot" },
            "conversation": { "id": conversation },
            "deliveryMode": "expectReplies",
            "text": text,
        });
        let body = Bytes::from(activity.to_string());
        let (status, answer) = self.control.send(Method::POST, "/api/messages", body).await?;
        let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
        match answer["activities"][0]["text"].as_str() {
            Some(text) => Ok(text.to_owned()),
            None => bail!("the bot answered {status} {answer}"),
        }
    }

    /// Makes conversations known to the engine: the bot has had a message from each.
    pub(crate) async fn introduce(&mut self, conversations: u64, service_url: &str) -> Result<()> {
        for number in 0..conversations {
            let conversation = conversation(number);
            self.say(&conversation, &conversation, service_url, "run").await?;
        }
        Ok(())
    }

    /// How many messages have not ended.
    pub(crate) async fn open(&mut self) -> Result<u64> {
        let path = "/api/v1/deliveries/summary";
        let (status, body) = self.control.send(Method::GET, path, Bytes::new()).await?;
        let summary: Value = serde_json::from_slice(&body).unwrap_or_default();
        let Some(states) = summary["states"].as_object() else {
            bail!("{path} answered {status}");
        };
        let ended = |state: &str| DeliveryState::from_row(state).is_some_and(DeliveryState::is_final);
        let open = states.iter().filter(|(state, _)| !ended(state));
        Ok(open.filter_map(|(_, count)| count.as_u64()).sum())
    }

    /// SIGTERM, and waits for the end.
    pub(crate) async fn stop(mut self) -> Result<()> {
        if let Some(pid) = self.process.id() {
            Command::new("kill").arg(pid.to_string()).status().await?;
        }
        let status = self.process.wait().await?;
        if !status.success() {
            bail!("the server ended with {status}");
        }
        Ok(())
    }
}

/// The name of a conversation.
pub(crate) fn conversation(number: u64) -> String {
    format!("conversation-{number}")
}

/// One message, as the API takes it, and what it is part of.
pub(crate) fn delivery(conversation_number: u64, at: u64) -> Value {
    json!({
        "channelId": CHANNEL,
        "conversationId": conversation(conversation_number),
        "activity": activity(at),
    })
}
