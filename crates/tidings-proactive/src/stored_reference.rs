//! References to conversations, as they are on record.

use jiff::Timestamp;
use tidings_activity::ConversationReference;
use tidings_store::{StoreError, Tx, params};

/// A reference to a conversation, and when it was put on record.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StoredReference {
    /// The reference.
    pub reference: ConversationReference,
    /// When it was put on record. The conversation was heard of then, at the latest.
    pub stored_at: Timestamp,
}

/// The newest reference to a conversation that is on record: of the jobs started there, else of what was owed to it.
/// Reads all of both tables. `None` also where there are no such tables yet.
///
/// # Errors
/// The database refused, or what is on record is no reference.
pub fn last_reference(tx: &Tx<'_>, conversation_id: &str) -> Result<Option<StoredReference>, StoreError> {
    if !(tx.has_table("jobs")? && tx.has_table("deliveries")?) {
        return Ok(None);
    }
    // A delivery has the reference of the job it tells of, and may be put on record long after that was started.
    let owed = if tx.has_table("lanes")? {
        "SELECT lane_addresses.reference, created_at, 1 FROM lanes
         JOIN lane_addresses ON lane_addresses.lane_id = lanes.id
         JOIN deliveries ON deliveries.lane_id = lanes.id WHERE conversation_id = ?1"
    } else {
        "SELECT reference, created_at, 1 FROM deliveries WHERE conversation_id = ?1"
    };
    let select = format!(
        "SELECT reference, started_at AS at, 0 AS place FROM jobs WHERE conversation_id = ?1
         UNION ALL {owed} ORDER BY place, at DESC LIMIT 1"
    );
    tx.first(&select, params![conversation_id], |row| {
        Ok(StoredReference {
            reference: serde_json::from_str(row.text(0)?).map_err(StoreError::other)?,
            stored_at: Timestamp::from_microsecond(row.get(1)?).map_err(StoreError::other)?,
        })
    })
}
