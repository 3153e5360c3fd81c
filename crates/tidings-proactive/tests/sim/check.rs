//! What must hold, whatever happened: over the tables while the engine runs, and over the records and the channel's
//! journal when all has ended.

use std::collections::{BTreeMap, BTreeSet};

use tidings_proactive::{DeliveryState, TRANSITIONS, Transition};
use tidings_store::{StoreError, Tx, params};
use tokio::time::Instant;

use crate::journal::{Answer, Call};
use crate::node::LEASE;
use crate::world::{World, lock};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Invariant {
    /// Lanes, deliveries and counts agree after every commit.
    Tables,
    /// Only the transitions of the table happen.
    Transitions,
    /// Every delivery that was accepted is on record.
    Kept,
    /// A dedupe key stands for one delivery.
    Once,
    /// Every delivery ends, once nothing goes wrong any more.
    Ends,
    /// How a delivery ended agrees with what the channel saw.
    Explained,
    /// The user sees it twice only where an attempt was unknown, and then the row says so.
    Repeats,
    /// Within a lane and a class, users see deliveries in the order of their acceptance.
    Order,
    /// A lane has one call at a time, except beside one that was given up for lost.
    OneInFlight,
    /// What a node has is given up only when it has ended, or has shown no sign of life for its lease.
    Leases,
    /// A node has no more calls at a time than it may.
    AtOnce,
    /// No window of a limit holds more calls than it may.
    Pacing,
    /// After a 429 a lane is left alone for as long as it asks.
    RetryAfter,
    /// Nothing is sent before its time.
    NotEarly,
    /// Nothing panics.
    NoPanic,
    /// The engine ends when it is told to.
    Stops,
}

/// What was found wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) invariant: Invariant,
    pub(crate) what: String,
}

pub(crate) fn violation(invariant: Invariant, what: impl Into<String>) -> Violation {
    Violation {
        invariant,
        what: what.into(),
    }
}

/// Queries that must find nothing, and what they find.
const TABLES: [(&str, &str); 5] = [
    (
        "a claimed lane has no delivery being sent, or several, or waits as well",
        "SELECT id FROM lanes WHERE node IS NOT NULL AND (next_at IS NOT NULL OR
             (SELECT count(*) FROM deliveries WHERE lane_id = lanes.id AND state = 'sending') <> 1)",
    ),
    (
        "a delivery is being sent in a lane that nobody has",
        "SELECT deliveries.id FROM deliveries JOIN lanes ON lanes.id = lane_id
         WHERE state = 'sending' AND node IS NULL",
    ),
    (
        "a backlog is not the number of open deliveries",
        "SELECT id FROM lanes WHERE backlog <>
             (SELECT count(*) FROM deliveries WHERE lane_id = lanes.id AND ended_at IS NULL)",
    ),
    (
        "a lane sleeps although something in it is ready",
        "SELECT lane_id FROM deliveries AS one JOIN lanes ON lanes.id = lane_id
         WHERE node IS NULL AND next_at IS NULL AND closed_reason IS NULL AND paused = 0
           AND (state = 'available' OR state = 'retryable') AND due_at IS NULL
           AND NOT EXISTS (SELECT 1 FROM deliveries AS other
                           WHERE other.lane_id = one.lane_id AND other.class = one.class
                             AND (other.state = 'available' OR other.state = 'retryable') AND other.due_at IS NOT NULL
                             AND (coalesce(other.place, other.id), other.id) < (coalesce(one.place, one.id), one.id))",
    ),
    (
        "an open delivery has an end, or an ended one has none or is still due",
        "SELECT id FROM deliveries
         WHERE (ended_at IS NULL) <> (state IN ('scheduled', 'held', 'available', 'sending', 'retryable'))
            OR (ended_at IS NOT NULL AND due_at IS NOT NULL)",
    ),
];

/// Looks at the tables as they are now.
pub(crate) fn tables(world: &World) {
    let looked = world.disk.inspect(|tx| {
        for (what, query) in TABLES {
            if let Some(id) = tx.first(query, &[], |row| row.get::<i64>(0))? {
                world.found(|| violation(Invariant::Tables, format!("{what}: {id}")));
            }
        }
        Ok(())
    });
    looked.expect("the tables can be read");
}

