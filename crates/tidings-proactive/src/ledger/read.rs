//! Looking at the deliveries without changing them.

mod detail;
mod page;
mod predict;
pub(crate) mod row;
mod summary;

use tidings_store::{StoreError, Tx, params};

pub(crate) use detail::{detail, one};
pub(crate) use page::{lanes, page};
pub(crate) use predict::predicted_finish;
pub(crate) use summary::{Stopped, oldest_waiting, pauses, summary};

/// The reference and identity of a conversation as JSON; of several channels that of the newest lane.
pub(crate) fn address(
    tx: &Tx<'_>,
    channel_id: Option<&str>,
    conversation_id: &str,
) -> Result<Option<(String, Option<String>)>, StoreError> {
    let Some(lane) = lanes(tx, channel_id, conversation_id)?.into_iter().max() else {
        return Ok(None);
    };
    tx.first(
        "SELECT reference, identity FROM lane_addresses WHERE lane_id = ?1",
        params![lane],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

#[cfg(test)]
mod tests;
