//! When a batch will have been sent, if channels take what their limits allow.

use std::collections::HashMap;

use jiff::Timestamp;
use tidings_store::{StoreError, ToColumn, Tx, params};

use crate::ledger::load_rules;
use crate::meter::Meter;

/// How many deliveries one statement looks at.
const AT_ONCE: usize = 50;
const LANES_OF: &str = "SELECT lanes.id, channel_id, tenant, meter, next_at, backlog, count(*)
     FROM deliveries AS d JOIN lanes ON lanes.id = d.lane_id
     WHERE d.id IN (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22,
                    ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, ?35, ?36, ?37, ?38, ?39, ?40, ?41, ?42,
                    ?43, ?44, ?45, ?46, ?47, ?48, ?49, ?50)
       AND d.ended_at IS NULL
     GROUP BY lanes.id, channel_id, tenant, meter, next_at, backlog";

struct Lane {
    id: i64,
    channel_id: String,
    tenant: String,
    meter: Option<String>,
    next_at: Option<i64>,
    backlog: u64,
    of_batch: u64,
}

/// When the last of these deliveries will have been sent; `None` where no limit says anything about it.
pub(crate) fn predicted_finish(
    tx: &Tx<'_>,
    ids: &[i64],
    now: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    let rules = load_rules(tx, now)?;
    let mut seen = HashMap::new();
    let mut of_tenants: HashMap<(String, String), u64> = HashMap::new();
    let mut finish = None;
    for some in ids.chunks(AT_ONCE) {
        let mut padded = [0_i64; AT_ONCE];
        for (place, id) in padded.iter_mut().zip(some) {
            *place = *id;
        }
        let ids = padded.each_ref().map(|id| id as &dyn ToColumn);
        let lanes = tx.all(LANES_OF, &ids, |row| {
            Ok(Lane {
                id: row.get(0)?,
                channel_id: row.get(1)?,
                tenant: row.get(2)?,
                meter: row.get(3)?,
                next_at: row.get(4)?,
                backlog: u64::try_from(row.get::<i64>(5)?).unwrap_or(0),
                of_batch: u64::try_from(row.get::<i64>(6)?).unwrap_or(0),
            })
        })?;
        for lane in lanes {
            *of_tenants
                .entry((lane.channel_id.clone(), lane.tenant.clone()))
                .or_default() += lane.of_batch;
            if seen.insert(lane.id, ()).is_some() {
                continue;
            }
            if let Some(limits) = rules.lane_limits.get(&lane.channel_id) {
                let begins = lane.next_at.and_then(|at| Timestamp::from_microsecond(at).ok());
                let begins = begins.unwrap_or(now).max(now);
                let meter = Meter::from_text(lane.meter.as_deref());
                finish = finish.max(Some(limits.finish(&meter, begins, lane.backlog)));
            }
        }
    }
    for ((channel_id, tenant), count) in of_tenants {
        let Some(limits) = rules.tenant_limits.get(&channel_id) else {
            continue;
        };
        let meter: Option<Option<String>> = tx.first(
            "SELECT meter FROM budgets WHERE channel_id = ?1 AND tenant = ?2",
            params![channel_id, tenant],
            |row| row.get(0),
        )?;
        let meter = Meter::from_text(meter.flatten().as_deref());
        finish = finish.max(Some(limits.finish(&meter, now, count)));
    }
    Ok(finish)
}
