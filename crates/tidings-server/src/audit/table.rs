//! The audit on record: every statement that touches it.

use jiff::Timestamp;
use tidings_store::{ColumnRef, Dialect, List, Row, StoreError, ToColumn as _, Tx, params};

use super::ends::End;
use super::{AuditEntry, AuditPage, Bounds, Use};

/// Writes a row, and now and then prunes what is beyond the bounds with it.
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
    if id % bounds.pruned_every == 0 {
        prune(tx, id, now, bounds)?;
    }
    Ok(id)
}

/// Leaves room for the rows until it is called again.
fn prune(tx: &Tx<'_>, id: i64, now: Timestamp, bounds: Bounds) -> Result<(), StoreError> {
    let kept = bounds.rows - (bounds.pruned_every - 1);
    tx.execute(
        "DELETE FROM api_audit WHERE id <= ?1",
        params![id.saturating_sub(kept)],
    )?;
    let oldest = now.saturating_sub(bounds.age).unwrap_or(Timestamp::MIN);
    tx.execute(
        "DELETE FROM api_audit WHERE at < ?1",
        params![oldest.as_microsecond()],
    )?;
    Ok(())
}

pub(super) fn settle(tx: &Tx<'_>, ends: &[End]) -> Result<(), StoreError> {
    if tx.dialect() == Dialect::Postgres && ends.len() > 1 {
        let ids: List<'_> = ends.iter().map(|end| end.id.to_column()).collect();
        let statuses: List<'_> = ends
            .iter()
            .map(|end| ColumnRef::Integer(end.status.into()))
            .collect();
        let targets: List<'_> = ends.iter().map(|end| end.target.to_column()).collect();
        tx.execute(
            "UPDATE api_audit SET status = new.status, target = coalesce(new.target, api_audit.target)
             FROM unnest(CAST(?1 AS BIGINT[]), CAST(?2 AS BIGINT[]), CAST(?3 AS TEXT[])) AS new (id, status, target)
             WHERE api_audit.id = new.id",
            params![ids, statuses, targets],
        )?;
        return Ok(());
    }
    for end in ends {
        tx.execute(
            "UPDATE api_audit SET status = ?2, target = coalesce(?3, target) WHERE id = ?1",
            params![end.id, end.status, end.target],
        )?;
    }
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
