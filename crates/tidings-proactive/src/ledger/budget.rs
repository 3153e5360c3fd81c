//! Limits, pauses and the budgets of tenants.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use tidings_store::{Dialect, Tx, params};

use super::Result;
use super::claim::Claiming;
use super::lane::Lane;
use crate::limits::{Limit, Limits};
use crate::meter::Meter;
use crate::outcome::PauseScope;
use crate::terms::{Rules, after_skew};

/// The most requests of a budget that a node takes at a time.
const CHUNK: u32 = 16;
/// The tenant that stands for the whole app.
const APP: &str = "*";
/// How long to wait when another node has the budget in hand.
const IN_HAND: Duration = Duration::from_millis(5);

/// Limits and pauses as they are on record now.
pub(crate) fn load_rules(tx: &Tx<'_>, now: Timestamp) -> Result<Rules> {
    let mut windows: HashMap<(bool, String), Vec<Limit>> = HashMap::new();
    tx.all(
        "SELECT channel_id, scope, period_ms, permits FROM limits",
        &[],
        |row| {
            let limit = Limit {
                period: Duration::from_millis(row.get::<u32>(2)?.into()),
                permits: row.get(3)?,
            };
            let of_lane = row.text(1)? == "lane";
            windows.entry((of_lane, row.get(0)?)).or_default().push(limit);
            Ok(())
        },
    )?;
    let mut rules = Rules::default();
    for ((of_lane, channel_id), limits) in windows {
        let of_scope = if of_lane {
            &mut rules.lane_limits
        } else {
            &mut rules.tenant_limits
        };
        of_scope.insert(channel_id, Limits::new(limits));
    }
    tx.all("SELECT scope, channel_id FROM pauses", &[], |row| {
        if row.text(0)? == "all" {
            rules.everything_paused = true;
        } else {
            rules.paused_channels.insert(row.get(1)?);
        }
        Ok(())
    })?;
    tx.all(
        "SELECT channel_id, tenant, paused_until FROM budgets WHERE paused_until > ?1",
        params![now.as_microsecond()],
        |row| {
            let until = Timestamp::from_microsecond(row.get(2)?).unwrap_or(Timestamp::MAX);
            rules.left_alone.insert((row.get(0)?, row.get(1)?), until);
            Ok(())
        },
    )?;
    Ok(rules)
}

/// Whether a channel is paused, or everything is, as it is on record. Who ends a pause waits until this transaction has
/// ended, and finds the lanes that it puts off.
pub(super) fn is_paused(tx: &Tx<'_>, channel_id: &str) -> Result<bool> {
    let sql = match tx.dialect() {
        Dialect::Postgres => "SELECT 1 FROM pauses WHERE scope = 'all' OR channel_id = ?1 FOR SHARE",
        Dialect::Sqlite => "SELECT 1 FROM pauses WHERE scope = 'all' OR channel_id = ?1",
    };
    tx.exists(sql, params![channel_id])
}

/// Spends one request of the budget of a lane's tenant, and notes in the lane until when the call may be made. `None` if
/// that is allowed, else from when it is.
pub(super) fn spend(
    tx: &Tx<'_>,
    claiming: Claiming<'_>,
    lane: &mut Lane,
    now: Timestamp,
) -> Result<Option<Timestamp>> {
    let (limits, spendable) = {
        let mut terms = claiming.terms();
        let Some(limits) = terms.rules.tenant_limits.get(&lane.channel_id).cloned() else {
            return Ok(None);
        };
        lane.call_by = terms.spend(&lane.channel_id, &lane.tenant, now);
        if lane.call_by.is_some() {
            return Ok(None);
        }
        (limits, terms.spendable())
    };
    // Nobody waits for a budget that another node has in hand: a transaction has several, in no order, and they would
    // wait for each other in a circle.
    let sql = match tx.dialect() {
        Dialect::Postgres => {
            "SELECT meter FROM budgets WHERE channel_id = ?1 AND tenant = ?2 FOR UPDATE SKIP LOCKED"
        }
        Dialect::Sqlite => "SELECT meter FROM budgets WHERE channel_id = ?1 AND tenant = ?2",
    };
    let found: Option<Option<String>> =
        tx.first(sql, params![lane.channel_id, lane.tenant], |row| row.get(0))?;
    if found.is_none() {
        let opened = tx.execute(
            "INSERT INTO budgets (channel_id, tenant) VALUES (?1, ?2) ON CONFLICT (channel_id, tenant) DO NOTHING",
            params![lane.channel_id, lane.tenant],
        )?;
        if opened == 0 {
            return Ok(Some(now.checked_add(IN_HAND).unwrap_or(Timestamp::MAX)));
        }
    }
    let mut meter = Meter::from_text(found.flatten().as_deref());
    let until = now.checked_add(spendable).unwrap_or(Timestamp::MAX);
    let was_set_back = meter.not_after(after_skew(until));
    let taken = limits.take_until(&mut meter, now, until, CHUNK);
    if taken > 0 || was_set_back {
        tx.execute(
            "UPDATE budgets SET meter = ?3 WHERE channel_id = ?1 AND tenant = ?2",
            params![lane.channel_id, lane.tenant, meter.to_text()],
        )?;
    }
    if taken == 0 {
        return Ok(Some(limits.next(&meter, now)));
    }
    claiming
        .terms()
        .put(&lane.channel_id, &lane.tenant, taken - 1, until, now);
    lane.call_by = Some(until);
    Ok(None)
}

/// What was sent by a clock that has been set back to `now` is no longer than a skew ahead of it.
pub(super) fn bring_forward(tx: &Tx<'_>, now: Timestamp) -> Result<()> {
    let sql = match tx.dialect() {
        Dialect::Postgres => {
            "SELECT channel_id, tenant, meter FROM budgets WHERE meter IS NOT NULL
             ORDER BY channel_id, tenant FOR UPDATE"
        }
        Dialect::Sqlite => "SELECT channel_id, tenant, meter FROM budgets WHERE meter IS NOT NULL",
    };
    let budgets = tx.all(sql, &[], |row| {
        Ok((
            row.get::<String>(0)?,
            row.get::<String>(1)?,
            Meter::from_text(Some(row.text(2)?)),
        ))
    })?;
    for (channel_id, tenant, mut meter) in budgets {
        if meter.not_after(after_skew(now)) {
            tx.execute(
                "UPDATE budgets SET meter = ?3 WHERE channel_id = ?1 AND tenant = ?2",
                params![channel_id, tenant, meter.to_text()],
            )?;
        }
    }
    Ok(())
}

/// A channel asked to leave a tenant, or the whole app, alone.
pub(super) fn leave_alone(
    tx: &Tx<'_>,
    claiming: Claiming<'_>,
    lane: &Lane,
    scope: PauseScope,
    until: Timestamp,
) -> Result<()> {
    let tenant = match scope {
        PauseScope::Lane => return Ok(()),
        PauseScope::Tenant => lane.tenant.as_str(),
        PauseScope::App => APP,
    };
    tx.execute(
        "INSERT INTO budgets (channel_id, tenant, paused_until) VALUES (?1, ?2, ?3)
         ON CONFLICT (channel_id, tenant) DO UPDATE SET paused_until = excluded.paused_until
         WHERE budgets.paused_until IS NULL OR budgets.paused_until < excluded.paused_until",
        params![lane.channel_id, tenant, until.as_microsecond()],
    )?;
    let mut terms = claiming.terms();
    let known = terms
        .rules
        .left_alone
        .entry((lane.channel_id.clone(), tenant.to_owned()))
        .or_insert(until);
    *known = until.max(*known);
    Ok(())
}
