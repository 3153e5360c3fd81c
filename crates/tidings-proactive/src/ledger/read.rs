//! Looking at the deliveries without changing them.

mod detail;
mod page;
pub(crate) mod row;
mod summary;

pub(crate) use detail::{detail, one};
pub(crate) use page::{lanes, page};
pub(crate) use summary::{Stopped, oldest_waiting, pauses, summary};

use std::collections::HashMap;

use jiff::Timestamp;
use tidings_store::{Tx, params};

use super::Result;
use crate::meter::Meter;
use crate::terms::Rules;

/// The reference and identity of a conversation as JSON; of several channels that of the newest lane.
pub(crate) fn address(
    tx: &Tx<'_>,
    channel_id: Option<&str>,
    conversation_id: &str,
) -> Result<Option<(String, Option<String>)>> {
    let Some(lane) = lanes(tx, channel_id, conversation_id)?.into_iter().max() else {
        return Ok(None);
    };
    tx.first(
        "SELECT reference, identity FROM lane_addresses WHERE lane_id = ?1",
        params![lane],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

/// When what is owed in these lanes, of one channel and conversation each, will have been sent if it is sent as fast as
/// the limits allow.
pub(crate) fn predicted_finish(
    tx: &Tx<'_>,
    rules: &Rules,
    lanes: &[(String, String)],
    now: Timestamp,
) -> Result<Option<Timestamp>> {
    let mut latest = None;
    let mut of_tenants: HashMap<(String, String), u64> = HashMap::new();
    for (channel_id, conversation_id) in lanes {
        let found = tx.first(
            "SELECT tenant, backlog, meter FROM lanes WHERE conversation_id = ?1 AND channel_id = ?2",
            params![conversation_id, channel_id],
            |row| Ok((row.get(0)?, row.get::<i64>(1)?, row.get::<Option<String>>(2)?)),
        )?;
        let Some((tenant, backlog, meter)) = found else {
            continue;
        };
        let backlog = u64::try_from(backlog).unwrap_or(0);
        if let Some(limits) = rules.lane_limits.get(channel_id) {
            latest = latest.max(Some(limits.finish(
                &Meter::from_text(meter.as_deref()),
                now,
                backlog,
            )));
        }
        *of_tenants.entry((channel_id.clone(), tenant)).or_default() += backlog;
    }
    for ((channel_id, tenant), backlog) in of_tenants {
        if let Some(limits) = rules.tenant_limits.get(&channel_id) {
            let meter: Option<String> = tx
                .first(
                    "SELECT meter FROM budgets WHERE channel_id = ?1 AND tenant = ?2",
                    params![channel_id, tenant],
                    |row| row.get(0),
                )?
                .flatten();
            latest = latest.max(Some(limits.finish(
                &Meter::from_text(meter.as_deref()),
                now,
                backlog,
            )));
        }
    }
    Ok(latest)
}

#[cfg(test)]
mod tests;
