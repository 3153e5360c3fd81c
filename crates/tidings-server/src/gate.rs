//! The gate in front of each route of `/api/v1`: a key, its scope, its pace, and the record of what it changes.
//!
//! In local mode everybody who comes through the guard is `local` and may do everything; uses of scopes that write are
//! put on record all the same, and a request that changes something must be JSON, which no form of a foreign page can
//! send.
//!
//! A key that does not open is answered with 401 and says why; so many of them from one address that its bucket is
//! empty, with 429. The address is that of the connection: behind a proxy, all callers share the proxy's bucket. Keys
//! that do open are never refused for it.

mod buckets;
mod caller;
mod credentials;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{MatchedPath, RawPathParams, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use governor::Quota;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use crate::access::ApiAccess;
use crate::api_body;
use crate::api_error::ApiError;
use crate::audit::{Audit, Use};
use crate::keys::{BadKey, Keys, Scope};
use buckets::{Buckets, Ticks};
pub(crate) use caller::{Caller, Peer};
use credentials::NoKey;

/// How many requests a key may make at once; they come back at [`REQUESTS_PER_SECOND`].
const BURST: NonZeroU32 = NonZeroU32::new(200).unwrap();
/// How many requests a key may make in the long run.
const REQUESTS_PER_SECOND: NonZeroU32 = NonZeroU32::new(50).unwrap();
/// How many keys that do not open may come from one address at once, and in each minute.
const FAILURES_PER_MINUTE: NonZeroU32 = NonZeroU32::new(20).unwrap();
/// The most addresses that are remembered for keys that did not open.
const MAX_ADDRESSES: usize = 8192;
/// The most keys whose pace is remembered; more than there can be.
const MAX_PACED_KEYS: usize = 4096;

/// The gate; one for all routes. A clone is the same gate.
#[derive(Clone)]
pub(crate) struct Gate {
    access: ApiAccess,
    keys: Keys,
    audit: Audit,
    paces: Arc<Paces>,
}

struct Paces {
    keys: Buckets<String>,
    failures: Buckets<IpAddr>,
}

#[derive(Clone)]
struct Door {
    gate: Gate,
    scope: Scope,
}

/// What a route has changed, for the audit, where the path does not say it: in the extensions of its answer.
#[derive(Clone, Debug)]
pub(crate) struct Target(pub(crate) String);

impl Gate {
    pub(crate) fn new(access: ApiAccess, keys: Keys, audit: Audit) -> Self {
        Self::with_ticks(access, keys, audit, Ticks::since_now())
    }

    fn with_ticks(access: ApiAccess, keys: Keys, audit: Audit, ticks: Ticks) -> Self {
        let paces = Paces {
            keys: Buckets::new(
                Quota::per_second(REQUESTS_PER_SECOND).allow_burst(BURST),
                MAX_PACED_KEYS,
                ticks.clone(),
            ),
            failures: Buckets::new(Quota::per_minute(FAILURES_PER_MINUTE), MAX_ADDRESSES, ticks),
        };
        Self {
            access,
            keys,
            audit,
            paces: Arc::new(paces),
        }
    }

    /// Puts the gate in front of `routes`: what they do needs `scope`.
    pub(crate) fn guard<S: Clone + Send + Sync + 'static>(
        &self,
        scope: Scope,
        routes: MethodRouter<S>,
    ) -> MethodRouter<S> {
        let door = Door {
            gate: self.clone(),
            scope,
        };
        routes.route_layer(from_fn_with_state(door, pass))
    }

    /// Who the request comes from, if they may make it.
    async fn admit(
        &self,
        scope: Scope,
        method: &Method,
        headers: &HeaderMap,
        remote: Option<IpAddr>,
    ) -> Result<Caller, ApiError> {
        if self.access == ApiAccess::Local {
            if *method == Method::POST {
                api_body::check_content_type(headers)?;
            }
            return Ok(Caller::local());
        }
        let caller = Caller::with_key(self.prove(headers, remote)?);
        self.paces.keys.take(caller.id.clone()).map_err(|wait| {
            let message = format!(
                "the key {} makes more than {REQUESTS_PER_SECOND} requests in a second",
                caller.id
            );
            too_many(&message, wait)
        })?;
        if !caller.may(scope) {
            tracing::warn!(key.id = caller.id, scope = %scope, "an API key without the scope was refused");
            return Err(missing(scope));
        }
        self.keys.used(&caller.id).await;
        Ok(caller)
    }

