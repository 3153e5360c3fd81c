//! The channel: takes `POST /v3/conversations/{id}/activities`, and counts.
//!
//! It runs in a process of its own, so that what it costs is not taken for the engine's.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use hdrhistogram::Histogram;
use http::header::{self, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::watch;

use crate::connection::Connection;
use crate::moment;
use crate::tally::{Tally, histogram, pairs};

/// Conversations whose id begins so take nothing.
pub(crate) const BLOCKED: &str = "blocked";
/// How long those ask to wait, in seconds.
const BLOCKED_FOR: &str = "3600";
/// In an activity's channelData: when it is meant to come, as [`moment::now`] counts.
const AT: &[u8] = br#""at":"#;

/// A channel, wherever it runs.
pub(crate) struct Desk {
    accepted: AtomicU64,
    refused: AtomicU64,
    lateness: Mutex<Histogram<u64>>,
    /// Tells each further POST.
    told: watch::Sender<u64>,
}

impl Desk {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            accepted: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            lateness: Mutex::new(histogram()),
            told: watch::Sender::default(),
        })
    }

    /// How many POSTs were taken.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.told.subscribe()
    }

    /// Serves until the listener fails.
    pub(crate) async fn serve(self: Arc<Self>, listener: TcpListener) -> Result<()> {
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let desk = Arc::clone(&self);
            tokio::spawn(async move {
                let answer = service_fn(|request| desk.answer(request));
                // A client that goes away is no failure of the channel.
                let _ = http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), answer)
                    .await;
            });
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let path = request.uri().path();
        Ok(match (request.method(), path) {
            (&Method::GET, "/count") => json(
                StatusCode::OK,
                self.accepted.load(Ordering::Relaxed).to_string().into(),
            ),
            (&Method::GET, "/tally") => json(StatusCode::OK, self.tally()),
            (&Method::POST, "/again") => {
                self.lateness().reset();
                json(StatusCode::OK, Bytes::new())
            }
            _ if path
                .strip_prefix("/v3/conversations/")
                .is_some_and(|id| id.starts_with(BLOCKED)) =>
            {
                // Read, so that the connection can be used again.
                let _ = request.into_body().collect().await;
                self.refused.fetch_add(1, Ordering::Relaxed);
                let mut wait = json(StatusCode::TOO_MANY_REQUESTS, Bytes::new());
                wait.headers_mut()
                    .insert(header::RETRY_AFTER, HeaderValue::from_static(BLOCKED_FOR));
                wait
            }
            _ => match request.into_body().collect().await {
                Ok(body) => self.take(&body.to_bytes()),
                Err(_) => json(StatusCode::BAD_REQUEST, Bytes::new()),
            },
        })
    }

    fn take(&self, body: &[u8]) -> Response<Full<Bytes>> {
        if let Some(at) = intended(body) {
            let late = moment::now().saturating_sub(at);
            self.lateness().saturating_record(late);
        }
        let count = self.accepted.fetch_add(1, Ordering::Relaxed) + 1;
        self.told.send_replace(count);
        json(StatusCode::OK, Bytes::from(format!("{{\"id\":\"{count}\"}}")))
    }

    fn tally(&self) -> Bytes {
        let tally = Tally {
            accepted: self.accepted.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            lateness: pairs(&self.lateness()),
        };
        serde_json::to_vec(&tally).unwrap_or_default().into()
    }

    fn lateness(&self) -> std::sync::MutexGuard<'_, Histogram<u64>> {
        self.lateness.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When an activity is meant to come.
fn intended(body: &[u8]) -> Option<u64> {
    let found = body.windows(AT.len()).position(|window| window == AT)?;
    let digits = body[found + AT.len()..]
        .iter()
        .take_while(|byte| byte.is_ascii_digit());
    Some(digits.fold(0, |number: u64, digit| {
        number.wrapping_mul(10) + u64::from(digit - b'0')
    }))
}

fn json(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The hidden command: serves until standard input ends, which it does with whoever started this.
pub(crate) async fn run() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    let mut nothing = Vec::new();
    tokio::select! {
        served = Desk::new().serve(listener) => served,
        _ = async { tokio::io::stdin().read_to_end(&mut nothing).await } => Ok(()),
    }
}

/// A channel in a process of its own; it ends with this.
pub(crate) struct Channel {
    pub(crate) address: SocketAddr,
    control: Connection,
    _process: Child,
}

impl Channel {
    pub(crate) async fn start() -> Result<Self> {
        let program = std::env::current_exe()?;
        let mut process = Command::new(program)
            .arg("channel")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start the channel")?;
        let stdout = process.stdout.take().context("the channel has no output")?;
        let mut lines = BufReader::new(stdout).lines();
        let line = lines.next_line().await?.context("the channel ended at once")?;
        let address = line.parse().context("the channel said no address")?;
        Ok(Self {
            address,
            control: Connection::open(address).await?,
            _process: process,
        })
    }

    pub(crate) fn service_url(&self) -> String {
        format!("http://{}/", self.address)
    }

    pub(crate) async fn tally(&mut self) -> Result<Tally> {
        let (_, body) = self.control.send(Method::GET, "/tally", Bytes::new()).await?;
        Ok(serde_json::from_slice(&body)?)
    }

    /// How many POSTs it has taken.
    pub(crate) async fn count(&mut self) -> Result<u64> {
        let (_, body) = self.control.send(Method::GET, "/count", Bytes::new()).await?;
        Ok(serde_json::from_slice(&body)?)
    }

    /// Forgets how late POSTs were.
    pub(crate) async fn again(&mut self) -> Result<()> {
        self.control.send(Method::POST, "/again", Bytes::new()).await?;
        Ok(())
    }
}
