//! The client of the Connector REST API, cut by what is talked about.

mod activities;
mod attachments;
pub(crate) mod builder;
mod conversations;
mod members;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use serde::Serialize;
use tracing::Instrument;

use crate::answer::operation_id;
use crate::path::Path;
use crate::service_url::guard::{Guard, ServiceUrl};
use crate::transport::{Answer, Deadline, Transport};
use crate::{Credentials, Phase, SendError, ServiceUrlError, TokenRequest, spans};

/// What is read of a JSON answer at most.
const JSON_LIMIT: usize = 1024 * 1024;

/// Calls connectors: the channel's side of a bot's conversations.
///
/// A clone is cheap and shares the connections. Every method takes the `serviceUrl` of the conversation first, with
/// or without a trailing slash; its own path (`/teams/`, `/amer/`) is kept. Ids may hold any character.
///
/// A request is sent once: no retry, no redirect, no proxy. The one exception is a 401, which proves that nothing was
/// accepted: the token is dropped, and the request sent once more if there is another. To drop the future gives the
/// call up; whether it was carried out is then unknown.
///
/// ```no_run
/// use tidings_activity::Activity;
/// use tidings_connector::ConnectorClient;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let connector = ConnectorClient::builder().build()?;
/// let activity = Activity::message("Your parcel is here.");
/// let sent = connector.send_to_conversation("http://127.0.0.1:3978/", "conversation-1", &activity).await?;
/// println!("the channel calls it {:?}", sent.id);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ConnectorClient {
    inner: Arc<Inner>,
    audience: Option<Arc<str>>,
    delivery: Option<u64>,
}

struct Inner {
    transport: Transport,
    guard: Guard,
    credentials: Option<Arc<dyn Credentials>>,
    user_agent: HeaderValue,
    timeout: Duration,
    attachment_limit: usize,
    propagate: Option<Propagate>,
}

/// Names the delivery that a call is for, where the connector recognises repeats.
const DELIVERY: HeaderName = HeaderName::from_static("x-tidings-delivery");

/// Adds to the headers of a request what its trace is known by.
type Propagate = Box<dyn Fn(&mut HeaderMap) + Send + Sync>;

impl fmt::Debug for ConnectorClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectorClient")
            .field("service_urls", self.inner.guard.policy())
            .field("user_agent", &self.inner.user_agent)
            .field("timeout", &self.inner.timeout)
            .field("audience", &self.audience)
            .finish_non_exhaustive()
    }
}

impl ConnectorClient {
    /// Whether the connector at `service_url` may be called, before anything is called: for the door at which
    /// activities arrive. What was allowed once is remembered, so this costs little.
    ///
    /// # Errors
    ///
    /// Names `serviceUrl` and, where that would help, how to allow its host.
    pub fn check_service_url(&self, service_url: &str) -> Result<(), ServiceUrlError> {
        self.inner.guard.admit(service_url).map(drop)
    }

