//! The keys that an issuer publishes, fetched: from its metadata to the keys that the metadata names.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{ACCEPT, DATE};
use http::{Request, StatusCode, Uri};
use serde::Deserialize;

use super::MAX_DOCUMENT_BYTES;
use super::key_set::KeySet;
use super::metadata_url::metadata_url;
use crate::transport::{Deadline, Transport};

/// What an issuer publishes, for whoever wants to know whether its keys can be had at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PublishedKeys {
    /// How many keys there are of the sort that tokens are verified with; never none.
    pub count: usize,
    /// The time by the issuer's clock, if it told.
    pub date: Option<SystemTime>,
}

impl PublishedKeys {
    /// Fetches the metadata at `metadata_url`, and the keys that it names, within `timeout`, as an
    /// [`Authenticator`](super::Authenticator) does. Nothing is kept.
    ///
    /// # Errors
    ///
    /// What stands in the way, in one line.
    pub async fn look_up(metadata_url: &str, timeout: Duration) -> Result<Self, String> {
        let address = self::metadata_url(metadata_url).map_err(|fault| format!("{metadata_url} {fault}"))?;
        let (keys, date) = fetch(&Transport::new(timeout), &address, Deadline::after(timeout)).await?;
        Ok(Self {
            count: keys.len(),
            date,
        })
    }
}

/// Of the metadata, the one thing that is needed. Its `issuer` is not asked: the tenant-independent document has none
/// that a token could have.
#[derive(Deserialize)]
struct Metadata {
    jwks_uri: String,
}

/// The keys behind a metadata document (`OpenID` Connect Discovery, section 4), and the time by their host's clock.
pub(super) async fn fetch(
    transport: &Transport,
    metadata: &Uri,
    deadline: Deadline,
) -> Result<(KeySet, Option<SystemTime>), String> {
    let (text, _) = get(transport, metadata, deadline).await?;
    let Metadata { jwks_uri } = serde_json::from_slice(&text)
        .map_err(|error| format!("{metadata} is not OpenID metadata: {error}"))?;
    let address = metadata_url(&jwks_uri).map_err(|fault| format!("the jwks_uri of {metadata} {fault}"))?;
    let (text, date) = get(transport, &address, deadline).await?;
    let keys = KeySet::parse(&text).map_err(|fault| format!("{address} {fault}"))?;
    Ok((keys, date))
}

async fn get(
    transport: &Transport,
    address: &Uri,
    deadline: Deadline,
) -> Result<(Bytes, Option<SystemTime>), String> {
    let request = Request::get(address.clone())
        .header(ACCEPT, "application/json")
        .body(None)
        .map_err(|error| error.to_string())?;
    let answer = transport
        .exchange(request, deadline, MAX_DOCUMENT_BYTES)
        .await
        .map_err(|error| error.message)?;
    if answer.status != StatusCode::OK {
        return Err(format!("{address} answered {}", answer.status));
    }
    if let Some(fault) = answer.fault {
        return Err(format!("{address} answered, but {fault}"));
    }
    let date = answer
        .headers
        .get(DATE)
        .and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
    Ok((answer.body, date))
}
