//! What this node knows of limits, pauses and trouble, and the verdict over a lane: may something be sent there now,
//! and if not, why not.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use jiff::Timestamp;

use crate::breaker::{Breaker, BreakerOptions, Breakers};
use crate::limits::Limits;
use crate::meter::Meter;
use crate::wait_reason::WaitReason;

/// How far the clocks of two nodes may differ. What was sent later than that from now was sent before the clock was set
/// back.
const SKEW: Duration = Duration::from_secs(2);

/// How long what was taken of a budget may be spent. The budget is charged for the whole of that time, so that whenever
/// it is spent the limit holds.
const SPENDABLE: Duration = Duration::from_millis(100);
/// Where commits take longer than that, it doubles until they do not, at most so often.
const DOUBLINGS: u32 = 6;

/// The latest time of a send that is on record now.
pub(crate) fn after_skew(now: Timestamp) -> Timestamp {
    now.checked_add(SKEW).unwrap_or(Timestamp::MAX)
}

/// Whether something may be sent in a lane now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Send,
    /// Not before `until`; `None`: until somebody changes something.
    Wait {
        until: Option<Timestamp>,
        reason: WaitReason,
    },
}

/// What the verdict over a lane rests on, beside the terms.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LaneFacts<'a> {
    pub(crate) channel_id: &'a str,
    pub(crate) tenant: &'a str,
    pub(crate) host: &'a str,
    pub(crate) paused: bool,
    pub(crate) meter: &'a Meter,
}

/// The limits and pauses on record.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    pub(crate) lane_limits: HashMap<String, Limits>,
    pub(crate) tenant_limits: HashMap<String, Limits>,
    pub(crate) everything_paused: bool,
    pub(crate) paused_channels: HashSet<String>,
    /// Until when a channel asked to leave a tenant alone; tenant `*` is the whole app.
    pub(crate) left_alone: HashMap<(String, String), Timestamp>,
}

/// What a claim has to respect, as this node knows it.
#[derive(Debug, Default)]
pub(crate) struct Terms {
    pub(crate) rules: Rules,
    pub(crate) breakers: Breakers,
    /// Requests of a tenant's budget that this node has taken and not spent.
    chunks: HashMap<(String, String), Chunk>,
    /// Calls that came later than their chunk allowed, since the last that came in time.
    late_in_a_row: u32,
    /// The earliest time at which something is to be looked at that had no time before.
    due: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug)]
struct Chunk {
    left: u32,
    until: Timestamp,
    length: Duration,
}

impl Terms {
    pub(crate) fn new(breaker: BreakerOptions) -> Self {
        Self {
            breakers: Breakers::new(breaker),
            ..Self::default()
        }
    }

    /// The verdict over a lane, apart from its tenant's budget, which is changed by asking.
    pub(crate) fn verdict(&self, lane: &LaneFacts<'_>, now: Timestamp) -> Verdict {
        let wait = |until, reason| Verdict::Wait { until, reason };
        if lane.paused || self.rules.everything_paused || self.rules.paused_channels.contains(lane.channel_id)
        {
            return wait(None, WaitReason::Paused);
        }
        if let Some(until) = self.left_alone_until(lane).filter(|until| *until > now) {
            return wait(Some(until), WaitReason::RetryAfter);
        }
        if let Some(limits) = self.rules.lane_limits.get(lane.channel_id) {
            let next = limits.next(lane.meter, now);
            if next > now {
                return wait(Some(next), WaitReason::Pacing);
            }
        }
        if let Breaker::Open { until } = self.breakers.verdict(lane.host, lane.tenant, now) {
            return wait(Some(until), WaitReason::Breaker);
        }
        Verdict::Send
    }

    /// Something that had no time before is to be looked at then.
    pub(crate) fn note_due(&mut self, at: Timestamp) {
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    /// The earliest of what was noted since the last call.
    pub(crate) fn take_due(&mut self) -> Option<Timestamp> {
        self.due.take()
    }

    /// Until when the lane's host is left alone because it fails. If it is not, whoever asked sends: perhaps to find out
    /// whether it works again.
    pub(crate) fn broken_until(&mut self, lane: &LaneFacts<'_>, now: Timestamp) -> Option<Timestamp> {
        match self.breakers.verdict(lane.host, lane.tenant, now) {
            Breaker::Open { until } => Some(until),
            Breaker::Closed | Breaker::Probe => {
                self.breakers.start(lane.host, lane.tenant, now);
                None
            }
        }
    }

    fn left_alone_until(&self, lane: &LaneFacts<'_>) -> Option<Timestamp> {
        if self.rules.left_alone.is_empty() {
            return None;
        }
        let of = |tenant: &str| {
            self.rules
                .left_alone
                .get(&(lane.channel_id.to_owned(), tenant.to_owned()))
                .copied()
        };
        of(lane.tenant).max(of("*"))
    }

    /// Spends one request of a chunk, if there is one left, and says until when the call may be made.
    pub(crate) fn spend(&mut self, channel_id: &str, tenant: &str, now: Timestamp) -> Option<Timestamp> {
        let chunk = self.chunks.get_mut(&(channel_id.to_owned(), tenant.to_owned()))?;
        // In its first half, so that the call comes in time; and not before it was taken: then the clock was set back.
        let left = chunk.until.duration_since(now);
        let is_spendable = !left.is_negative()
            && (chunk.length / 2..=chunk.length).contains(&left.unsigned_abs())
            && chunk.left > 0;
        if !is_spendable {
            return None;
        }
        chunk.left -= 1;
        Some(chunk.until)
    }

    /// How long what is taken of a budget now may be spent.
    pub(crate) fn spendable(&self) -> Duration {
        SPENDABLE * (1 << self.late_in_a_row.min(DOUBLINGS))
    }

    /// Whether a call that was to be made until `by`, and not before `since`, is made in time.
    pub(crate) fn is_in_time(&mut self, since: Timestamp, by: Timestamp, now: Timestamp) -> bool {
        let in_time = (since..=by).contains(&now);
        self.late_in_a_row = if in_time { 0 } else { self.late_in_a_row + 1 };
        in_time
    }

    /// Adds what was taken of a tenant's budget, to be spent until then.
    pub(crate) fn put(
        &mut self,
        channel_id: &str,
        tenant: &str,
        taken: u32,
        until: Timestamp,
        now: Timestamp,
    ) {
        self.chunks.retain(|_, chunk| chunk.until > now);
        let length = until.duration_since(now).unsigned_abs();
        let chunk = Chunk {
            left: taken,
            until,
            length,
        };
        self.chunks
            .insert((channel_id.to_owned(), tenant.to_owned()), chunk);
    }
}
