//! Looking at the deliveries without changing them.

mod detail;
mod page;
pub(crate) mod row;
mod summary;

pub(crate) use detail::{detail, one};
pub(crate) use page::{lanes, page};
pub(crate) use summary::{Stopped, oldest_waiting, pauses, summary};

use jiff::Timestamp;
use tidings_store::StoreError;
use tidings_store::rusqlite::{self, Connection, OptionalExtension as _};

use crate::delivery::{Content, Delivery, DeliveryId, Failure};
use crate::row as columns;
use crate::unknown_policy::UnknownPolicy;

pub(super) const DUE_TIMES: &str = "SELECT due_at FROM deliveries WHERE due_at IS NOT NULL ORDER BY due_at";

/// What waits for its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Due {
    /// How many deliveries are due, counted up to a limit.
    pub(crate) count: usize,
    /// When the next one is due, if fewer than the limit are.
    pub(crate) next: Option<Timestamp>,
}

/// How many deliveries are due, counted up to `limit`, and when the next one is.
pub(crate) fn due(conn: &Connection, now: Timestamp, limit: usize) -> Result<Due, StoreError> {
    let mut statement = conn.prepare_cached(DUE_TIMES)?;
    let mut rows = statement.query([])?;
    let mut due = Due::default();
    while due.count < limit
        && let Some(row) = rows.next()?
    {
        let time = columns::timestamp(row, 0)?;
        if time > now {
            due.next = Some(time);
            break;
        }
        due.count += 1;
    }
    Ok(due)
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
                state: columns::state(row, 3)?.ok_or(rusqlite::Error::InvalidQuery)?,
                reason: row.get(4)?,
                due_at: columns::optional_timestamp(row, 5)?,
                expires_at: columns::timestamp(row, 6)?,
                starts: row.get(7)?,
                repeat_possible: row.get(8)?,
                last_failure: message.map(failure).transpose()?,
                activity_id: row.get(12)?,
                tenant: String::new(),
                class: String::new(),
                policy: UnknownPolicy::AtLeastOnce,
                wait: None,
                content: Content::Handler { name: String::new() },
                parent_id: None,
                retry_of: None,
                merged_into: None,
                created_at: Timestamp::UNIX_EPOCH,
                updated_at: Timestamp::UNIX_EPOCH,
                ended_at: None,
            })
        })
        .optional()?;
    Ok(found)
}

#[cfg(test)]
mod tests;
