//! Limits of channels, and letting go on what waited for those of before.

use std::time::Duration;

use jiff::Timestamp;
use tidings_store::{StoreError, Tx, params};

use crate::channel_limits::ChannelLimits;
use crate::ledger::lane::{Lane, LaneId};
use crate::ledger::rearm::ready_heads;
use crate::limits::Limit;

/// How many lanes are looked at in one transaction.
const AT_ONCE: i64 = 500;
const WAITING: &str = "SELECT id FROM lanes
     WHERE next_at > ?1 AND channel_id = ?2 AND (wait_reason = 'pacing' OR wait_reason = 'budget') AND id > ?3
     ORDER BY id LIMIT ?4";

/// All that are on record, by channel and scope, the shortest window of each first.
pub(crate) fn limits(tx: &Tx<'_>) -> Result<Vec<ChannelLimits>, StoreError> {
    let mut all: Vec<ChannelLimits> = Vec::new();
    let windows = tx.all(
        "SELECT channel_id, scope, period_ms, permits FROM limits ORDER BY channel_id, scope, period_ms",
        &[],
        |row| {
            let scope = row.text(1)?.parse().map_err(StoreError::other)?;
            let limit = Limit {
                period: Duration::from_millis(row.get::<u32>(2)?.into()),
                permits: row.get(3)?,
            };
            Ok((row.get::<String>(0)?, scope, limit))
        },
    )?;
    for (channel_id, scope, limit) in windows {
        match all
            .last_mut()
            .filter(|last| last.channel_id == channel_id && last.scope == scope)
        {
            Some(last) => last.windows.push(limit),
            None => all.push(ChannelLimits {
                channel_id,
                scope,
                windows: vec![limit],
            }),
        }
    }
    Ok(all)
}

/// Puts these in the place of those of the same channel and scope. What waits for those has to be looked at with
/// [`wake_paced`].
pub(crate) fn set_limits(tx: &Tx<'_>, limits: &ChannelLimits) -> Result<(), StoreError> {
    let scope = limits.scope.as_str();
    tx.execute(
        "DELETE FROM limits WHERE channel_id = ?1 AND scope = ?2",
        params![limits.channel_id, scope],
    )?;
    for window in &limits.windows {
        tx.execute(
            "INSERT INTO limits (channel_id, scope, period_ms, permits) VALUES (?1, ?2, ?3, ?4)",
            params![
                limits.channel_id,
                scope,
                i64::try_from(window.period.as_millis()).unwrap_or(i64::MAX),
                window.permits
            ],
        )?;
    }
    Ok(())
}

/// Has some of the lanes of a channel looked at now that wait for its limits, those after `after`. Returns where to go
/// on, unless these were the last.
pub(crate) fn wake_paced(
    tx: &Tx<'_>,
    channel_id: &str,
    after: i64,
    now: Timestamp,
) -> Result<Option<i64>, StoreError> {
    let now_us = now.as_microsecond();
    let lanes = tx.all(WAITING, params![now_us, channel_id, after, AT_ONCE], |row| {
        row.get::<i64>(0)
    })?;
    for id in &lanes {
        let Some(lane) = Lane::by_id(tx, LaneId(*id))?.filter(|lane| lane.next_at > Some(now_us)) else {
            continue;
        };
        for head in ready_heads(tx, lane.id)? {
            tx.execute(
                "UPDATE delivery_waits SET until = ?2
                 WHERE delivery_id = ?1 AND until > ?2 AND (reason = 'pacing' OR reason = 'budget')",
                params![head.id, now_us],
            )?;
        }
        tx.execute(
            "UPDATE lanes SET next_at = ?2, wait_reason = NULL WHERE id = ?1",
            params![lane.id.0, now_us],
        )?;
    }
    let more = lanes.len() as i64 == AT_ONCE;
    Ok(lanes.last().filter(|_| more).copied())
}
