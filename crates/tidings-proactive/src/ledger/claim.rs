//! Claiming lanes.

use std::ops::ControlFlow;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tidings_store::{Dialect, Tx, params};

use super::enqueue::{Content, NewDelivery};
use super::heads::{self, Next};
use super::lane::{Lane, LaneId, LaneWrites, columns};
use super::nodes::NodeId;
use super::{Result, budget, start};
use crate::backlog_bounds::BacklogBounds;
use crate::delivery::DeliveryId;
use crate::meter::Meter;
use crate::stats::EngineCounters;
use crate::terms::{LaneFacts, Terms, Verdict, after_skew};
use crate::unknown_policy::UnknownPolicy;
use crate::wait_reason::WaitReason;

/// The most lanes that have to wait which one transaction looks at.
const WAITING_AT_ONCE: usize = 512;
/// When a lane is looked at again that waits for somebody to change something; whoever does so wakes it.
pub(super) const FAR: i64 = i64::MAX / 2;

const READY: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM lanes JOIN lane_addresses ON lane_id = lanes.id WHERE next_at <= ?1 ORDER BY next_at"
);
const READY_LOCKED: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM lanes JOIN lane_addresses ON lane_id = lanes.id WHERE next_at <= ?1 ORDER BY next_at LIMIT ?2 \
     FOR UPDATE OF lanes SKIP LOCKED"
);

/// Who claims, and what it has to respect.
#[derive(Clone, Copy)]
pub(crate) struct Claiming<'a> {
    pub(crate) node: NodeId,
    pub(crate) terms: &'a Mutex<Terms>,
    pub(crate) counters: &'a EngineCounters,
}

impl Claiming<'_> {
    /// Locked for a look or a note, never while the database works.
    pub(super) fn terms(&self) -> MutexGuard<'_, Terms> {
        self.terms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something that had no time before is to be looked at then.
    pub(super) fn note_due(&self, at: Timestamp) {
        self.terms().note_due(at);
    }
}

/// What a commit that puts deliveries on record may claim, how much it may put there, and what it leaves behind.
pub(crate) struct Allowance<'a> {
    bounds: Option<&'a BacklogBounds>,
    claiming: Option<Claiming<'a>>,
    free: usize,
    left: bool,
}

impl<'a> Allowance<'a> {
    /// Up to `free` lanes may be claimed.
    pub(crate) fn new(
        bounds: Option<&'a BacklogBounds>,
        claiming: Option<Claiming<'a>>,
        free: usize,
    ) -> Self {
        Self {
            bounds,
            claiming,
            free,
            left: false,
        }
    }

    /// Nothing may be claimed.
    pub(crate) fn without_claims(bounds: &'a BacklogBounds) -> Self {
        Self::new(Some(bounds), None, 0)
    }

    pub(super) fn bounds(&self) -> Option<&'a BacklogBounds> {
        self.bounds
    }

    /// Whether something was left in the table that whoever polls it has to look at.
    pub(crate) fn left(&self) -> bool {
        self.left
    }

    pub(super) fn claiming(&self) -> Option<Claiming<'a>> {
        self.claiming.filter(|_| self.free > 0)
    }

    pub(super) fn spend(&mut self) {
        self.free = self.free.saturating_sub(1);
    }

    pub(super) fn leave(&mut self) {
        self.left = true;
    }
}

/// A delivery that the holder of this value, and nobody else, sends and settles.
#[derive(Clone, Debug)]
pub(crate) struct Claimed {
    pub(crate) id: DeliveryId,
    pub(crate) lane: LaneId,
    pub(crate) node: i64,
    pub(crate) epoch: i64,
    pub(crate) channel_id: String,
    pub(crate) conversation_id: String,
    pub(crate) tenant: String,
    pub(crate) host: String,
    pub(crate) reference: String,
    pub(crate) identity: Option<String>,
    pub(crate) content: Content,
    pub(crate) class: String,
    pub(crate) place: i64,
    pub(crate) policy: UnknownPolicy,
    pub(crate) starts: u32,
    pub(crate) trace: Option<String>,
    pub(crate) began_at: Timestamp,
    /// Until when the channel may be called, where its tenant has a budget.
    pub(crate) call_by: Option<Timestamp>,
    pub(crate) expires_at: Timestamp,
}

