//! A server on a free port with a database of its own, and a bot that does what a test needs.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::{Client, Response};
use serde_json::{Value, json};
use tempfile::TempDir;
use tidings_bot::{Bot, Error, Result, Router, Text, TurnContext};
use tidings_proactive::Jobs;
use tidings_server::{Config, Keys, Server};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

/// A test that waits longer than this for something has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A running server.
pub(crate) struct Host {
    pub(crate) base: String,
    pub(crate) client: Client,
    pub(crate) jobs: Jobs,
    pub(crate) keys: Keys,
    stop: CancellationToken,
    ended: JoinHandle<()>,
    folder: Arc<TempDir>,
}

impl Host {
    pub(crate) async fn start(bot: impl Bot) -> Self {
        Self::start_with(bot, Config::default()).await
    }

    /// On a free port, with a database in a folder of its own; the rest as configured.
    pub(crate) async fn start_with(bot: impl Bot, config: Config) -> Self {
        Self::start_in(Arc::new(tempfile::tempdir().unwrap()), bot, config).await
    }

    async fn start_in(folder: Arc<TempDir>, bot: impl Bot, config: Config) -> Self {
        let database = database(folder.path());
        Self::start_on(database, folder, bot, config).await
    }

    /// As [`start_with`](Self::start_with), on the database with this URL.
    pub(crate) async fn start_on(
        database: String,
        folder: Arc<TempDir>,
        bot: impl Bot,
        config: Config,
    ) -> Self {
        let config = Config {
            listen: "127.0.0.1:0".parse().unwrap(),
            database,
            ..config
        };
        let server = Server::bind(&config, bot).await.unwrap();
        let base = server.base_url().to_owned();
        let jobs = server.proactive().jobs();
        let keys = server.keys().clone();
        let stop = CancellationToken::new();
        let ended = tokio::spawn(server.run(stop.clone().cancelled_owned()));
        let client = Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        Self {
            base,
            client,
            jobs,
            keys,
            stop,
            ended,
            folder,
        }
    }

    /// Where the server listens, without the scheme.
    pub(crate) fn authority(&self) -> &str {
        self.base.strip_prefix("http://").unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.client
            .get(format!("{}{path}", self.base))
            .send()
            .await
            .unwrap()
    }

    /// Posts an activity to the bot.
    pub(crate) async fn post(&self, activity: &Value) -> Response {
        self.post_bytes(activity.to_string()).await
    }

    pub(crate) async fn post_bytes(&self, body: impl Into<reqwest::Body>) -> Response {
        let request = self.client.post(format!("{}/api/messages", self.base));
        request
            .header("content-type", "application/json; charset=utf-8")
            .body(body)
            .send()
            .await
            .unwrap()
    }

    pub(crate) fn begin_stop(&self) {
        self.stop.cancel();
    }

    /// Stops the server and waits for its end.
    pub(crate) async fn stop(self) -> Arc<TempDir> {
        self.stop.cancel();
        tokio::time::timeout(PATIENCE, self.ended)
            .await
            .expect("the server did not stop")
            .unwrap();
        self.folder
    }

    /// Stops the server and starts another on its database.
    pub(crate) async fn restart(self, bot: impl Bot) -> Self {
        self.restart_with(bot, Config::default()).await
    }

    pub(crate) async fn restart_with(self, bot: impl Bot, config: Config) -> Self {
        let folder = self.stop().await;
        Self::start_in(folder, bot, config).await
    }
}

/// Whether the tests run on PostgreSQL: with `TIDINGS_TEST_DATABASE=postgres` they do, else on SQLite.
#[cfg(unix)]
fn is_on_postgres() -> bool {
    std::env::var_os("TIDINGS_TEST_DATABASE").is_some_and(|name| name == "postgres")
}

/// The URL of the database that belongs to `folder`, the same each time.
pub(crate) fn database(folder: &Path) -> String {
    #[cfg(unix)]
    if is_on_postgres() {
        let kept = folder.join("database-url");
        return std::fs::read_to_string(&kept).unwrap_or_else(|_| {
            let url = tidings_store::test_postgres::TestPostgres::shared().url();
            std::fs::write(&kept, &url).unwrap();
            url
        });
    }
    format!("sqlite://{}", folder.join("tidings.db").display())
}

/// Status and JSON body.
pub(crate) async fn read(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    let body = if text.is_empty() {
        Value::Null
    } else {
        serde_json::from_str(&text).expect(&text)
    };
    (status, body)
}

/// A channel that answers every call with `status`.
pub(crate) async fn channel(status: u16) -> MockServer {
    let channel = MockServer::start().await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(status).set_body_json(json!({ "id": "1" })))
        .mount(&channel)
        .await;
    channel
}

/// A message as a channel at `service_url` would bring it, with an id of its own: the same id would be a redelivery.
pub(crate) fn message(service_url: &str, text: &str) -> Value {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    json!({
        "type": "message",
        "id": format!("m-{}", NEXT.fetch_add(1, Ordering::Relaxed)),
        "channelId": "test",
        "serviceUrl": service_url,
        "from": { "id": "user" },
        "recipient": { "id": "bot" },
        "conversation": { "id": "conversation" },
        "text": text,
    })
}

/// What the bot of the tests does, by the text it is sent.
pub(crate) fn bot() -> Router {
    Router::new()
        .message("run", async |turn: &mut TurnContext, jobs: Jobs| {
            let job = jobs.start(turn.reference()).await?;
            turn.say(format!("started {job}")).await
        })
        .message("fail", async |_: &mut TurnContext| Err(Error::msg("out of luck")))
        .message("panic", async |_: &mut TurnContext| -> Result<()> {
            panic!("the handler's own words")
        })
        .message("quiet", async |_: &mut TurnContext| Ok(()))
        .otherwise(async |turn: &mut TurnContext, text: Text| turn.say(format!("echo {text}")).await)
}

/// A bot whose turns wait in the middle until the test lets them go on.
#[derive(Clone)]
pub(crate) struct Gatekeeper {
    pub(crate) entered: Arc<Semaphore>,
    pub(crate) go_on: Arc<Notify>,
}

impl Gatekeeper {
    pub(crate) fn new() -> Self {
        Self {
            entered: Arc::new(Semaphore::new(0)),
            go_on: Arc::new(Notify::new()),
        }
    }

    /// Waits until one more turn is in the middle.
    pub(crate) async fn wait(&self) {
        tokio::time::timeout(PATIENCE, self.entered.acquire())
            .await
            .expect("no turn began")
            .unwrap()
            .forget();
    }
}

#[async_trait::async_trait]
impl Bot for Gatekeeper {
    async fn on_turn(&self, turn: &mut TurnContext) -> Result<()> {
        self.entered.add_permits(1);
        self.go_on.notified().await;
        turn.say("done waiting").await
    }
}
