//! An identity provider on loopback, for the tests of bots. Only with the feature `test-idp`.
//!
//! [`TestIdp`] serves the metadata and the keys that an [`Authenticator`](crate::jwt::Authenticator) asks for, counts
//! how often it is asked, and can be down, slow, or change its keys. [`TokenDraft`] makes tokens, good and bad.
//!
//! ```
//! use tidings_connector::jwt::{Authenticator, AuthenticatorOptions, CallerKind, Facts};
//! use tidings_connector::test_idp::{TestIdp, TokenDraft};
//! use tidings_connector::{AppRegistration, AppType};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let idp = TestIdp::start().await;
//! let registration = AppRegistration {
//!     app_id: "my-app".to_owned(),
//!     app_type: AppType::MultiTenant,
//!     tenant_id: None,
//! };
//! let authenticator = Authenticator::new(AuthenticatorOptions::new(&registration, &idp.cloud())?);
//!
//! let service_url = "http://127.0.0.1:9999/";
//! let token = TokenDraft::channel("my-app", service_url);
//! let facts = Facts { channel_id: Some("msteams"), service_url: Some(service_url) };
//! let caller = authenticator.authenticate(&token.headers(), facts).await?;
//! assert_eq!(caller.kind, CallerKind::Channel);
//!
//! let token = token.claim("aud", "another-app");
//! assert!(authenticator.authenticate(&token.headers(), facts).await.is_err());
//! assert_eq!(idp.key_requests(), 1);
//! # Ok(())
//! # }
//! ```

mod test_key;
mod token_draft;

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

pub use test_key::TestKey;
pub use token_draft::{TokenDraft, base64url};

use crate::Cloud;

/// The name of the key that signs channels' tokens. It is endorsed for `msteams`, `directline`, `webchat`, `emulator`
/// and `test`.
pub const CHANNEL_KID: &str = "channel-1";
/// The name of a published key, the same one, that is endorsed for `skype` only.
pub const SKYPE_KID: &str = "channel-2";
/// The name of a published key, the same one, that is endorsed for nothing.
pub const UNENDORSED_KID: &str = "channel-3";
/// The name of the key that signs the Emulator's and other bots' tokens.
pub const DIRECTORY_KID: &str = "directory-1";
/// The name of the key that signs channels' tokens after [`rotate`](TestIdp::rotate).
pub const NEXT_KID: &str = "channel-4";

const ENDORSEMENTS: &[&str] = &["msteams", "directline", "webchat", "emulator", "test"];

const CHANNEL_METADATA: &str = "/channel/metadata";
const CHANNEL_KEYS: &str = "/channel/keys";
const DIRECTORY_METADATA: &str = "/directory/metadata";
const DIRECTORY_KEYS: &str = "/directory/keys";

/// An identity provider that serves until it is dropped.
#[derive(Debug)]
pub struct TestIdp {
    url: String,
    desk: Arc<Desk>,
    server: JoinHandle<()>,
}

/// What the provider answers, and what it has answered.
#[derive(Debug)]
struct Desk {
    answers: Mutex<Answers>,
    metadata_requests: AtomicUsize,
    key_requests: AtomicUsize,
    /// How many requests have come, for who waits for one.
    arrived: watch::Sender<usize>,
    is_held: watch::Sender<bool>,
}

#[derive(Debug)]
struct Answers {
    is_down: bool,
    channel_keys: Vec<Value>,
    directory_keys: Vec<Value>,
    metadata: Option<(StatusCode, Bytes)>,
    keys: Option<(StatusCode, Bytes)>,
}