    fn prove(&self, headers: &HeaderMap, remote: Option<IpAddr>) -> Result<crate::keys::Proved, ApiError> {
        let refusal = match credentials::read(headers) {
            Ok(token) => match self.keys.prove(&token) {
                Ok(proved) => return Ok(proved),
                Err(problem) => does_not_open(problem),
            },
            // Nothing was tried: a page asks without a key before it knows that it needs one.
            Err(NoKey::Missing) => return Err(no_key(NoKey::Missing)),
            Err(problem) => no_key(problem),
        };
        let remote = remote.unwrap_or(Ipv4Addr::UNSPECIFIED.into());
        match self.paces.failures.take(bucket_of(remote)) {
            Ok(()) => {
                tracing::warn!(remote.address = %remote, "a request was refused: {}", refusal.message);
                Err(refusal)
            }
            Err(wait) => {
                let message = "too many keys that do not open came from this address";
                Err(too_many(message, wait))
            }
        }
    }
}

/// A subscriber with an IPv6 connection has a whole /64 of addresses.
fn bucket_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

async fn pass(
    State(Door { gate, scope }): State<Door>,
    parameters: Result<RawPathParams, axum::extract::rejection::RawPathParamsRejection>,
    mut request: Request,
    next: Next,
) -> Response {
    let remote = request.extensions().get::<Peer>().map(|peer| peer.0.ip());
    let caller = match gate
        .admit(scope, request.method(), request.headers(), remote)
        .await
    {
        Ok(caller) => caller,
        Err(error) => return error.into_response(),
    };
    if !scope.writes() {
        request.extensions_mut().insert(caller);
        return next.run(request).await;
    }
    let target = parameters.map_or_else(
        |_| String::new(),
        |parameters| {
            let values: Vec<&str> = parameters.iter().map(|(_, value)| value).collect();
            values.join("/").chars().take(200).collect()
        },
    );
    let route = request.extensions().get::<MatchedPath>();
    let begun = Use {
        key_id: caller.id.clone(),
        key_name: caller.name.clone(),
        scope,
        method: request.method().to_string(),
        route: route.map_or("", MatchedPath::as_str).to_owned(),
        target,
        remote_address: remote.map(|address| address.to_canonical()),
    };
    let row = match gate.audit.begin(begun).await {
        Ok(row) => row,
        Err(error) => {
            tracing::error!(error = %error, "a request was refused because it could not be put on record");
            return ApiError::of_store(&error).into_response();
        }
    };
    request.extensions_mut().insert(caller);
    let response = next.run(request).await;
    let target = response
        .extensions()
        .get::<Target>()
        .map(|Target(target)| target.clone());
    gate.audit.settle(row, response.status().as_u16(), target);
    response
}

fn unauthorized(code: &'static str, message: impl Into<String>, challenge: &'static str) -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, code, message)
        .header(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
}

const BARE: &str = r#"Bearer realm="tidings""#;
const INVALID: &str = r#"Bearer realm="tidings", error="invalid_token""#;

fn no_key(problem: NoKey) -> ApiError {
    let bad_request = |message: &str| ApiError::new(StatusCode::BAD_REQUEST, "BadArgument", message);
    match problem {
        NoKey::Missing => unauthorized(
            "MissingKey",
            "an API key is needed: send it as Authorization: Bearer tid_... (make one with `tidings keys create`)",
            BARE,
        ),
        NoKey::Several => {
            bad_request("send one API key, in Authorization or in X-Api-Key").field("Authorization")
        }
        NoKey::TooLong => bad_request("the API key is longer than any key").field("Authorization"),
        NoKey::Scheme => unauthorized(
            "InvalidKey",
            "Authorization must be Bearer and an API key: Authorization: Bearer tid_...",
            BARE,
        ),
        NoKey::Shape => unauthorized(
            "InvalidKey",
            "this is no API key of Tidings: they look like tid_<id>_<secret>; is it whole?",
            INVALID,
        ),
    }
}

fn does_not_open(problem: BadKey) -> ApiError {
    let message = match problem {
        BadKey::Unknown => "there is no such API key: is it whole, and of this server?",
        BadKey::Revoked => "this API key was revoked: ask for another",
        BadKey::Expired => "this API key has expired: ask for another",
    };
    unauthorized("InvalidKey", message, INVALID)
}

fn missing(scope: Scope) -> ApiError {
    let message = format!("this API key lacks the scope {scope}");
    let challenge = format!(r#"Bearer realm="tidings", error="insufficient_scope", scope="{scope}""#);
    // A scope is a few letters; a header that cannot hold them would be a bug of this file.
    let challenge = HeaderValue::try_from(challenge).unwrap_or(HeaderValue::from_static(BARE));
    ApiError::new(StatusCode::FORBIDDEN, "MissingScope", message).header(header::WWW_AUTHENTICATE, challenge)
}

fn too_many(message: &str, wait: Duration) -> ApiError {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    ApiError::new(
        StatusCode::TOO_MANY_REQUESTS,
        "TooManyRequests",
        format!("{message}; try again in {seconds} s"),
    )
    .header(header::RETRY_AFTER, HeaderValue::from(seconds))
}

#[cfg(test)]
mod tests;