/// Looks at what the last commit did with nodes, which takes effect now.
pub(crate) fn leases(world: &World) {
    // One that is alone knows that all others have ended.
    if world.plan.nodes == 1 {
        return;
    }
    let looked = world.disk.inspect(|tx| {
        let signs = tx.all("SELECT node, what FROM signs ORDER BY rowid", &[], |row| {
            Ok((row.get::<i64>(0)?, row.get::<String>(1)?))
        })?;
        if !signs.is_empty() {
            tx.execute("DELETE FROM signs", &[])?;
        }
        Ok(signs)
    });
    let (now, mut alive) = (Instant::now(), lock(&world.alive));
    for (node, what) in looked.expect("the signs can be read") {
        match what.as_str() {
            "life" => drop(alive.insert(node, now)),
            "end" => drop(alive.remove(&node)),
            _ => {
                if let Some(silence) = alive.get(&node).map(|last| now.duration_since(*last))
                    && silence < LEASE
                {
                    let what = format!("node {node} is given up {silence:?} after a sign of life");
                    world.found(|| violation(Invariant::Leases, what));
                }
            }
        }
    }
}

/// How many deliveries have not ended.
pub(crate) fn open(world: &World) -> i64 {
    let count = world.disk.inspect(|tx| {
        tx.first(
            "SELECT count(*) FROM deliveries WHERE ended_at IS NULL",
            &[],
            |row| row.get(0),
        )
    });
    count.expect("the deliveries can be counted").unwrap_or_default()
}

/// What has not ended, its lanes and the nodes, as they are on record.
pub(crate) fn describe_open(world: &World) -> String {
    let described = world.disk.inspect(|tx| {
        let mut text = String::new();
        for query in [
            "SELECT 'delivery ' || id || ' of lane ' || lane_id || ': ' || state || ', due ' || coalesce(due_at, '-')
                 || ', expires ' || expires_at
             FROM deliveries WHERE ended_at IS NULL",
            "SELECT 'lane ' || id || ': node ' || coalesce(node, '-') || ', next ' || coalesce(next_at, '-') || ', epoch '
                 || epoch || ', backlog ' || backlog || ', ' || coalesce(wait_reason, closed_reason, '-')
                 || ', meter ' || coalesce(meter, '-')
             FROM lanes WHERE backlog > 0",
            "SELECT 'node ' || id || ' called ' || name || ': mark ' || alive_until FROM nodes",
        ] {
            tx.all(query, &[], |row| {
                text.push_str(row.text(0)?);
                text.push('\n');
                Ok(())
            })?;
        }
        Ok(text)
    });
    described.unwrap_or_else(|error| error.to_string())
}

/// A delivery as it ended.
#[derive(Debug)]
struct Ended {
    id: i64,
    lane: String,
    class: String,
    state: DeliveryState,
    policy: String,
    repeat_possible: bool,
    activity_id: Option<String>,
    label: String,
    /// Outcomes of its attempts, in order.
    attempts: Vec<String>,
}

impl Ended {
    /// How many of its attempts ended without anybody knowing how.
    fn unknown(&self) -> usize {
        let unknown = |outcome: &&String| *outcome == "unknown" || *outcome == "lost";
        self.attempts.iter().filter(unknown).count()
    }

    fn was_lost(&self) -> bool {
        self.attempts.iter().any(|outcome| outcome == "lost")
    }
}

type Checked = Result<(), Violation>;

/// Everything that can only be said in the end.
pub(crate) fn all(world: &World) -> Checked {
    let ended = world.disk.inspect(read).expect("the deliveries can be read");
    let calls = world.journal.calls();
    transitions(world)?;
    kept(world, &ended)?;
    once(world, &ended)?;
    for delivery in ended.iter().filter(|delivery| delivery.state.is_final()) {
        explained(delivery, &calls)?;
        repeats(delivery, &calls)?;
    }
    one_in_flight(&ended, &calls)?;
    at_once(world, &calls)?;
    order(world, &ended, &calls)?;
    if !world.plan.clock_jumps {
        not_early(world, &calls)?;
        pacing(world, &ended, &calls)?;
        retry_after(&ended, &calls)?;
    }
    Ok(())
}

fn read(tx: &Tx<'_>) -> Result<Vec<Ended>, StoreError> {
    let mut ended = tx.all(
        "SELECT deliveries.id, conversation_id, class, state, policy, repeat_possible, activity_id, activity
         FROM deliveries JOIN lanes ON lanes.id = lane_id ORDER BY deliveries.id",
        &[],
        |row| {
            let activity: serde_json::Value = serde_json::from_str(row.text(7)?).unwrap_or_default();
            Ok(Ended {
                id: row.get(0)?,
                lane: row.get(1)?,
                class: row.get(2)?,
                state: DeliveryState::from_row(row.text(3)?).expect("a state of the engine"),
                policy: row.get(4)?,
                repeat_possible: row.get(5)?,
                activity_id: row.get(6)?,
                label: activity["text"].as_str().unwrap_or_default().to_owned(),
                attempts: Vec::new(),
            })
        },
    )?;
    for delivery in &mut ended {
        delivery.attempts = tx.all(
            "SELECT outcome FROM attempts WHERE delivery_id = ?1 ORDER BY start",
            params![delivery.id],
            |row| row.get(0),
        )?;
    }
    Ok(ended)
}

