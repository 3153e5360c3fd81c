//! The accept loop: HTTP/1.1 connections with limits, in the one function that could give way to `axum::serve`.

use std::convert::Infallible;
use std::future::ready;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use futures_util::future::Either;
use http::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::metrics::counter::Counter;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

use crate::api_error::ApiError;
use crate::config::Config;
use crate::drain::Drain;
use crate::gate::Peer;
use crate::guard::Guard;
use crate::messages;

/// The largest head of a request; a larger one is answered with 431.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// How long to wait when the process is out of file descriptors before accepting again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long a connection gets for its last answer once nothing runs any more.
const LAST_ANSWER: Duration = Duration::from_secs(1);

/// What every request passes before the routes.
pub(crate) struct Front {
    pub(crate) guard: Option<Guard>,
    pub(crate) drain: Drain,
    pub(crate) messages: Arc<messages::Endpoint>,
    /// Counts requests whose head was too large.
    pub(crate) oversized: Counter,
    pub(crate) router: Router,
}

/// Serves connections until `stop`, then lets each finish the answer it is writing.
pub(crate) async fn serve(listener: TcpListener, front: Front, config: &Config, stop: CancellationToken) {
    let oversized = front.oversized.clone();
    let front = Arc::new(front);
    let places = Arc::new(Semaphore::new(config.max_connections));
    let connections = TaskTracker::new();
    let mut http = hyper::server::conn::http1::Builder::new();
    // More than 100 header lines are answered with 431 by default; setting a number of our own costs an allocation per request.
    http.timer(TokioTimer::new())
        .header_read_timeout(config.header_timeout)
        .max_buf_size(MAX_HEAD_BYTES);
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &places) => accepted,
            () = stop.cancelled() => break,
        };
        let (stream, peer, place) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                pause_after(&error).await;
                continue;
            }
        };
        // Answers are small and complete: waiting to fill a packet only delays them.
        let _unsupported = stream.set_nodelay(true);
        let front = Arc::clone(&front);
        let service = hyper::service::service_fn(move |request| front.call(request, peer));
        let connection = http
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let (stop, oversized) = (stop.clone(), oversized.clone());
        connections.spawn(async move {
            let mut connection = std::pin::pin!(connection);
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                () = stop.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    tokio::time::timeout(LAST_ANSWER, connection).await.unwrap_or(Ok(()))
                }
            };
            match ended {
                Ok(()) => {}
                // It has been answered without a look at what is in it: a token of a megabyte ends here.
                Err(error) if error.is_parse_too_large() => {
                    oversized.inc();
                    tracing::warn!(http.status = 431, "a request was refused: its head is too large");
                }
                Err(error) => tracing::debug!(error = %error, "a connection ended early"),
            }
            drop(place);
        });
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, Peer, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places)
        .acquire_owned()
        .await
        .map_err(std::io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, Peer(peer), place))
}

/// A connection that broke before it was accepted is nobody's concern; out of descriptors, time must pass.
async fn pause_after(error: &std::io::Error) {
    let theirs = [
        ErrorKind::ConnectionAborted,
        ErrorKind::ConnectionRefused,
        ErrorKind::ConnectionReset,
    ];
    if !theirs.contains(&error.kind()) {
        tracing::error!(error = %error, "connections cannot be accepted at the moment");
        tokio::time::sleep(ACCEPT_PAUSE).await;
    }
}

type Answer = Result<Response, Infallible>;

impl Front {
    fn call(
        &self,
        mut request: Request<Incoming>,
        peer: Peer,
    ) -> impl Future<Output = Answer> + Send + use<> {
        match self.admit(&request) {
            Err(error) => Either::Left(ready(Ok(error.into_response()))),
            Ok(()) if request.uri().path() == messages::PATH => {
                Either::Right(Either::Left(Arc::clone(&self.messages).answer(request)))
            }
            Ok(()) => {
                request.extensions_mut().insert(peer);
                Either::Right(Either::Right(self.router.clone().call(request.map(Body::new))))
            }
        }
    }

    fn admit(&self, request: &Request<Incoming>) -> Result<(), ApiError> {
        if let Some(guard) = &self.guard {
            guard.check(request.uri(), request.headers())?;
        }
        self.drain.admit(request.uri().path())
    }
}
