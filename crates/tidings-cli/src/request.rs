//! One request to a Tidings server, over hyper as everything else here: no second HTTP stack for one request.

use std::time::Duration;

use bytes::Bytes;
use http::uri::Scheme;
use http::{HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpStream;

/// How long the server may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The largest answer that is read.
const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// What went wrong, to be read after "no server at ADDRESS: ".
pub(crate) type Problem = &'static str;

const NO_ADDRESS: Problem = "the URL must look like http://127.0.0.1:3978";
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
}

/// The status and the text that `server` answers with; only `http` addresses, as only those are served.
pub(crate) async fn send(
    server: &str,
    key: Option<&SecretString>,
    ask: Ask,
) -> Result<(StatusCode, String), Problem> {
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
        .body(Full::from(ask.body.unwrap_or_default()))
        .map_err(|_| NO_ADDRESS)?;
    tokio::time::timeout(TIMEOUT, exchange(&socket, request))
        .await
        .unwrap_or(Err("it did not answer in time"))
}

async fn exchange(socket: &str, request: Request<Full<Bytes>>) -> Result<(StatusCode, String), Problem> {
    let stream = TcpStream::connect(socket).await.map_err(|_| NOTHING_LISTENS)?;
    let failed = "what listens there does not speak HTTP";
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|_| failed)?;
    // Drives the connection; how it ends shows in the answer.
    tokio::spawn(connection);
    let (head, body) = sender
        .send_request(request)
        .await
        .map_err(|_| failed)?
        .into_parts();
    let body = Limited::new(body, MAX_ANSWER_BYTES)
        .collect()
        .await
        .map_err(|_| "its answer broke off")?;
    Ok((
        head.status,
        String::from_utf8_lossy(&body.to_bytes()).into_owned(),
    ))
}
