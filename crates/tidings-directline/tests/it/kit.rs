//! A channel with a bot that does as it is told, and clients that speak plain HTTP and WebSocket.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use futures_util::StreamExt as _;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tidings_activity::{Activity, ChannelAccount};
use tidings_directline::{BaseUrl, BotEndpoint, BotReply, DirectLine, DirectLineOptions, MIGRATIONS};
use tidings_store::{Database, DatabaseOptions, ManualClock};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use tower::ServiceExt as _;

/// How long a test waits for something that must come before it calls it lost.
pub(crate) const LOST: Duration = Duration::from_secs(30);

/// What the bot does with the next activity.
#[derive(Debug)]
pub(crate) enum Deed {
    Answer(u16),
    Panic,
    /// Waits for a permit, then answers 200.
    WaitFor(Arc<Semaphore>),
}

pub(crate) struct TestBot {
    deeds: Mutex<VecDeque<Deed>>,
    got: mpsc::UnboundedSender<Activity>,
}

#[async_trait]
impl BotEndpoint for TestBot {
    async fn deliver(&self, activity: Activity) -> BotReply {
        let _test_is_over = self.got.send(activity);
        let deed = self.deeds.lock().unwrap().pop_front();
        match deed {
            None => BotReply::status(200),
            Some(Deed::Answer(status)) => BotReply::status(status),
            Some(Deed::Panic) => panic!("as told"),
            Some(Deed::WaitFor(permits)) => {
                permits.acquire().await.unwrap().forget();
                BotReply::status(200)
            }
        }
    }
}

/// Whether the tests run on PostgreSQL: with `TIDINGS_TEST_DATABASE=postgres` they do, else on SQLite.
fn is_on_postgres() -> bool {
    cfg!(unix) && std::env::var_os("TIDINGS_TEST_DATABASE").is_some_and(|name| name == "postgres")
}

/// A place for a database of its own, which goes with its last handle.
pub(crate) fn place() -> DatabaseOptions {
    #[cfg(unix)]
    if is_on_postgres() {
        return tidings_store::test_postgres::TestPostgres::shared()
            .options()
            .component(MIGRATIONS);
    }
    DatabaseOptions::temporary().component(MIGRATIONS)
}

/// As [`place`], in a file that stays.
pub(crate) fn lasting_place(folder: &Path) -> DatabaseOptions {
    match is_on_postgres() {
        true => place(),
        false => DatabaseOptions::new(folder.join("tidings.db")).component(MIGRATIONS),
    }
}

pub(crate) struct Site {
    pub(crate) channel: DirectLine,
    pub(crate) clock: ManualClock,
    pub(crate) database: Database,
    pub(crate) bot: Arc<TestBot>,
    pub(crate) inbox: mpsc::UnboundedReceiver<Activity>,
    base_url: watch::Sender<String>,
    secret: Option<String>,
    router: Router,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Vec<u8>,
}

impl Reply {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes)
            .unwrap_or_else(|_| panic!("not JSON: {:?}", String::from_utf8_lossy(&self.bytes)))
    }

    /// The body of an answer that must be 200.
    #[track_caller]
    pub(crate) fn ok(&self) -> Value {
        assert_eq!(
            self.status,
            StatusCode::OK,
            "{:?}",
            String::from_utf8_lossy(&self.bytes)
        );
        self.json()
    }

    /// The status and code of a refusal, whose body must be of the one shape.
    #[track_caller]
    pub(crate) fn refusal(&self) -> (u16, String) {
        let json = self.json();
        let error = &json["error"];
        assert!(
            error["message"]
                .as_str()
                .is_some_and(|message| !message.is_empty()),
            "{json}"
        );
        (self.status.as_u16(), error["code"].as_str().unwrap().to_owned())
    }

    #[track_caller]
    pub(crate) fn message(&self) -> String {
        self.json()["error"]["message"].as_str().unwrap().to_owned()
    }
}

/// A refusal as [`Reply::refusal`] gives it.
pub(crate) fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

