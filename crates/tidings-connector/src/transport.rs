//! The HTTP client under the connector client: one pool of connections, no proxy, no redirect, no second try.
//!
//! Nothing outside this file knows which HTTP library it is (see `docs/adr/0002-http-client.md`).

use std::error::Error;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, StatusCode, Uri};
use http_body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ClientConfig;
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};
use tower_service::Service;

use crate::departure::Payload;
use crate::{Phase, SendError};

type BoxError = Box<dyn Error + Send + Sync>;

/// Connections kept open per connector, and for how long, while nobody uses them.
const IDLE_CONNECTIONS: usize = 512;
const IDLE_TIME: Duration = Duration::from_secs(90);
/// HTTP/2 has one connection for everything, so a dead one must be noticed.
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// When a call ends at the latest.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    pub(crate) at: Instant,
    after: Duration,
}

impl Deadline {
    pub(crate) fn after(after: Duration) -> Self {
        Self {
            at: Instant::now() + after,
            after,
        }
    }

    /// What is said when it has passed.
    pub(crate) fn missed(self, what: &str) -> String {
        format!("{what} within {} s", self.after.as_secs_f64())
    }
}

/// What a connector answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// What could be read of the body.
    pub(crate) body: Bytes,
    /// Why that is not all of it.
    pub(crate) fault: Option<BodyFault>,
}

/// Why a body could not be read to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyFault {
    #[error("its body is longer than {limit} bytes")]
    TooLarge { limit: usize },
    #[error("its body broke off: {}", innermost(&**.0))]
    Broken(BoxError),
    #[error("its body did not end in time")]
    TimedOut,
}

/// The pooled client.
#[derive(Debug, Clone)]
pub(crate) struct Transport {
    client: Client<Dialer, Payload>,
}

impl Transport {
    pub(crate) fn new(connect_timeout: Duration) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIME)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .http2_adaptive_window(true)
            .http2_keep_alive_interval(PING_EVERY)
            .http2_keep_alive_timeout(PING_TIMEOUT)
            // Whether to send again is not decided here.
            .retry_canceled_requests(false)
            .build(Dialer::new(connect_timeout));
        Self { client }
    }

    /// Sends one request, once, and reads at most `limit` bytes of what is answered.
    ///
    /// # Errors
    ///
    /// When there is no answer. An answer of any status is a success here.
    pub(crate) async fn exchange(
        &self,
        request: Request<Option<Bytes>>,
        deadline: Deadline,
        limit: usize,
    ) -> Result<Answer, SendError> {
        let (parts, body) = request.into_parts();
        let (payload, departure) = Payload::new(body);
        let uri = parts.uri.clone();
        let mut alarm = pin!(tokio::time::sleep_until(deadline.at));
        let answered = tokio::select! {
            biased;
            answered = self.client.request(Request::from_parts(parts, payload)) => Some(answered),
            () = &mut alarm => None,
        };
        let response = match answered {
            Some(Ok(response)) => response,
            Some(Err(error)) => {
                // A connection that was never made carried nothing, not even a request without a body.
                let phase = if error.is_connect() {
                    Phase::BeforeBody
                } else {
                    departure.settle()
                };
                let what = match phase {
                    Phase::BeforeBody => "the request did not reach the connector at",
                    _ => "no answer came from the connector at",
                };
                let message = format!("{what} {}: {}", origin(&uri), innermost(&error));
                return Err(SendError::new(phase, message).with_source(error));
            }
            None => {
                let what = format!("the connector at {} did not answer", origin(&uri));
                return Err(SendError::new(departure.settle(), deadline.missed(&what)));
            }
        };
        let (parts, body) = response.into_parts();
        let (body, fault) = read(body, limit, alarm).await;
        Ok(Answer {
            status: parts.status,
            headers: parts.headers,
            body,
            fault,
        })
    }
}

async fn read(mut body: Incoming, limit: usize, mut alarm: Pin<&mut Sleep>) -> (Bytes, Option<BodyFault>) {
    let mut whole = Bytes::new();
    let mut joined: Option<BytesMut> = None;
    let fault = loop {
        if body.is_end_stream() {
            break None;
        }
        let frame = tokio::select! {
            biased;
            frame = body.frame() => frame,
            () = &mut alarm => break Some(BodyFault::TimedOut),
        };
        let data = match frame {
            None => break None,
            Some(Err(error)) => break Some(BodyFault::Broken(error.into())),
            // Trailers say nothing to us.
            Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
        };
        let have = joined.as_ref().map_or(whole.len(), BytesMut::len);
        let fits = data.len().min(limit - have);
        // Nearly every body comes in one piece and is then not copied.
        match &mut joined {
            Some(joined) => joined.extend_from_slice(&data[..fits]),
            None if have == 0 => whole = data.slice(..fits),
            None => {
                let mut both = BytesMut::with_capacity(have + fits);
                both.extend_from_slice(&whole);
                both.extend_from_slice(&data[..fits]);
                joined = Some(both);
            }
        }
        if fits < data.len() {
            break Some(BodyFault::TooLarge { limit });
        }
    };
    (joined.map_or(whole, BytesMut::freeze), fault)
}

/// Scheme, host and port: ids and tokens in the path are nothing for a log.
fn origin(uri: &Uri) -> String {
    format!(
        "{}://{}",
        uri.scheme_str().unwrap_or_default(),
        uri.authority().map_or("", |authority| authority.as_str())
    )
}

/// The cause at the bottom, which is the one that tells a person something.
fn innermost<'e>(error: &'e (dyn Error + 'static)) -> &'e (dyn Error + 'static) {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error
}

/// Opens connections: name, TCP and, for `https`, TLS, all within one limit.
#[derive(Debug, Clone)]
struct Dialer {
    tcp: HttpConnector,
    tls: Arc<OnceLock<Arc<ClientConfig>>>,
    timeout: Duration,
}

impl Dialer {
    fn new(timeout: Duration) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        Self {
            tcp,
            tls: Arc::default(),
            timeout,
        }
    }

    async fn dial(mut self, to: Uri) -> Result<MaybeHttpsStream<TokioIo<TcpStream>>, BoxError> {
        if to.scheme() == Some(&http::uri::Scheme::HTTPS) {
            let config = trust(&self.tls).await?;
            HttpsConnector::from((self.tcp, config)).call(to).await
        } else {
            Ok(MaybeHttpsStream::Http(self.tcp.call(to).await?))
        }
    }
}

impl Service<Uri> for Dialer {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.tcp.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let timeout = self.timeout;
        let dial = self.clone().dial(to);
        Box::pin(async move {
            tokio::time::timeout(timeout, dial).await.unwrap_or_else(|_| {
                let message = format!("no connection within {} s", timeout.as_secs_f64());
                Err(io::Error::new(io::ErrorKind::TimedOut, message).into())
            })
        })
    }
}

/// The machine's own trusted certificates, read when the first `https` connector is called: local mode needs none,
/// and must start where there are none.
async fn trust(kept: &Arc<OnceLock<Arc<ClientConfig>>>) -> Result<Arc<ClientConfig>, BoxError> {
    if let Some(config) = kept.get() {
        return Ok(Arc::clone(config));
    }
    let config = tokio::task::spawn_blocking(|| {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_platform_verifier()?
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok::<_, rustls::Error>(Arc::new(config))
    })
    .await??;
    Ok(Arc::clone(kept.get_or_init(|| config)))
}
