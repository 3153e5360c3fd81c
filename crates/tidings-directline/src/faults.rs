//! Trouble on demand: what the connector side should do wrong next.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};

use crate::refusal::Refusal;

/// One thing that goes wrong with one connector request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing is done; this is the answer. An unusable status answers 500.
    Answer {
        /// The HTTP status, such as 429 or 503.
        status: u16,
        /// Sent as `Retry-After`, in whole seconds, rounded up.
        retry_after: Option<Duration>,
        /// The error's code, such as `ConversationNotFound`; `ServiceError` when absent.
        code: Option<String>,
    },
    /// The request is carried out, then answered with this status: the sender cannot know that it worked.
    AcceptThenAnswer {
        /// The HTTP status, such as 500.
        status: u16,
    },
    /// The connection is closed without a byte; nothing is done.
    Disconnect,
    /// The request is carried out, then the connection is closed without a byte.
    AcceptThenDisconnect,
    /// The request is carried out after this long.
    Delay(Duration),
}

impl Fault {
    /// An answer with a status and nothing else.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self::Answer {
            status,
            retry_after: None,
            code: None,
        }
    }

    /// `429 Too Many Requests` with a `Retry-After`.
    #[must_use]
    pub fn too_many_requests(retry_after: Duration) -> Self {
        Self::Answer {
            status: 429,
            retry_after: Some(retry_after),
            code: None,
        }
    }
}

/// The faults that await the next connector requests, first in, first out, and a latency for all of them.
///
/// Cheap to clone; every clone is the same queue. An empty queue does nothing.
///
/// ```
/// use std::time::Duration;
/// use tidings_directline::{Fault, Faults};
///
/// let faults = Faults::default();
/// faults.push(Fault::too_many_requests(Duration::from_secs(2)));
/// faults.push(Fault::AcceptThenAnswer { status: 500 });
/// assert_eq!(faults.waiting(), 2);
/// faults.clear();
/// assert_eq!(faults.waiting(), 0);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<Plan>>);

#[derive(Debug, Default)]
struct Plan {
    queue: VecDeque<Fault>,
    latency: Option<Duration>,
}

impl Faults {
    /// Adds a fault for the first request that has none yet.
    pub fn push(&self, fault: Fault) {
        self.plan().queue.push_back(fault);
    }

    /// How long every request waits first; `None` for not at all.
    pub fn set_latency(&self, latency: Option<Duration>) {
        self.plan().latency = latency;
    }

    /// How many faults have not happened yet.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.plan().queue.len()
    }

    /// Forgets every fault and the latency.
    pub fn clear(&self) {
        *self.plan() = Plan::default();
    }

    fn next(&self) -> (Option<Fault>, Option<Duration>) {
        let mut plan = self.plan();
        (plan.queue.pop_front(), plan.latency)
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The middleware of the connector routes.
pub(crate) async fn happen(State(faults): State<Faults>, request: Request, next: Next) -> Response {
    let (fault, latency) = faults.next();
    if let Some(latency) = latency {
        tokio::time::sleep(latency).await;
    }
    match fault {
        None => next.run(request).await,
        Some(Fault::Answer {
            status,
            retry_after,
            code,
        }) => answer(status, retry_after, code),
        Some(Fault::AcceptThenAnswer { status }) => {
            next.run(request).await;
            answer(status, None, None)
        }
        Some(Fault::Disconnect) => disconnect(),
        Some(Fault::AcceptThenDisconnect) => {
            next.run(request).await;
            disconnect()
        }
        Some(Fault::Delay(delay)) => {
            tokio::time::sleep(delay).await;
            next.run(request).await
        }
    }
}

fn answer(status: u16, retry_after: Option<Duration>, code: Option<String>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let code = code.unwrap_or_else(|| "ServiceError".to_owned());
    let mut response = Refusal::new(status, code, "an injected fault").into_response();
    if let Some(delay) = retry_after {
        let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// A body that fails before its first byte makes the HTTP server close the connection with nothing written.
fn disconnect() -> Response {
    let broken = futures_util::stream::once(async {
        Err::<bytes::Bytes, _>(std::io::Error::other("an injected fault"))
    });
    Response::new(Body::from_stream(broken))
}