impl Site {
    pub(crate) async fn new() -> Self {
        Self::with(|_| ()).await
    }

    pub(crate) async fn with(adjust: impl FnOnce(&mut DirectLineOptions)) -> Self {
        Self::on(Database::open(place()).unwrap(), ManualClock::default(), adjust).await
    }

    pub(crate) async fn on(
        database: Database,
        clock: ManualClock,
        adjust: impl FnOnce(&mut DirectLineOptions),
    ) -> Self {
        let (base_url, address) = watch::channel("http://127.0.0.1:3978".to_owned());
        let mut options = DirectLineOptions::new(BaseUrl::watch(address), ChannelAccount::new("bot", "Bot"))
            .with_clock(Arc::new(clock.clone()));
        adjust(&mut options);
        let secret = options
            .secret
            .as_ref()
            .map(|secret| secret.expose_secret().to_owned());
        let channel = DirectLine::open(database.clone(), options).await.unwrap();
        let (got, inbox) = mpsc::unbounded_channel();
        let bot = Arc::new(TestBot {
            deeds: Mutex::default(),
            got,
        });
        channel.connect(Arc::clone(&bot) as Arc<dyn BotEndpoint>);
        let router = channel.router();
        Self {
            channel,
            clock,
            database,
            bot,
            inbox,
            base_url,
            secret,
            router,
        }
    }

    pub(crate) fn deed(&self, deed: Deed) {
        self.bot.deeds.lock().unwrap().push_back(deed);
    }

    /// The next activity that the bot gets.
    pub(crate) async fn delivered(&mut self) -> Activity {
        tokio::time::timeout(LOST, self.inbox.recv())
            .await
            .expect("the bot gets an activity")
            .unwrap()
    }

