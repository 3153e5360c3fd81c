//! A look at the keys that an issuer of tokens publishes, for whoever wants to know whether they can be had at all.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{ACCEPT, DATE};
use http::{Request, StatusCode, Uri};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::transport::{Deadline, Transport};

/// The largest document that is read. Microsoft's have some twenty thousand bytes.
const MAX_DOCUMENT_BYTES: usize = 1024 * 1024;

/// What an issuer publishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PublishedKeys {
    /// How many keys there are; never none.
    pub count: usize,
    /// The time by the issuer's clock, if it told.
    pub date: Option<SystemTime>,
}

#[derive(Deserialize)]
struct Metadata {
    jwks_uri: String,
}

#[derive(Deserialize)]
struct Keys {
    keys: Vec<IgnoredAny>,
}

impl PublishedKeys {
    /// Fetches the metadata at `metadata_url`, and the keys that it names, within `timeout`. Nothing is kept, and nothing
    /// is verified with them.
    ///
    /// # Errors
    ///
    /// What stands in the way, in one line.
    pub async fn look_up(metadata_url: &str, timeout: Duration) -> Result<Self, String> {
        let transport = Transport::new(timeout);
        let deadline = Deadline::after(timeout);
        let (metadata, _) = get(&transport, metadata_url, deadline).await?;
        let Metadata { jwks_uri } = serde_json::from_slice(&metadata)
            .map_err(|_| "what is there is no metadata with a jwks_uri".to_owned())?;
        let (keys, date) = get(&transport, &jwks_uri, deadline).await?;
        let Keys { keys } =
            serde_json::from_slice(&keys).map_err(|_| format!("what is at {jwks_uri} are no keys"))?;
        if keys.is_empty() {
            return Err(format!("there are no keys at {jwks_uri}"));
        }
        Ok(Self {
            count: keys.len(),
            date,
        })
    }
}

async fn get(
    transport: &Transport,
    address: &str,
    deadline: Deadline,
) -> Result<(Bytes, Option<SystemTime>), String> {
    let uri: Uri = address
        .parse()
        .map_err(|_| format!("{address:?} is no address"))?;
    let request = Request::get(uri)
        .header(ACCEPT, "application/json")
        .body(None)
        .map_err(|error| error.to_string())?;
    let answer = transport
        .exchange(request, deadline, MAX_DOCUMENT_BYTES)
        .await
        .map_err(|error| error.to_string())?;
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
