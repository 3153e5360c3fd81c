//! The HTTP client under the connector client: one pool of connections, no proxy, no redirect, no second try.
//!
//! Nothing outside this file and its folder knows which HTTP library it is (see `docs/adr/0002-http-client.md`).

mod dialer;
mod pool;

use std::error::Error;
use std::pin::{Pin, pin};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::HOST;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri};
use http_body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

use self::dialer::Dialer;
use self::pool::{Call, Connection, Origin, Pool};
use crate::departure::{Departure, Payload};
use crate::{Phase, SendError};

type BoxError = Box<dyn Error + Send + Sync>;

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
    #[error("its body broke off: {0}")]
    Broken(String),
    #[error("its body did not end in time")]
    TimedOut,
}

/// The pooled client.
#[derive(Debug)]
pub(crate) struct Transport {
    pool: Pool,
    dialer: Dialer,
}

impl Transport {
    pub(crate) fn new(connect_timeout: Duration) -> Self {
        Self {
            pool: Pool::new(),
            dialer: Dialer::new(connect_timeout),
        }
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
        let (mut parts, body) = request.into_parts();
        let address = std::mem::take(&mut parts.uri);
        let origin = Origin::of(&address)?;
        parts.uri = address
            .path_and_query()
            .cloned()
            .map(Uri::from)
            .unwrap_or_default();
        parts.headers.insert(HOST, host(&origin)?);
        let (payload, departure) = Payload::new(body);
        let request = Request::from_parts(parts, payload);
        let mut alarm = pin!(tokio::time::sleep_until(deadline.at));
        let call = self.pool.call(origin);
        let (response, connection) = self
            .send(&call, &address, request, &departure, deadline, alarm.as_mut())
            .await?;
        let (parts, body) = response.into_parts();
        let (body, fault) = read(body, limit, alarm).await;
        if fault.is_none() {
            call.put_back(connection).await;
        }
        Ok(Answer {
            status: parts.status,
            headers: parts.headers,
            body,
            fault,
        })
    }

    async fn send(
        &self,
        call: &Call,
        address: &Uri,
        mut request: Request<Payload>,
        departure: &Departure,
        deadline: Deadline,
        mut alarm: Pin<&mut Sleep>,
    ) -> Result<(Response<Incoming>, Connection), SendError> {
        let origin = &call.origin;
        loop {
            let (mut connection, reused) = match call.connection().await {
                Some(connection) => (connection, true),
                None => {
                    let dialed = tokio::select! {
                        biased;
                        // Rare and large: boxed, so that a call which finds a connection does not carry it.
                        dialed = Box::pin(self.dialer.dial(address)) => dialed,
                        () = &mut alarm => {
                            let message = deadline.missed(&format!("there was no connection to {origin}"));
                            return Err(SendError::new(Phase::BeforeBody, message));
                        }
                    };
                    let connection = dialed.map_err(|error| {
                        let message = format!("no connection to {origin}: {}", innermost(&*error));
                        SendError::new(Phase::BeforeBody, message).with_source(error)
                    })?;
                    (connection, false)
                }
            };
            let answered = tokio::select! {
                biased;
                answered = connection.try_send_request(request) => answered,
                () = &mut alarm => {
                    // Dropped with the connection; what of it still waits there is called back.
                    let message = deadline.missed(&format!("the connector at {origin} did not answer"));
                    return Err(SendError::new(departure.settle(), message));
                }
            };
            match answered {
                Ok(response) => return Ok((response, connection)),
                Err(mut error) => match error.take_message() {
                    // The connector closed an idle connection just now, and it gives the request back untouched.
                    // Nothing was tried, so this is no second try.
                    Some(untouched) if reused => request = untouched,
                    untouched => {
                        let phase = if untouched.is_some() {
                            Phase::BeforeBody
                        } else {
                            departure.settle()
                        };
                        let error = error.into_error();
                        let message =
                            format!("no answer from the connector at {origin}: {}", innermost(&error));
                        return Err(SendError::new(phase, message).with_source(error));
                    }
                },
            }
        }
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
            Some(Err(error)) => break Some(BodyFault::Broken(innermost(&error).to_string())),
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

fn host(origin: &Origin) -> Result<HeaderValue, SendError> {
    HeaderValue::from_str(origin.authority.as_str())
        .map_err(|error| SendError::refused(format!("serviceUrl has a host that HTTP cannot carry: {error}")))
}

/// The cause at the bottom, which is the one that tells a person something.
fn innermost<'e>(error: &'e (dyn Error + 'static)) -> &'e (dyn Error + 'static) {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error
}
