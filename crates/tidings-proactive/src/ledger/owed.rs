//! How much is open for whom. Each of these reads all lanes.

use tidings_store::{Tx, params};

use super::Result;

/// The open deliveries of each tenant that has some.
pub(crate) fn owed_to_tenants(tx: &Tx<'_>) -> Result<Vec<(String, u64)>> {
    tx.all(
        "SELECT tenant, sum(backlog) FROM lanes WHERE backlog > 0 GROUP BY tenant",
        &[],
        |row| Ok((row.get(0)?, count(row.get(1)?))),
    )
}

/// The open deliveries of one tenant.
pub(crate) fn owed_to_tenant(tx: &Tx<'_>, tenant: &str) -> Result<u64> {
    let owed = tx.first(
        "SELECT coalesce(sum(backlog), 0) FROM lanes WHERE tenant = ?1 AND backlog > 0",
        params![tenant],
        |row| row.get(0).map(count),
    )?;
    Ok(owed.unwrap_or(0))
}

/// How many processes are at work.
pub(crate) fn count_nodes(tx: &Tx<'_>) -> Result<u64> {
    let nodes = tx.first("SELECT count(*) FROM nodes", &[], |row| row.get(0).map(count))?;
    Ok(nodes.unwrap_or(0))
}

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
