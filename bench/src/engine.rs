//! The engine in this process, on a database, with the connector's client as its way out.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::{Value, json};
use tidings_activity::{Activity, ConversationReference};
use tidings_bot::Conversation;
use tidings_connector::{ConnectorClient, Phase, SendError};
use tidings_proactive::{
    CancellationToken, Channel, Enqueue, MIGRATIONS, Outgoing, Proactive, ProactiveError, ProactiveOptions,
};
use tidings_store::{Database, DatabaseOptions, Stats, SystemClock};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use crate::place::Home;

/// The channel's name in the references.
pub(crate) const CHANNEL: &str = "test";
/// Some 250 bytes of JSON, as a short message has.
const TEXT: &str = "Your order has left the warehouse and will be with you tomorrow between nine and noon.";

/// A running engine; clones are handles to the same one.
#[derive(Clone)]
pub(crate) struct Engine {
    pub(crate) proactive: Proactive,
    database: Database,
    service_url: Arc<str>,
    stop: CancellationToken,
    running: Arc<Mutex<Option<Running>>>,
    /// Goes with the last handle.
    _home: Arc<Home>,
}

type Running = JoinHandle<Result<(), ProactiveError>>;

/// The way out, as the server's.
struct Way(ConnectorClient);

#[async_trait]
impl Channel for Way {
    async fn send(&self, outgoing: Outgoing<'_>) -> Result<Option<String>, SendError> {
        let missing = |what: &str| SendError::new(Phase::Refused, format!("the reference has no {what}"));
        let conversation = outgoing.conversation;
        let service_url = conversation
            .service_url
            .as_deref()
            .ok_or_else(|| missing("serviceUrl"))?;
        let id = conversation.conversation_id().ok_or_else(|| missing("id"))?;
        let sent = self
            .0
            .send_to_conversation(service_url, id, outgoing.activity)
            .await?;
        Ok(Some(sent.id).filter(|id| !id.is_empty()))
    }
}

impl Engine {
    /// On the database of `home`, sending to `service_url`; a conversation may have `backlog` messages open.
    pub(crate) fn start(home: Home, service_url: String, backlog: u32) -> Result<Self> {
        let options = DatabaseOptions::from_url(&home.url)?.component(MIGRATIONS);
        let database = Database::open(options)?;
        let mut options = ProactiveOptions::default();
        options.max_backlog = backlog;
        options.max_tenant_backlog = u32::MAX;
        let proactive = Proactive::with_options(database.clone(), Arc::new(SystemClock), options);
        let stop = CancellationToken::new();
        let way = Arc::new(Way(ConnectorClient::builder().build()?));
        let running = tokio::spawn({
            let (proactive, stop) = (proactive.clone(), stop.clone());
            async move { proactive.run(way, stop).await }
        });
        Ok(Self {
            proactive,
            database,
            service_url: service_url.into(),
            stop,
            running: Arc::new(Mutex::new(Some(running))),
            _home: Arc::new(home),
        })
    }

    /// A message to a conversation, which is meant to come at `at` microseconds since 1970.
    pub(crate) fn message(&self, conversation: &str, at: u64) -> Result<Enqueue> {
        let reference: ConversationReference = serde_json::from_value(json!({
            "channelId": CHANNEL,
            "serviceUrl": &*self.service_url,
            "conversation": { "id": conversation },
            "user": { "id": "user" },
            "bot": { "id": "bot" },
        }))?;
        let activity: Activity = serde_json::from_value(activity(at))?;
        Ok(Enqueue::new(
            &self.proactive,
            Conversation::from(reference),
            &activity,
        )?)
    }

    /// As [`message`](Self::message), not to be sent before that time.
    pub(crate) fn timer(&self, conversation: &str, at: u64) -> Result<Enqueue> {
        let due = Timestamp::from_microsecond(i64::try_from(at)?)?;
        Ok(self.message(conversation, at)?.not_before(due))
    }

    /// How many messages have not ended.
    pub(crate) async fn open(&self) -> Result<u64> {
        let open = self.database.read(|tx| {
            tx.first(
                "SELECT CAST(coalesce(sum(backlog), 0) AS BIGINT) FROM lanes",
                &[],
                |row| row.get::<i64>(0),
            )
        });
        Ok(open.await?.unwrap_or_default().unsigned_abs())
    }

    pub(crate) fn stats(&self) -> Stats {
        self.database.stats()
    }

    /// Stops and closes the database.
    pub(crate) async fn stop(self) -> Result<()> {
        self.stop.cancel();
        if let Some(running) = self.running.lock().await.take() {
            running.await.context("the engine died")??;
        }
        self.database.close().await;
        Ok(())
    }
}

/// The message of all measurements.
pub(crate) fn activity(at: u64) -> Value {
    json!({ "type": "message", "text": TEXT, "channelData": { "at": at } })
}

/// How long a drain may stand still.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
