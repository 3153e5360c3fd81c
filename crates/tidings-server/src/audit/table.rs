//! The audit on record: every statement that touches it.

use jiff::Timestamp;
use tidings_store::{Row, StoreError, Tx, params};

use super::{AuditEntry, AuditPage, Bounds, Use};

/// Writes a row, and prunes what is beyond the bounds with it.
pub(super) fn insert(
    tx: &Tx<'_>,
    done: &Use,
    now: Timestamp,
    status: Option<u16>,
    bounds: Bounds,
) -> Result<i64, StoreError> {
    let id = tx.insert(
        "INSERT INTO api_audit (at, key_id, key_name, scope, method, route, target, status, remote_address)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        "id",
        params![
            now.as_microsecond(),
            done.key_id,
            done.key_name,
            done.scope.as_str(),
            done.method,
            done.route,
            // It may come from the path of a request, and PostgreSQL takes no NUL in a text.
            done.target.replace('\0', "\u{fffd}"),
            status,
            done.remote_address.map(|address| address.to_string()),
        ],
    )?;
    let id = id.ok_or_else(|| StoreError::message("a row of the audit was not written"))?;
    let oldest = now.saturating_sub(bounds.age).unwrap_or(Timestamp::MIN);
    tx.execute(
        "DELETE FROM api_audit WHERE id <= ?1",
        params![id.saturating_sub(bounds.rows)],
    )?;
    tx.execute(
        "DELETE FROM api_audit WHERE at < ?1",
        params![oldest.as_microsecond()],
    )?;
    Ok(id)
}

pub(super) fn settle(tx: &Tx<'_>, id: i64, status: u16, target: Option<&str>) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE api_audit SET status = ?2, target = coalesce(?3, target) WHERE id = ?1",
        params![id, status, target],
    )?;
    Ok(())
}

pub(super) fn page(tx: &Tx<'_>, limit: usize, below: i64) -> Result<AuditPage, StoreError> {
    let mut entries = tx.all(
        "SELECT id, at, key_id, key_name, scope, method, route, target, status, remote_address
         FROM api_audit WHERE id < ?1 ORDER BY id DESC LIMIT ?2",
        params![below, i64::try_from(limit).unwrap_or(i64::MAX - 1) + 1],
        from_row,
    )?;
    let more = entries.len() > limit;
    entries.truncate(limit);
    let next = entries.last().filter(|_| more).map(|entry| entry.id);
    Ok(AuditPage { entries, next })
}

fn from_row(row: &Row<'_>) -> Result<AuditEntry, StoreError> {
    Ok(AuditEntry {
        id: row.get(0)?,
        at: Timestamp::from_microsecond(row.get(1)?).unwrap_or_default(),
        key_id: row.get(2)?,
        key_name: row.get(3)?,
        scope: row.get(4)?,
        method: row.get(5)?,
        route: row.get(6)?,
        target: row.get(7)?,
        status: row.get(8)?,
        remote_address: row.get(9)?,
    })
}