    /// The same client, asking for tokens for another audience: the app id of the bot that calls this one as a skill,
    /// or `None` for the channels (protocol, section 3.4). Cheap; connections and tokens stay shared.
    ///
    /// ```
    /// # fn main() -> Result<(), tidings_connector::BuildError> {
    /// use tidings_connector::ConnectorClient;
    ///
    /// let connector = ConnectorClient::builder().build()?;
    /// let to_parent = connector.for_audience(Some("6f1c7e2a-0d53-4b0e-9d6f-1c5b2b6f8a10"));
    /// # let _ = to_parent;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn for_audience(&self, audience: Option<&str>) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            audience: audience.map(Arc::from),
            delivery: self.delivery,
        }
    }

    /// The same client, telling the connector with each call which delivery it is for (header `x-tidings-delivery`), so
    /// that one that knows the header recognises a repeat. Tidings' own local channel does.
    #[must_use]
    pub fn for_delivery(&self, delivery: u64) -> Self {
        Self {
            delivery: Some(delivery),
            ..self.clone()
        }
    }

    /// The connector behind `service_url`, if it may be called.
    fn service(&self, service_url: &str) -> Result<Arc<ServiceUrl>, SendError> {
        Ok(self.inner.guard.admit(service_url)?)
    }

    async fn get(&self, service_url: &str, path: Path<'_>) -> Result<Answer, SendError> {
        self.call(service_url, Method::GET, path.finish()?, None)
            .await?
            .accepted()
    }

    async fn delete(&self, service_url: &str, path: Path<'_>) -> Result<(), SendError> {
        self.call(service_url, Method::DELETE, path.finish()?, None)
            .await?
            .accepted()
            .map(drop)
    }

    async fn post<T: Serialize + Sync>(
        &self,
        service_url: &str,
        path: Path<'_>,
        body: &T,
    ) -> Result<Answer, SendError> {
        self.call(service_url, Method::POST, path.finish()?, Some(json(body)?))
            .await?
            .accepted()
    }

    async fn put<T: Serialize + Sync>(
        &self,
        service_url: &str,
        path: Path<'_>,
        body: &T,
    ) -> Result<Answer, SendError> {
        self.call(service_url, Method::PUT, path.finish()?, Some(json(body)?))
            .await?
            .accepted()
    }

    async fn call(
        &self,
        service_url: &str,
        method: Method,
        uri: Uri,
        body: Option<Bytes>,
    ) -> Result<Answer, SendError> {
        let deadline = Deadline::after(self.inner.timeout);
        let mut signature = self.sign(service_url, deadline).await?;
        if signature.header.is_none() {
            return self.exchange(method, uri, None, body, deadline, JSON_LIMIT).await;
        }
        // Larger: boxed, so that a call without a token does not carry it.
        Box::pin(self.exchange_signed(
            service_url,
            method,
            uri,
            &mut signature,
            body,
            deadline,
            JSON_LIMIT,
        ))
        .await
    }

    /// The header that calls to the connector at `service_url` carry.
    async fn sign(&self, service_url: &str, deadline: Deadline) -> Result<Signature, SendError> {
        let header = match &self.inner.credentials {
            Some(credentials) if self.service(service_url)?.takes_tokens() => {
                self.token(&**credentials, service_url, deadline).await?
            }
            _ => None,
        };
        Ok(Signature {
            header,
            is_renewed: false,
        })
    }

    async fn token(
        &self,
        credentials: &dyn Credentials,
        service_url: &str,
        deadline: Deadline,
    ) -> Result<Option<HeaderValue>, SendError> {
        let request = TokenRequest::new(service_url).for_audience(self.audience.as_deref());
        match tokio::time::timeout_at(deadline.at, credentials.authorization(&request)).await {
            Ok(Ok(header)) => Ok(header.map(|mut header| {
                header.set_sensitive(true);
                header
            })),
            Ok(Err(error)) => {
                let mut failure = SendError::new(Phase::BeforeBody, error.to_string());
                failure.retry_after = error.retry_after;
                Err(failure.with_source(error))
            }
            Err(_) => Err(SendError::new(
                Phase::BeforeBody,
                deadline.missed("there was no token for the connector"),
            )),
        }
    }

    /// One exchange, and one more with another token if the connector answers 401 and it was not renewed before.
    #[expect(
        clippy::too_many_arguments,
        reason = "one more than `exchange`, which is a request in parts"
    )]
    async fn exchange_signed(
        &self,
        service_url: &str,
        method: Method,
        uri: Uri,
        signature: &mut Signature,
        body: Option<Bytes>,
        deadline: Deadline,
        limit: usize,
    ) -> Result<Answer, SendError> {
        let answer = self
            .exchange(
                method.clone(),
                uri.clone(),
                signature.header.clone(),
                body.clone(),
                deadline,
                limit,
            )
            .await?;
        let (StatusCode::UNAUTHORIZED, Some(refused), Some(credentials), false) = (
            answer.status,
            &signature.header,
            &self.inner.credentials,
            signature.is_renewed,
        ) else {
            return Ok(answer);
        };
        signature.is_renewed = true;
        let request = TokenRequest::new(service_url).for_audience(self.audience.as_deref());
        if !credentials.drop_refused(&request, refused) {
            return Ok(answer);
        }
        let other = match self.token(&**credentials, service_url, deadline).await {
            Ok(other) => other.filter(|other| other != refused),
            Err(error) => {
                tracing::warn!(
                    error.message = %error,
                    "the connector refused the token, and there is no other"
                );
                None
            }
        };
        let Some(other) = other else {
            return Ok(answer);
        };
        tracing::debug!("the connector refused the token; once more with another");
        signature.header = Some(other.clone());
        self.exchange(method, uri, Some(other), body, deadline, limit)
            .await
    }

    async fn exchange(
        &self,
        method: Method,
        uri: Uri,
        authorization: Option<HeaderValue>,
        body: Option<Bytes>,
        deadline: Deadline,
        limit: usize,
    ) -> Result<Answer, SendError> {
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        let has_body = request.body().is_some();
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        headers.insert(USER_AGENT, self.inner.user_agent.clone());
        if has_body {
            headers.insert(
                CONTENT_TYPE,
                HeaderValue::from_static("application/json; charset=utf-8"),
            );
        }
        if let Some(authorization) = authorization {
            headers.insert(AUTHORIZATION, authorization);
        }
        if let Some(delivery) = self.delivery {
            headers.insert(DELIVERY, HeaderValue::from(delivery));
        }
        let span = spans::call(request.method(), request.uri());
        if let Some(propagate) = self.inner.propagate.as_ref().filter(|_| !span.is_disabled()) {
            span.in_scope(|| propagate(request.headers_mut()));
        }
        let exchange = self.inner.transport.exchange(request, deadline, limit);
        let answer = exchange.instrument(span.clone()).await?;
        span.record(spans::STATUS, answer.status.as_u16());
        tracing::debug!(
            http.status = answer.status.as_u16(),
            connector.operation_id = operation_id(&answer.headers),
            "the connector answered"
        );
        Ok(answer)
    }
}

/// The `Authorization` header of one call, and whether it is the second one.
struct Signature {
    header: Option<HeaderValue>,
    is_renewed: bool,
}

fn json<T: Serialize>(body: &T) -> Result<Bytes, SendError> {
    let mut bytes = Vec::with_capacity(1024);
    serde_json::to_writer(&mut bytes, body).map_err(|error| {
        SendError::refused(format!("the body cannot be written as JSON: {error}")).with_source(error)
    })?;
    Ok(bytes.into())
}