impl Claimed {
    pub(super) fn of_new(
        lane: &Lane,
        node: i64,
        id: DeliveryId,
        new: NewDelivery,
        now: Timestamp,
    ) -> Claimed {
        Claimed {
            id,
            lane: lane.id,
            node,
            epoch: lane.epoch,
            channel_id: new.channel_id,
            conversation_id: new.conversation_id,
            tenant: lane.tenant.clone(),
            host: lane.host.clone(),
            reference: new.reference,
            identity: new.identity,
            content: new.content,
            class: new.class,
            place: new.parent.map_or(id.0, |parent| parent.place),
            policy: new.policy,
            starts: 1,
            trace: new.trace,
            began_at: now,
            call_by: lane.call_by,
            expires_at: new.expires_at,
        }
    }
}

/// What was ready.
#[derive(Debug, Default)]
pub(crate) struct Ready {
    pub(crate) claimed: Vec<Claimed>,
    /// There may be more.
    pub(crate) more: bool,
    /// Whether anything was written.
    pub(crate) changed: bool,
}

/// Claims up to `limit` lanes that are ready, longest ready first. A lane that has to wait is put off and told why.
pub(crate) fn claim_ready(
    tx: &Tx<'_>,
    claiming: Claiming<'_>,
    now: Timestamp,
    limit: usize,
) -> Result<Ready> {
    let mut found = Ready::default();
    let (mut waiting, mut unfinished) = (0, false);
    // Those that have to wait do not count; they are looked at once each, because they are put off.
    while found.claimed.len() < limit && waiting < WAITING_AT_ONCE && !unfinished {
        let wanted = limit - found.claimed.len();
        let mut lanes = ready(tx, now, wanted)?;
        let all = lanes.len() < wanted;
        lanes.sort_unstable_by_key(|lane| lane.id);
        found.changed |= !lanes.is_empty();
        let mut writes = LaneWrites::default();
        for turn in claim_lanes(tx, claiming, lanes, now, &mut writes)? {
            match turn {
                Turn::Claimed(claimed) => found.claimed.push(*claimed),
                Turn::Waits => waiting += 1,
                Turn::Unfinished => unfinished = true,
            }
        }
        writes.write(tx)?;
        if all {
            found.more = unfinished;
            return Ok(found);
        }
    }
    found.more = true;
    Ok(found)
}

fn ready(tx: &Tx<'_>, now: Timestamp, limit: usize) -> Result<Vec<Lane>> {
    let now = now.as_microsecond();
    if tx.dialect() == Dialect::Postgres {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        return tx.all(READY_LOCKED, params![now, limit], Lane::from_row);
    }
    // No `LIMIT ?`: SQLite would prepare the statement anew for each value. Whoever has enough stops reading.
    let mut lanes = Vec::new();
    tx.visit(READY, params![now], |row| {
        lanes.push(Lane::from_row(row)?);
        Ok(if lanes.len() < limit {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        })
    })?;
    Ok(lanes)
}

/// What a look at a lane led to.
pub(super) enum Turn {
    Claimed(Box<Claimed>),
    /// Nothing in it may be sent now.
    Waits,
    /// More of it has expired than one transaction clears: it is ready still.
    Unfinished,
}

