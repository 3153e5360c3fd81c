//! Looking at the deliveries without changing them.

use tidings_store::{StoreError, Tx, params};

use crate::delivery::{Delivery, DeliveryId, Failure};
use crate::row;

/// The reference and identity of a conversation as JSON; of several channels that of the newest lane.
pub(crate) fn address(
    tx: &Tx<'_>,
    channel_id: Option<&str>,
    conversation_id: &str,
) -> Result<Option<(String, Option<String>)>, StoreError> {
    tx.first(
        "SELECT reference, identity FROM lanes JOIN lane_addresses ON lane_id = id
         WHERE conversation_id = ?1 AND channel_id = coalesce(?2, channel_id) ORDER BY id DESC LIMIT 1",
        params![conversation_id, channel_id],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

/// The delivery with this id.
pub(crate) fn delivery(tx: &Tx<'_>, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
    tx.first(
        "SELECT deliveries.id, channel_id, conversation_id, state, reason, due_at, expires_at, starts, repeat_possible,
                error_status, error_code, error_message, activity_id
         FROM deliveries JOIN lanes ON lanes.id = lane_id WHERE deliveries.id = ?1",
        params![id.0],
        |row| {
            let message: Option<String> = row.get(11)?;
            let failure = |message| {
                Ok::<_, StoreError>(Failure {
                    status: row.get(9)?,
                    code: row.get(10)?,
                    message,
                })
            };
            Ok(Delivery {
                id: DeliveryId(row.get(0)?),
                channel_id: row.get(1)?,
                conversation_id: row.get(2)?,
                state: row::state(row, 3)?.ok_or_else(|| StoreError::message("a delivery has no state"))?,
                reason: row.get(4)?,
                due_at: row::optional_timestamp(row, 5)?,
                expires_at: row::timestamp(row, 6)?,
                starts: row.get(7)?,
                repeat_possible: row.get(8)?,
                last_failure: message.map(failure).transpose()?,
                activity_id: row.get(12)?,
            })
        },
    )
}