fn transitions(world: &World) -> Checked {
    let changes = world.disk.inspect(|tx| {
        tx.all(
            "SELECT delivery_id, before, after FROM changes ORDER BY rowid",
            &[],
            |row| {
                Ok((
                    row.get::<i64>(0)?,
                    row.get::<Option<String>>(1)?,
                    row.get::<String>(2)?,
                ))
            },
        )
    });
    for (id, before, after) in changes.expect("the changes can be read") {
        let state = |text: &str| DeliveryState::from_row(text).expect("a state of the engine");
        let (from, to) = (before.as_deref().map(state), state(&after));
        let step = TRANSITIONS.iter().any(|row| row.0 == from && row.2 == to);
        // Accepted and claimed in one commit.
        let at_once = from.is_none() && DeliveryState::Available.after(Transition::Claim) == Some(to);
        if !step && !at_once {
            let what = format!("delivery {id} went from {before:?} to {after}");
            return Err(violation(Invariant::Transitions, what));
        }
    }
    Ok(())
}

fn kept(world: &World, ended: &[Ended]) -> Checked {
    let ids: BTreeSet<i64> = ended.iter().map(|delivery| delivery.id).collect();
    for asked in lock(&world.asked).iter() {
        for id in &asked.accepted {
            if !ids.contains(id) {
                let what = format!("{} was accepted as {id} and is not on record", asked.label);
                return Err(violation(Invariant::Kept, what));
            }
        }
    }
    Ok(())
}

fn once(world: &World, ended: &[Ended]) -> Checked {
    for asked in lock(&world.asked).iter() {
        let of_it = ended
            .iter()
            .filter(|delivery| delivery.label == asked.label)
            .count();
        if of_it > 1 {
            let what = format!(
                "{} is on record {of_it} times, with a key: {}",
                asked.label, asked.has_key
            );
            return Err(violation(Invariant::Once, what));
        }
    }
    Ok(())
}

fn of<'a>(delivery: &'a Ended, calls: &'a [Call]) -> impl Iterator<Item = &'a Call> {
    calls.iter().filter(|call| call.delivery == delivery.id)
}

fn explained(delivery: &Ended, calls: &[Call]) -> Checked {
    let shown: Vec<&str> = of(delivery, calls)
        .filter_map(|call| call.accepted.as_deref())
        .collect();
    let answered = |answer| of(delivery, calls).any(|call| call.answer == Some(answer));
    let wrong = |what: &str| {
        let what = format!("{delivery:?} {what}; shown as {shown:?}");
        Err(violation(Invariant::Explained, what))
    };
    match delivery.state {
        DeliveryState::Delivered => match delivery.activity_id.as_deref() {
            Some(id) if shown.contains(&id) => Ok(()),
            _ => wrong("is delivered and was never shown so"),
        },
        _ if !shown.is_empty() && delivery.unknown() == 0 => wrong("was shown and does not say so"),
        DeliveryState::Unknown if delivery.unknown() == 0 => {
            wrong("is unknown although every outcome is known")
        }
        DeliveryState::Dead
            if !answered(Answer::Status(400)) && !answered(Answer::Status(403)) && !delivery.was_lost() =>
        {
            wrong("is dead although the channel never said no")
        }
        _ => Ok(()),
    }
}

fn repeats(delivery: &Ended, calls: &[Call]) -> Checked {
    let shown = of(delivery, calls).filter(|call| call.accepted.is_some()).count();
    let explained = match delivery.policy.as_str() {
        "at_most_once" => shown <= 1,
        _ => shown <= 1 + delivery.unknown(),
    };
    if !explained || (shown > 1 && !delivery.repeat_possible) {
        let what = format!("{delivery:?} was shown {shown} times");
        return Err(violation(Invariant::Repeats, what));
    }
    Ok(())
}

fn one_in_flight(ended: &[Ended], calls: &[Call]) -> Checked {
    let lost: BTreeSet<i64> = ended
        .iter()
        .filter(|delivery| delivery.was_lost())
        .map(|delivery| delivery.id)
        .collect();
    for (place, call) in calls.iter().enumerate() {
        let beside = calls[place + 1..]
            .iter()
            .find(|later| later.lane == call.lane && call.ended.is_none_or(|ended| later.began < ended));
        if let Some(beside) = beside
            && !lost.contains(&call.delivery)
        {
            let what = format!("{beside:?} began beside {call:?}");
            return Err(violation(Invariant::OneInFlight, what));
        }
    }
    Ok(())
}

