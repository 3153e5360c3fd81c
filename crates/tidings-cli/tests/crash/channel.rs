//! The channel that the bot talks to: `POST /v3/conversations/{id}/activities`, with a journal and a temper.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::dice::Dice;
use crate::journal::{Journal, Reply, activity_id};
use crate::node::SEND_TIMEOUT;

/// How the channel behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Temper {
    /// It takes everything at once.
    Calm,
    /// As the seed will have it.
    Moody(u64),
}

impl Temper {
    /// What happens to the POST of a text, by how often it has been posted.
    fn reply(self, text: &str, times: u64) -> Reply {
        let Self::Moody(seed) = self else {
            return Reply::Accept;
        };
        let mut dice = Dice::new(seed, &format!("{text} {times}"));
        match dice.below(1000) {
            0..850 => Reply::Accept,
            850..930 => Reply::AcceptLate(dice.within(Duration::from_millis(150))),
            930..932 => Reply::AcceptTooLate(SEND_TIMEOUT + Duration::from_secs(1)),
            932..945 => Reply::AcceptAndFail,
            945..955 => Reply::AcceptAndClose,
            955..985 => Reply::Throttle,
            _ => Reply::Close,
        }
    }

    /// Whether this POST is closed before its body is read.
    fn closes_unread(self, conversation: &str, place: usize) -> bool {
        let Self::Moody(seed) = self else {
            return false;
        };
        Dice::new(seed, &format!("unread {conversation} {place}")).chance(10)
    }
}

/// A channel on loopback. It is there until it is dropped.
pub(crate) struct Channel {
    pub(crate) journal: Journal,
    pub(crate) service_url: String,
    held: watch::Sender<bool>,
}

struct Desk {
    journal: Journal,
    temper: Temper,
    held: watch::Receiver<bool>,
}

impl Channel {
    pub(crate) async fn start(temper: Temper) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let service_url = format!("http://{}/", listener.local_addr().unwrap());
        let journal = Journal::default();
        let (held, holding) = watch::channel(false);
        let desk = Arc::new(Desk {
            journal: journal.clone(),
            temper,
            held: holding,
        });
        tokio::spawn(async move {
            let mut open = desk.held.clone();
            loop {
                let accepted = tokio::select! {
                    accepted = listener.accept() => accepted,
                    // The channel was dropped.
                    Err(_) = open.changed() => return,
                    else => continue,
                };
                let Ok((stream, _)) = accepted else { continue };
                let _ = stream.set_nodelay(true);
                let desk = Arc::clone(&desk);
                tokio::spawn(async move {
                    let answer = service_fn(|request| desk.answer(request));
                    // However it ends: the journal has what was read.
                    let _ = http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), answer)
                        .await;
                });
            }
        });
        Self {
            journal,
            service_url,
            held,
        }
    }

    /// From now on no POST is answered, until [`release`](Self::release).
    pub(crate) fn hold(&self) {
        self.held.send_replace(true);
    }

    pub(crate) fn release(&self) {
        self.held.send_replace(false);
    }
}

impl Desk {
    async fn answer(&self, request: Request<Incoming>) -> io::Result<Response<Full<Bytes>>> {
        let conversation = match (request.method(), conversation(request.uri().path())) {
            (&Method::POST, Some(conversation)) => conversation.to_owned(),
            _ => return Ok(answer(StatusCode::NOT_FOUND, &json!({}))),
        };
        let seen = *self.journal.watch().borrow();
        if self.temper.closes_unread(&conversation, seen) {
            let place = self.journal.write(&conversation, None, Reply::CloseUnread);
            self.journal.answered(place);
            return Err(closed());
        }
        // A body that ends too early is nobody's message.
        let body = request.into_body().collect().await.map_err(io::Error::other)?;
        let activity: Value = serde_json::from_slice(&body.to_bytes()).map_err(io::Error::other)?;
        let text = activity["text"].as_str().unwrap_or_default().to_owned();
        let reply = self.temper.reply(&text, self.journal.another(&text));
        let place = self.journal.write(&conversation, Some(text), reply);
        let mut held = self.held.clone();
        // Nobody holds it any more if the channel is gone.
        let _ = held.wait_for(|held| !held).await;
        if let Reply::AcceptLate(wait) | Reply::AcceptTooLate(wait) = reply {
            // Time itself: a slow channel is what is tested.
            tokio::time::sleep(wait).await;
        }
        self.journal.answered(place);
        match reply {
            Reply::Accept | Reply::AcceptLate(_) | Reply::AcceptTooLate(_) => {
                Ok(answer(StatusCode::OK, &json!({ "id": activity_id(place) })))
            }
            Reply::AcceptAndFail => Ok(answer(StatusCode::INTERNAL_SERVER_ERROR, &error("ServiceError"))),
            Reply::Throttle => {
                let mut response = answer(StatusCode::TOO_MANY_REQUESTS, &error("TooManyRequests"));
                response
                    .headers_mut()
                    .insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
                Ok(response)
            }
            Reply::AcceptAndClose | Reply::Close | Reply::CloseUnread => Err(closed()),
        }
    }
}

/// Ends the connection without an answer.
fn closed() -> io::Error {
    io::Error::other("closed by the channel")
}

fn error(code: &str) -> Value {
    json!({ "error": { "code": code, "message": "as the seed will have it" } })
}

fn answer(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/json"),
    );
    response
}

/// The conversation of `/v3/conversations/{id}/activities`; the ids of these tests need no decoding.
fn conversation(path: &str) -> Option<&str> {
    path.strip_prefix("/v3/conversations/")?
        .strip_suffix("/activities")
}
