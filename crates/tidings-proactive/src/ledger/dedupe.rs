//! What is owed once for each of its keys.

use std::time::Duration;

use jiff::Timestamp;
use tidings_store::{Tx, params};

use super::Result;
use super::enqueue::{Dedupe, Enqueued, Refusal};
use crate::delivery::DeliveryId;
use crate::state::DeliveryState;

/// How long a dedupe key is remembered.
const DEDUPE_FOR: Duration = Duration::from_secs(7 * 24 * 3600);

/// The delivery that a dedupe key belongs to, if it is known.
pub(super) fn first_of(
    tx: &Tx<'_>,
    tenant: &str,
    dedupe: &Dedupe,
    now: Timestamp,
) -> Result<Option<std::result::Result<Enqueued, Refusal>>> {
    let found = tx.first(
        "SELECT delivery_id, body_sha256, state, dedupe_keys.expires_at
         FROM dedupe_keys LEFT JOIN deliveries ON deliveries.id = delivery_id
         WHERE tenant = ?1 AND key = ?2",
        params![tenant, dedupe.key],
        |row| {
            let state: Option<String> = row.get(2)?;
            let body: Vec<u8> = row.get(1)?;
            Ok((DeliveryId(row.get(0)?), body, state, row.get::<i64>(3)?))
        },
    )?;
    let Some((id, body, state, expires_at)) = found else {
        return Ok(None);
    };
    if expires_at <= now.as_microsecond() {
        tx.execute(
            "DELETE FROM dedupe_keys WHERE tenant = ?1 AND key = ?2",
            params![tenant, dedupe.key],
        )?;
        return Ok(None);
    }
    // Keys of the first version were kept without what they stood for.
    let is_same = body == dedupe.body_sha256 || body.iter().all(|byte| *byte == 0);
    if !is_same {
        return Ok(Some(Err(Refusal::OtherBody { id })));
    }
    let state = state.as_deref().and_then(DeliveryState::from_row);
    Ok(Some(Ok(Enqueued {
        id,
        // Its row was pruned, which only happens to one that has ended.
        state: state.unwrap_or(DeliveryState::Delivered),
        replay: true,
        claimed: None,
    })))
}

pub(super) fn remember(
    tx: &Tx<'_>,
    tenant: &str,
    dedupe: &Dedupe,
    id: DeliveryId,
    now: Timestamp,
) -> Result<()> {
    let expires_at = now.checked_add(DEDUPE_FOR).unwrap_or(Timestamp::MAX);
    tx.execute(
        "INSERT INTO dedupe_keys (tenant, key, delivery_id, body_sha256, expires_at) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![tenant, dedupe.key, id.0, dedupe.body_sha256, expires_at.as_microsecond()],
    )?;
    Ok(())
}
