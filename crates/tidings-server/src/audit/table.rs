//! The audit on record: every statement that touches it.

use jiff::Timestamp;
use tidings_store::StoreError;
use tidings_store::rusqlite::{self, Connection, Row, params};

use super::{AuditEntry, AuditPage, Bounds, Use};

/// Writes a row, and prunes what is beyond the bounds with it.
pub(super) fn insert(
    tx: &Connection,
    done: &Use,
    now: Timestamp,
    status: Option<u16>,
    bounds: Bounds,
) -> Result<i64, StoreError> {
    tx.prepare_cached(
        "INSERT INTO api_audit (at, key_id, key_name, scope, method, route, target, status, remote_address)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute(params![
        now.as_microsecond(),
        done.key_id,
        done.key_name,
        done.scope.as_str(),
        done.method,
        done.route,
        done.target,
        status,
        done.remote_address.map(|address| address.to_string()),
    ])?;
    let id = tx.last_insert_rowid();
    let oldest = now.saturating_sub(bounds.age).unwrap_or(Timestamp::MIN);
    tx.prepare_cached("DELETE FROM api_audit WHERE id <= ?1")?
        .execute([id.saturating_sub(bounds.rows)])?;
    tx.prepare_cached("DELETE FROM api_audit WHERE at < ?1")?
        .execute([oldest.as_microsecond()])?;
    Ok(id)
}

pub(super) fn settle(tx: &Connection, id: i64, status: u16, target: Option<&str>) -> Result<(), StoreError> {
    tx.prepare_cached("UPDATE api_audit SET status = ?2, target = coalesce(?3, target) WHERE id = ?1")?
        .execute(params![id, status, target])?;
    Ok(())
}

pub(super) fn page(connection: &Connection, limit: usize, below: i64) -> Result<AuditPage, StoreError> {
    let mut entries: Vec<AuditEntry> = connection
        .prepare_cached(
            "SELECT id, at, key_id, key_name, scope, method, route, target, status, remote_address
             FROM api_audit WHERE id < ?1 ORDER BY id DESC",
        )?
        .query_map([below], from_row)?
        .take(limit.saturating_add(1))
        .collect::<Result<_, _>>()?;
    let more = entries.len() > limit;
    entries.truncate(limit);
    let next = entries.last().filter(|_| more).map(|entry| entry.id);
    Ok(AuditPage { entries, next })
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<AuditEntry> {
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