impl TestIdp {
    /// Starts one at a free port of this machine.
    ///
    /// # Panics
    ///
    /// If there is no free port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("it has an address");
        let url = format!("http://{address}");
        let desk = Arc::new(Desk::new());
        let server = tokio::spawn(serve(listener, url.clone(), Arc::clone(&desk)));
        Self { url, desk, server }
    }

    /// Where it serves, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The public cloud, with this provider's keys.
    #[must_use]
    pub fn cloud(&self) -> Cloud {
        self.keys_of(Cloud::public())
    }

    /// `cloud`, with this provider's keys.
    #[must_use]
    pub fn keys_of(&self, mut cloud: Cloud) -> Cloud {
        cloud.channel_metadata_url = format!("{}{CHANNEL_METADATA}", self.url);
        cloud.emulator_metadata_url = format!("{}{DIRECTORY_METADATA}", self.url);
        cloud
    }

    /// How often metadata was asked for.
    #[must_use]
    pub fn metadata_requests(&self) -> usize {
        self.desk.metadata_requests.load(Ordering::SeqCst)
    }

    /// How often keys were asked for.
    #[must_use]
    pub fn key_requests(&self) -> usize {
        self.desk.key_requests.load(Ordering::SeqCst)
    }

    /// Waits until so many requests have come, answered or not.
    pub async fn wait_for_requests(&self, count: usize) {
        let mut arrived = self.desk.arrived.subscribe();
        // Its sender lives as long as we do.
        let _ = arrived.wait_for(|arrived| *arrived >= count).await;
    }

    /// From now on everything is answered with 503, or no longer.
    pub fn set_down(&self, is_down: bool) {
        self.answers().is_down = is_down;
    }

    /// From now on nothing is answered, until [`release`](Self::release).
    pub fn hold(&self) {
        self.desk.is_held.send_replace(true);
    }

    /// Answers what waits, and what comes.
    pub fn release(&self) {
        self.desk.is_held.send_replace(false);
    }

    /// Replaces the channel's keys by a new one, [`NEXT_KID`], with the same endorsements.
    pub fn rotate(&self) {
        self.answers().channel_keys = vec![TestKey::Next.jwk(NEXT_KID, ENDORSEMENTS)];
    }

    /// Publishes one more key, or what is no key, before all others of both documents.
    pub fn publish(&self, jwk: &Value) {
        let mut answers = self.answers();
        answers.channel_keys.insert(0, jwk.clone());
        answers.directory_keys.insert(0, jwk.clone());
    }

    /// Answers with this in place of metadata; `None`: no longer.
    pub fn set_metadata(&self, answer: Option<(StatusCode, Bytes)>) {
        self.answers().metadata = answer;
    }

    /// Answers with this in place of keys; `None`: no longer.
    pub fn set_keys(&self, answer: Option<(StatusCode, Bytes)>) {
        self.answers().keys = answer;
    }

    fn answers(&self) -> MutexGuard<'_, Answers> {
        self.desk.answers()
    }
}

impl Drop for TestIdp {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Desk {
    fn new() -> Self {
        Self {
            answers: Mutex::new(Answers {
                is_down: false,
                channel_keys: vec![
                    TestKey::Channel.jwk(CHANNEL_KID, ENDORSEMENTS),
                    TestKey::Channel.jwk(SKYPE_KID, &["skype"]),
                    TestKey::Channel.jwk(UNENDORSED_KID, &[]),
                ],
                directory_keys: vec![TestKey::Directory.jwk(DIRECTORY_KID, &[])],
                metadata: None,
                keys: None,
            }),
            metadata_requests: AtomicUsize::new(0),
            key_requests: AtomicUsize::new(0),
            arrived: watch::Sender::new(0),
            is_held: watch::Sender::new(false),
        }
    }

    fn answers(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, url: &str, path: &str) -> Response<Full<Bytes>> {
        match path {
            CHANNEL_METADATA | DIRECTORY_METADATA => self.metadata_requests.fetch_add(1, Ordering::SeqCst),
            _ => self.key_requests.fetch_add(1, Ordering::SeqCst),
        };
        self.arrived.send_modify(|arrived| *arrived += 1);
        // Its sender lives as long as we do.
        let _ = self.is_held.subscribe().wait_for(|is_held| !is_held).await;
        let (status, body) = self.answers().to(url, path);
        let mut response = Response::new(Full::new(body));
        *response.status_mut() = status;
        response
    }
}

impl Answers {
    fn to(&self, url: &str, path: &str) -> (StatusCode, Bytes) {
        if self.is_down {
            return (StatusCode::SERVICE_UNAVAILABLE, Bytes::from_static(b"down"));
        }
        let metadata =
            |keys: &str| json!({ "issuer": "https://nobody.example", "jwks_uri": format!("{url}{keys}") });
        let (replaced, document) = match path {
            CHANNEL_METADATA => (&self.metadata, metadata(CHANNEL_KEYS)),
            DIRECTORY_METADATA => (&self.metadata, metadata(DIRECTORY_KEYS)),
            CHANNEL_KEYS => (&self.keys, json!({ "keys": self.channel_keys })),
            DIRECTORY_KEYS => (&self.keys, json!({ "keys": self.directory_keys })),
            _ => return (StatusCode::NOT_FOUND, Bytes::new()),
        };
        replaced
            .clone()
            .unwrap_or_else(|| (StatusCode::OK, document.to_string().into()))
    }
}

async fn serve(listener: TcpListener, url: String, desk: Arc<Desk>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (url, desk) = (url.clone(), Arc::clone(&desk));
        let service = service_fn(move |request: Request<Incoming>| {
            let (url, desk) = (url.clone(), Arc::clone(&desk));
            async move { Ok::<_, Infallible>(desk.answer(&url, request.uri().path()).await) }
        });
        connections.spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}
