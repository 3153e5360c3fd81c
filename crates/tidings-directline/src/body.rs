//! Reading bodies, none of them without a limit.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use http::StatusCode;
use tidings_activity::Activity;

use crate::options::Limits;
use crate::refusal::Refusal;

/// How long a client may take over sending a body.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// The whole body, if it has at most `limit` bytes (413) and arrives in time (408).
pub(crate) async fn read(body: Body, limit: usize) -> Result<Bytes, Refusal> {
    in_time(async move {
        let mut stream = body.into_data_stream();
        let mut whole = BytesMut::new();
        while let Some(chunk) = stream.next().await {
            let chunk =
                chunk.map_err(|error| Refusal::malformed(format!("The body ended too early: {error}")))?;
            if whole.len() + chunk.len() > limit {
                return Err(Refusal::too_large("The body", limit, "bytes"));
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.freeze())
    })
    .await
}

/// 408 for whatever takes longer than a body may.
pub(crate) async fn in_time<T>(reading: impl Future<Output = Result<T, Refusal>>) -> Result<T, Refusal> {
    tokio::time::timeout(READ_TIMEOUT, reading)
        .await
        .unwrap_or_else(|_| {
            Err(Refusal::new(
                StatusCode::REQUEST_TIMEOUT,
                "ServiceError",
                "The body did not arrive in time",
            ))
        })
}

/// Most bytes that an activity of the longest allowed text can have.
pub(crate) fn activity_bytes(limits: &Limits) -> usize {
    limits.activity_characters.saturating_mul(4)
}

/// An activity of at most [`Limits::activity_characters`] characters.
pub(crate) fn activity(json: &[u8], limits: &Limits) -> Result<Activity, Refusal> {
    let most = limits.activity_characters;
    if json.len() > most && String::from_utf8_lossy(json).chars().count() > most {
        return Err(Refusal::too_large("The activity", most, "characters"));
    }
    Ok(Activity::from_slice(json)?)
}
