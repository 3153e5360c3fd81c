//! One request to a Tidings server, over hyper as everything else here: no second HTTP stack for one request.

use std::time::Duration;

use bytes::Bytes;
use http::uri::Scheme;
use http::{HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpStream;

/// How long the server may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long a stream of events may be silent: the server sends a comment every 15 s.
const SILENCE: Duration = Duration::from_secs(45);
/// The largest answer that is read.
const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// What went wrong, to be read after "no server at ADDRESS: ".
pub(crate) type Problem = &'static str;

const NO_ADDRESS: Problem = "the URL must look like http://127.0.0.1:3978";
const NO_ANSWER: Problem = "it did not answer in time";
pub(crate) const NOTHING_LISTENS: Problem = "nothing listens there";

/// What is asked of a server.
pub(crate) struct Ask {
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) target: String,
    /// A JSON object.
    pub(crate) body: Option<String>,
}

impl Ask {
    pub(crate) fn get(target: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            target: target.into(),
            body: None,
        }
    }

    /// A change that its path tells, with what the body adds to it.
    pub(crate) fn post(target: impl Into<String>, body: &serde_json::Value) -> Self {
        Self {
            method: Method::POST,
            target: target.into(),
            body: Some(body.to_string()),
        }
    }
}

/// Text as a value in the query of an address.
pub(crate) fn encoded(text: &str) -> String {
    const KEPT: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'~');
    utf8_percent_encode(text, KEPT).to_string()
}

/// The status and the text that `server` answers with; only `http` addresses, as only those are served.
pub(crate) async fn send(
    server: &str,
    key: Option<&SecretString>,
    ask: Ask,
) -> Result<(StatusCode, String), Problem> {
    let exchange = async {
        let (status, body) = exchange(server, key, ask).await?;
        Ok((status, text(body).await?))
    };
    tokio::time::timeout(TIMEOUT, exchange)
        .await
        .unwrap_or(Err(NO_ANSWER))
}

/// A stream of events, or the status and the text of another answer.
pub(crate) async fn open(
    server: &str,
    key: Option<&SecretString>,
    ask: Ask,
) -> Result<Result<Events, (StatusCode, String)>, Problem> {
    let exchange = async {
        let (status, body) = exchange(server, key, ask).await?;
        match status.is_success() {
            true => Ok(Ok(Events {
                body,
                read: Vec::new(),
            })),
            false => Ok(Err((status, text(body).await?))),
        }
    };
    tokio::time::timeout(TIMEOUT, exchange)
        .await
        .unwrap_or(Err(NO_ANSWER))
}

/// Server-sent events as they come.
pub(crate) struct Events {
    body: Incoming,
    read: Vec<u8>,
}

impl Events {
    /// The data of the next event; `None` once the stream has ended, or nothing, not even a comment, has come for long.
    pub(crate) async fn next(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.read.windows(2).position(|pair| pair == b"\n\n") {
                let event: Vec<u8> = self.read.drain(..end + 2).collect();
                let event = String::from_utf8_lossy(&event);
                let data: Vec<&str> = event
                    .lines()
                    .filter_map(|line| line.strip_prefix("data: "))
                    .collect();
                if !data.is_empty() {
                    return Some(data.join("\n"));
                }
                continue;
            }
            let frame = tokio::time::timeout(SILENCE, self.body.frame())
                .await
                .ok()??
                .ok()?;
            self.read.extend_from_slice(frame.data_ref()?);
            if self.read.len() > MAX_ANSWER_BYTES {
                return None;
            }
        }
    }
}

async fn exchange(
    server: &str,
    key: Option<&SecretString>,
    ask: Ask,
) -> Result<(StatusCode, Incoming), Problem> {
    let address: Uri = format!("{server}{}", ask.target)
        .parse()
        .map_err(|_| NO_ADDRESS)?;
    let Some(authority) = address
        .authority()
        .filter(|_| address.scheme() == Some(&Scheme::HTTP))
    else {
        return Err(NO_ADDRESS);
    };
    let socket = format!("{}:{}", authority.host(), authority.port_u16().unwrap_or(80));
    let target = address.path_and_query().map_or("/", |target| target.as_str());
    let mut request = Request::builder()
        .method(ask.method)
        .uri(target)
        .header(header::HOST, authority.as_str());
    if let Some(key) = key {
        let mut value = HeaderValue::try_from(format!("Bearer {}", key.expose_secret().trim()))
            .map_err(|_| "the API key has characters that no key has")?;
        value.set_sensitive(true);
        request = request.header(header::AUTHORIZATION, value);
    }
    if ask.body.is_some() {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    let request = request
        .body(Full::<Bytes>::from(ask.body.unwrap_or_default()))
        .map_err(|_| NO_ADDRESS)?;
    let stream = TcpStream::connect(&socket).await.map_err(|_| NOTHING_LISTENS)?;
    let failed = "what listens there does not speak HTTP";
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|_| failed)?;
    // Drives the connection; how it ends shows in the answer.
    tokio::spawn(connection);
    let (head, body) = sender
        .send_request(request)
        .await
        .map_err(|_| failed)?
        .into_parts();
    Ok((head.status, body))
}

async fn text(body: Incoming) -> Result<String, Problem> {
    let body = Limited::new(body, MAX_ANSWER_BYTES)
        .collect()
        .await
        .map_err(|_| "its answer broke off")?;
    Ok(String::from_utf8_lossy(&body.to_bytes()).into_owned())
}
