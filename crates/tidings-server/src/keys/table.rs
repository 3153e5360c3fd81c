//! The keys on record: every statement that touches them.

use jiff::Timestamp;
use tidings_store::{Row, StoreError, Tx, params};

use super::scope;
use super::{ApiKey, Stored};

pub(super) fn insert(tx: &Tx<'_>, key: &ApiKey, hash: [u8; 32]) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO api_keys (id, name, secret_sha256, scopes, created_at, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            key.id,
            key.name,
            hash,
            scope::to_row(&key.scopes),
            key.created_at.as_microsecond(),
            key.expires_at.map(Timestamp::as_microsecond),
        ],
    )?;
    Ok(())
}

pub(super) fn delete(tx: &Tx<'_>, id: &str) -> Result<(), StoreError> {
    tx.execute("DELETE FROM api_keys WHERE id = ?1", params![id])?;
    Ok(())
}

pub(super) fn revoke(tx: &Tx<'_>, id: &str, now: Timestamp) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE api_keys SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL",
        params![id, now.as_microsecond()],
    )?;
    Ok(())
}

pub(super) fn touch(tx: &Tx<'_>, id: &str, now: Timestamp) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE api_keys SET last_used_at = ?2 WHERE id = ?1 AND (last_used_at IS NULL OR last_used_at < ?2)",
        params![id, now.as_microsecond()],
    )?;
    Ok(())
}

/// Whether some key would open now.
pub(crate) fn is_any_live(tx: &Tx<'_>, now: Timestamp) -> Result<bool, StoreError> {
    tx.exists(
        "SELECT 1 FROM api_keys WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?1) LIMIT 1",
        params![now.as_microsecond()],
    )
}

pub(super) fn all(tx: &Tx<'_>) -> Result<Vec<Stored>, StoreError> {
    tx.all(
        "SELECT id, name, secret_sha256, scopes, created_at, expires_at, revoked_at, last_used_at FROM api_keys",
        &[],
        from_row,
    )
}

/// Changes whenever a key is made, revoked or deleted.
pub(super) fn version(tx: &Tx<'_>) -> Result<Version, StoreError> {
    let version = tx.first(
        "SELECT count(*), count(revoked_at), CAST(coalesce(sum(created_at), 0) AS BIGINT) FROM api_keys",
        &[],
        |row| Ok(Version(row.get(0)?, row.get(1)?, row.get(2)?)),
    )?;
    Ok(version.unwrap_or_default())
}

/// What [`version`] says: how many keys there are, how many are revoked, and the sum of the times of making.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Version(i64, i64, i64);

fn from_row(row: &Row<'_>) -> Result<Stored, StoreError> {
    let key = ApiKey {
        id: row.get(0)?,
        name: row.get(1)?,
        scopes: scope::from_row(row.text(3)?),
        created_at: time(row.get(4)?),
        expires_at: row.get::<Option<i64>>(5)?.map(time),
        revoked_at: row.get::<Option<i64>>(6)?.map(time),
        last_used_at: row.get::<Option<i64>>(7)?.map(time),
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