/// Claims lanes that nobody has, or that the node has already: of each what is next in it, if it may be sent. Else the
/// lane is released.
pub(super) fn claim_lanes(
    tx: &Tx<'_>,
    claiming: Claiming<'_>,
    mut lanes: Vec<Lane>,
    now: Timestamp,
    writes: &mut LaneWrites,
) -> Result<Vec<Turn>> {
    let heads = heads::find(tx, claiming, &mut lanes, now)?;
    let mut turns = Vec::with_capacity(lanes.len());
    let mut starts = Vec::with_capacity(lanes.len());
    for (mut lane, next) in lanes.into_iter().zip(heads) {
        let head = match next {
            Next::Head(head) => head,
            Next::Nothing => {
                writes.release(&lane, None, None);
                turns.push(Turn::Waits);
                continue;
            }
            Next::Unfinished => {
                writes.release(&lane, Some(now.as_microsecond()), None);
                claiming.note_due(now);
                turns.push(Turn::Unfinished);
                continue;
            }
        };
        if let Some((until, reason)) = verdict(tx, claiming, &mut lane, now)? {
            claiming.counters.waited(reason);
            let next_at = until.map_or(FAR, Timestamp::as_microsecond);
            writes.release(&lane, Some(next_at), Some(reason));
            note_wait(tx, head.id, until, reason, now)?;
            if let Some(until) = until {
                claiming.note_due(until);
            }
            turns.push(Turn::Waits);
            continue;
        }
        claiming.counters.claimed(1);
        lane.epoch += 1;
        writes.hold(&lane, claiming.node.0);
        // Its place; what it is comes with the others.
        starts.push((turns.len(), lane, head));
        turns.push(Turn::Waits);
    }
    for (place, claimed) in start::start(tx, starts, claiming.node, now)? {
        turns[place] = Turn::Claimed(Box::new(claimed));
    }
    Ok(turns)
}

/// For a new delivery in an idle lane: the node that may send it now.
pub(super) fn may_send(
    tx: &Tx<'_>,
    claiming: Claiming<'_>,
    lane: &mut Lane,
    now: Timestamp,
) -> Result<Option<i64>> {
    let may = verdict(tx, claiming, lane, now)?.is_none();
    if may {
        claiming.counters.claimed(1);
    }
    Ok(may.then_some(claiming.node.0))
}

/// Why the lane has to wait, if it has to. If not, whoever asked sends: the tenant's budget is spent.
fn verdict(
    tx: &Tx<'_>,
    claiming: Claiming<'_>,
    lane: &mut Lane,
    now: Timestamp,
) -> Result<Option<(Option<Timestamp>, WaitReason)>> {
    let mut meter = Meter::default();
    if lane.meter.is_some() {
        meter = Meter::from_text(lane.meter.as_deref());
        if meter.not_after(after_skew(now)) {
            lane.meter = meter.to_text();
        }
    }
    // Owned, because the lane notes what it pays for.
    let (channel_id, tenant, host) = (lane.channel_id.clone(), lane.tenant.clone(), lane.host.clone());
    let facts = LaneFacts {
        channel_id: &channel_id,
        tenant: &tenant,
        host: &host,
        paused: lane.paused,
        meter: &meter,
    };
    let mut verdict = claiming.terms().verdict(&facts, now);
    if matches!(verdict, Verdict::Wait { until: None, .. })
        && !lane.paused
        && !budget::is_paused(tx, &lane.channel_id)?
    {
        // The pause has ended and this node has not heard of it: put off now, the lane would wait for nobody.
        let rules = budget::load_rules(tx, now)?;
        let mut terms = claiming.terms();
        terms.rules = rules;
        verdict = terms.verdict(&facts, now);
    }
    if let Verdict::Wait { until, reason } = verdict {
        return Ok(Some((until, reason)));
    }
    if let Some(until) = budget::spend(tx, claiming, lane, now)? {
        return Ok(Some((Some(until), WaitReason::Budget)));
    }
    let broken_until = claiming.terms().broken_until(&facts, now);
    Ok(broken_until.map(|until| (Some(until), WaitReason::Breaker)))
}

/// Why a delivery waits, for whoever asks. One wait of the same reason after the other is one.
pub(super) fn note_wait(
    tx: &Tx<'_>,
    id: DeliveryId,
    until: Option<Timestamp>,
    reason: WaitReason,
    now: Timestamp,
) -> Result<()> {
    let until = until.map(Timestamp::as_microsecond);
    let extended = tx.execute(
        "UPDATE delivery_waits SET until = ?2
         WHERE delivery_id = ?1 AND reason = ?3 AND since = (SELECT max(since) FROM delivery_waits WHERE delivery_id = ?1)",
        params![id.0, until, reason.as_str()],
    )?;
    if extended == 0 {
        tx.execute(
            "INSERT INTO delivery_waits (delivery_id, since, until, reason) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (delivery_id, since) DO UPDATE SET until = excluded.until, reason = excluded.reason",
            params![id.0, now.as_microsecond(), until, reason.as_str()],
        )?;
    }
    Ok(())
}