fn at_once(world: &World, calls: &[Call]) -> Checked {
    for call in calls {
        let beside = calls
            .iter()
            .filter(|other| other.node == call.node && other.began <= call.began)
            .filter(|other| other.ended.is_none_or(|ended| call.began < ended))
            .count();
        if beside > world.plan.concurrency {
            let what = format!(
                "{beside} calls at once on a node that may make {}",
                world.plan.concurrency
            );
            return Err(violation(Invariant::AtOnce, what));
        }
    }
    Ok(())
}

fn order(world: &World, ended: &[Ended], calls: &[Call]) -> Checked {
    let asked = lock(&world.asked);
    let scheduled: BTreeSet<&str> = asked
        .iter()
        .filter(|asked| asked.not_before.is_some())
        .map(|asked| asked.label.as_str())
        .collect();
    let mut last_shown: BTreeMap<(&str, &str), (u64, i64)> = BTreeMap::new();
    for delivery in ended {
        // Whoever was given up may still arrive, at any time. What is for later stands behind what came meanwhile.
        let ordered =
            delivery.state == DeliveryState::Delivered && !scheduled.contains(delivery.label.as_str());
        let shown = of(delivery, calls)
            .filter(|call| call.accepted.is_some())
            .filter_map(|call| call.reached);
        let Some(first) = shown.min().filter(|_| ordered) else {
            continue;
        };
        let last = last_shown.entry((&delivery.lane, &delivery.class)).or_default();
        if first < last.0 {
            let what = format!(
                "{delivery:?} was shown at {first}, before delivery {} at {}",
                last.1, last.0
            );
            return Err(violation(Invariant::Order, what));
        }
        *last = (first, delivery.id);
    }
    Ok(())
}

fn not_early(world: &World, calls: &[Call]) -> Checked {
    for asked in lock(&world.asked).iter() {
        let (Some(at), Some(id)) = (asked.not_before, asked.accepted.first()) else {
            continue;
        };
        if let Some(early) = calls.iter().find(|call| call.delivery == *id && call.began < at) {
            let what = format!("{early:?} began before {at}, the time of {}", asked.label);
            return Err(violation(Invariant::NotEarly, what));
        }
    }
    Ok(())
}

/// Calls of attempts that were lost are not counted: nobody can say when they arrived.
fn counted<'a>(ended: &'a [Ended], calls: &'a [Call]) -> impl Iterator<Item = &'a Call> {
    let lost = |call: &Call| {
        ended
            .iter()
            .any(|delivery| delivery.id == call.delivery && delivery.was_lost())
    };
    calls
        .iter()
        .filter(move |call| call.reached.is_some() && !lost(call))
}

fn pacing(world: &World, ended: &[Ended], calls: &[Call]) -> Checked {
    let mut by_lane: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    let mut by_tenant = Vec::new();
    for call in counted(ended, calls) {
        let reached = call.reached.unwrap_or_default();
        by_lane.entry(&call.lane).or_default().push(reached);
        by_tenant.push(call.began);
    }
    for times in by_lane.into_values() {
        within("a lane", &world.plan.lane_limits, times)?;
    }
    within("the tenant", &world.plan.tenant_limits, by_tenant)
}

fn within(whose: &str, limits: &[(u64, u32)], mut times: Vec<u64>) -> Checked {
    times.sort_unstable();
    for (period, permits) in limits {
        let permits = usize::try_from(*permits).unwrap_or(usize::MAX);
        for (first, beyond) in times.iter().zip(times.iter().skip(permits)) {
            if beyond - first <= period * 1_000 {
                let what =
                    format!("{whose} had more than {permits} calls in {period} ms, from {first} to {beyond}");
                return Err(violation(Invariant::Pacing, what));
            }
        }
    }
    Ok(())
}

fn retry_after(ended: &[Ended], calls: &[Call]) -> Checked {
    let calls: Vec<&Call> = counted(ended, calls).collect();
    for (place, call) in calls.iter().enumerate() {
        let (Some(Answer::Throttled(wait)), Some(heard)) = (call.answer, call.ended) else {
            continue;
        };
        let early = calls[place + 1..]
            .iter()
            .find(|later| later.lane == call.lane && later.began < heard + wait);
        if let Some(early) = early {
            let what = format!("{early:?} began although {call:?} asked to wait");
            return Err(violation(Invariant::RetryAfter, what));
        }
    }
    Ok(())
}