    /// Passes over activities until the next message.
    pub(crate) async fn delivered_message(&mut self) -> Activity {
        loop {
            let activity = self.delivered().await;
            if activity.kind == "message" {
                return activity;
            }
        }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body
            .collect()
            .await
            .map(|body| body.to_bytes().to_vec())
            .unwrap_or_default();
        Reply {
            status: parts.status,
            headers: parts.headers,
            bytes,
        }
    }

    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<Value>,
    ) -> Reply {
        let body = body.map(|json| json.to_string()).unwrap_or_default();
        self.call_text(method, path, token, body).await
    }

    pub(crate) async fn call_text(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: impl Into<Body>,
    ) -> Reply {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        self.send(request.body(body.into()).unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str, token: Option<&str>) -> Reply {
        self.call(Method::GET, path, token, None).await
    }

    pub(crate) async fn post(&self, path: &str, token: Option<&str>, body: Value) -> Reply {
        self.call(Method::POST, path, token, Some(body)).await
    }

    /// A started conversation of a user whom the token names; the greeting is out of the inbox.
    pub(crate) async fn conversation_of(&mut self, user: &str) -> Chat {
        let generated = self
            .post(
                "/v3/directline/tokens/generate",
                self.secret.as_deref(),
                json!({ "user": { "id": user, "name": "Ann" } }),
            )
            .await
            .ok();
        let token = generated["token"].as_str().unwrap();
        let started = self
            .post("/v3/directline/conversations", Some(token), json!({}))
            .await;
        assert_eq!(started.status, StatusCode::CREATED);
        assert_eq!(self.delivered().await.kind, "conversationUpdate");
        Chat::from(&started.json())
    }

    pub(crate) async fn conversation(&mut self) -> Chat {
        self.conversation_of("dl_ann").await
    }

    /// What a client sees after a watermark.
    pub(crate) async fn activities(&self, chat: &Chat, watermark: &str) -> (Vec<Value>, String) {
        let path = format!("{}/activities?watermark={watermark}", chat.path());
        let set = self.get(&path, Some(&chat.token)).await.ok();
        (
            set["activities"].as_array().unwrap().clone(),
            set["watermark"].as_str().unwrap().to_owned(),
        )
    }

    /// A message from the user, which must be taken.
    pub(crate) async fn say(&self, chat: &Chat, text: &str) -> String {
        let message = json!({ "type": "message", "text": text, "from": { "id": "dl_ann" } });
        let reply = self
            .post(&format!("{}/activities", chat.path()), Some(&chat.token), message)
            .await;
        reply.ok()["id"].as_str().unwrap().to_owned()
    }

    /// A message from the bot, which must be taken.
    pub(crate) async fn answer(&self, chat: &Chat, text: &str) -> String {
        let message = json!({ "type": "message", "text": text });
        let path = format!("{}{}", self.connector_path(), chat.connector());
        self.post(&path, None, message).await.ok()["id"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// The path of the `serviceUrl`: `/local/{key}` with a secret, nothing in local mode.
    pub(crate) fn connector_path(&self) -> String {
        let service_url: http::Uri = self.channel.service_url().parse().unwrap();
        service_url.path().trim_end_matches('/').to_owned()
    }

    /// Serves the channel over TCP; stream URLs lead there from now on.
    pub(crate) async fn serve(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        self.base_url.send_replace(format!("http://{address}"));
        let router = self.router.clone();
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        address.to_string()
    }

    /// A fresh stream URL.
    pub(crate) async fn stream_url(&self, chat: &Chat, watermark: &str) -> String {
        let path = format!("{}?watermark={watermark}", chat.path());
        self.get(&path, Some(&chat.token)).await.ok()["streamUrl"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    pub(crate) async fn open_stream(&self, chat: &Chat, watermark: &str) -> Socket {
        Socket::open(&self.stream_url(chat, watermark).await).await
    }
}

/// A client's side of a conversation.
#[derive(Debug, Clone)]
pub(crate) struct Chat {
    pub(crate) id: String,
    pub(crate) token: String,
}

impl Chat {
    fn from(started: &Value) -> Self {
        Self {
            id: started["conversationId"].as_str().unwrap().to_owned(),
            token: started["token"].as_str().unwrap().to_owned(),
        }
    }

    pub(crate) fn path(&self) -> String {
        format!("/v3/directline/conversations/{}", self.id)
    }

    pub(crate) fn connector(&self) -> String {
        format!("/v3/conversations/{}/activities", self.id)
    }
}

pub(crate) struct Socket(pub(crate) WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    pub(crate) async fn open(url: &str) -> Self {
        Self(tokio_tungstenite::connect_async(url).await.unwrap().0)
    }

    /// The next frame of any kind; `None` when the stream has ended.
    pub(crate) async fn frame(&mut self) -> Option<Message> {
        tokio::time::timeout(LOST, self.0.next())
            .await
            .expect("a frame comes")
            .and_then(Result::ok)
    }

    /// The next activity set, keep-alives passed over; `None` when the stream has ended.
    pub(crate) async fn set(&mut self) -> Option<Value> {
        loop {
            match self.frame().await? {
                Message::Text(text) if text.is_empty() => {}
                Message::Text(text) => return Some(serde_json::from_str(&text).unwrap()),
                Message::Close(_) => return None,
                _ => {}
            }
        }
    }

    /// The texts of the next `count` activities, and the last watermark.
    pub(crate) async fn texts(&mut self, count: usize) -> (Vec<String>, String) {
        let (mut texts, mut watermark) = (Vec::new(), String::new());
        while texts.len() < count {
            let set = self.set().await.expect("the stream goes on");
            texts.extend(self::texts(set["activities"].as_array().unwrap()));
            watermark = set["watermark"].as_str().unwrap().to_owned();
        }
        (texts, watermark)
    }

    /// The code and reason of the close frame that ends the stream.
    pub(crate) async fn close_frame(&mut self) -> (u16, String) {
        loop {
            let frame = self.frame().await.expect("a close frame comes");
            if let Message::Close(Some(frame)) = frame {
                return (frame.code.into(), frame.reason.to_string());
            }
        }
    }
}

pub(crate) fn texts(activities: &[Value]) -> Vec<String> {
    activities
        .iter()
        .map(|activity| activity["text"].as_str().unwrap_or_default().to_owned())
        .collect()
}
