//! Looking at the deliveries without changing them.

use jiff::Timestamp;
use tidings_store::StoreError;
use tidings_store::rusqlite::{self, Connection, OptionalExtension as _};

use crate::delivery::{Delivery, DeliveryId, Failure};
use crate::row;

pub(super) const NEXT_DUE: &str =
    "SELECT due_at FROM deliveries WHERE due_at IS NOT NULL ORDER BY due_at LIMIT 1";
pub(super) const COUNT_DUE: &str =
    "SELECT count(*) FROM (SELECT 1 FROM deliveries WHERE due_at <= ?1 LIMIT ?2)";

/// When the next delivery is due, if one waits for its time.
pub(crate) fn next_due(conn: &Connection) -> Result<Option<Timestamp>, StoreError> {
    let due = conn
        .prepare_cached(NEXT_DUE)?
        .query_row([], |row| row::timestamp(row, 0))
        .optional()?;
    Ok(due)
}

/// How many deliveries are due, counted up to `limit`.
pub(crate) fn count_due(conn: &Connection, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
    let count: i64 = conn.prepare_cached(COUNT_DUE)?.query_row(
        [now.as_microsecond(), i64::try_from(limit).unwrap_or(i64::MAX)],
        |row| row.get(0),
    )?;
    Ok(usize::try_from(count).unwrap_or(0))
}

/// The delivery with this id.
pub(crate) fn delivery(conn: &Connection, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
    let found = conn
        .prepare_cached(
            "SELECT id, channel_id, conversation_id, state, reason, due_at, expires_at, starts, repeat_possible,
                    error_status, error_code, error_message, activity_id
             FROM deliveries WHERE id = ?1",
        )?
        .query_row([id.0], |row| {
            let message: Option<String> = row.get(11)?;
            let failure = |message| {
                Ok::<_, rusqlite::Error>(Failure { status: row.get(9)?, code: row.get(10)?, message })
            };
            Ok(Delivery {
                id: DeliveryId(row.get(0)?),
                channel_id: row.get(1)?,
                conversation_id: row.get(2)?,
                state: row::state(row, 3)?.ok_or(rusqlite::Error::InvalidQuery)?,
                reason: row.get(4)?,
                due_at: row::optional_timestamp(row, 5)?,
                expires_at: row::timestamp(row, 6)?,
                starts: row.get(7)?,
                repeat_possible: row.get(8)?,
                last_failure: message.map(failure).transpose()?,
                activity_id: row.get(12)?,
            })
        })
        .optional()?;
    Ok(found)
}
