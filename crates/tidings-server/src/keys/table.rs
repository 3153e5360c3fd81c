//! The keys on record: every statement that touches them.

use jiff::Timestamp;
use tidings_store::StoreError;
use tidings_store::rusqlite::{self, Connection, Row, params};

use super::scope;
use super::{ApiKey, Stored};

pub(super) fn insert(tx: &Connection, key: &ApiKey, hash: [u8; 32]) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO api_keys (id, name, secret_sha256, scopes, created_at, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        key.id,
        key.name,
        hash,
        scope::to_row(&key.scopes),
        key.created_at.as_microsecond(),
        key.expires_at.map(Timestamp::as_microsecond),
    ])?;
    Ok(())
}

pub(super) fn delete(tx: &Connection, id: &str) -> Result<(), StoreError> {
    tx.prepare_cached("DELETE FROM api_keys WHERE id = ?1")?
        .execute([id])?;
    Ok(())
}

pub(super) fn revoke(tx: &Connection, id: &str, now: Timestamp) -> Result<(), StoreError> {
    tx.prepare_cached("UPDATE api_keys SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL")?
        .execute(params![id, now.as_microsecond()])?;
    Ok(())
}

pub(super) fn touch(tx: &Connection, id: &str, now: Timestamp) -> Result<(), StoreError> {
    tx.prepare_cached("UPDATE api_keys SET last_used_at = ?2 WHERE id = ?1")?
        .execute(params![id, now.as_microsecond()])?;
    Ok(())
}

/// Whether some key would open now.
pub(crate) fn is_any_live(connection: &Connection, now: Timestamp) -> Result<bool, StoreError> {
    Ok(connection
        .prepare_cached(
            "SELECT 1 FROM api_keys WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?1)",
        )?
        .exists([now.as_microsecond()])?)
}

pub(super) fn all(connection: &Connection) -> Result<Vec<Stored>, StoreError> {
    let keys = connection
        .prepare_cached(
            "SELECT id, name, secret_sha256, scopes, created_at, expires_at, revoked_at, last_used_at FROM api_keys",
        )?
        .query_map([], from_row)?
        .collect::<Result<_, _>>()?;
    Ok(keys)
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Stored> {
    let key = ApiKey {
        id: row.get(0)?,
        name: row.get(1)?,
        scopes: scope::from_row(row.get_ref(3)?.as_str()?),
        created_at: time(row.get(4)?),
        expires_at: row.get::<_, Option<i64>>(5)?.map(time),
        revoked_at: row.get::<_, Option<i64>>(6)?.map(time),
        last_used_at: row.get::<_, Option<i64>>(7)?.map(time),
    };
    Ok(Stored {
        key,
        hash: row.get(2)?,
    })
}

/// Only times that this server wrote stand here; one out of range could only be an expiry that never comes or is over.
fn time(microseconds: i64) -> Timestamp {
    Timestamp::from_microsecond(microseconds).unwrap_or(if microseconds < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    })
}
