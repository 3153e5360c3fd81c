//! What a simulation is made of, all of it drawn from the seed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tidings_proactive::{MIGRATIONS, Proactive, Rng, SeededRng};
use tidings_store::params;
use tidings_store::simulation::SimulatedDisk;
use tokio::time::Instant;

use crate::check::Violation;
use crate::client::Asked;
use crate::journal::Journal;
use crate::sabotage::Sabotage;

/// How likely each trouble is, at each occasion.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rates {
    /// The node ends, before or after a commit or a call.
    pub(crate) crash: f64,
    /// The database refuses an operation.
    pub(crate) refusal: f64,
    /// An operation is committed and its caller told otherwise.
    pub(crate) lost_commit: f64,
    /// An operation takes up to a second.
    pub(crate) slow_commit: f64,
    /// A call does not end well.
    pub(crate) bad_call: f64,
}

/// What happens in a simulation, apart from chance.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) nodes: usize,
    pub(crate) lanes: u64,
    pub(crate) deliveries: u64,
    pub(crate) concurrency: usize,
    /// Milliseconds and permits, of a lane and of the tenant.
    pub(crate) lane_limits: Vec<(u64, u32)>,
    pub(crate) tenant_limits: Vec<(u64, u32)>,
    pub(crate) rates: Rates,
    /// Whether clocks are set, and nodes stopped for longer than their lease.
    pub(crate) clock_jumps: bool,
    pub(crate) stops: bool,
    /// How long all this lasts; then everything works.
    pub(crate) trouble: Duration,
}

pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) disk: SimulatedDisk,
    pub(crate) journal: Journal,
    pub(crate) sabotage: Option<Sabotage>,
    pub(crate) began: Instant,
    dice: SeededRng,
    /// No more troubles.
    calm: AtomicBool,
    /// The engines that run, by node.
    pub(crate) engines: Mutex<Vec<Option<Proactive>>>,
    pub(crate) asked: Mutex<Vec<Asked>>,
    /// When each node that has not ended showed its last sign of life.
    pub(crate) alive: Mutex<BTreeMap<i64, Instant>>,
    /// The first thing that was found wrong while it ran.
    wrong: Mutex<Option<Violation>>,
}

impl World {
    /// Begins now.
    pub(crate) fn new(seed: u64, sabotage: Option<Sabotage>) -> Arc<World> {
        let dice = SeededRng::new(seed);
        let mut plan = Plan::of(&dice);
        if let Some(sabotage) = sabotage {
            sabotage.needs(&mut plan);
        }
        let disk = SimulatedDisk::new([MIGRATIONS]).expect("the tables of the engine");
        let world = World {
            engines: Mutex::new(vec![None; plan.nodes]),
            plan,
            disk,
            journal: Journal::default(),
            sabotage,
            began: Instant::now(),
            dice,
            calm: AtomicBool::new(false),
            asked: Mutex::default(),
            alive: Mutex::default(),
            wrong: Mutex::default(),
        };
        world.prepare();
        Arc::new(world)
    }

    fn prepare(&self) {
        let prepared = self.disk.inspect(|tx| {
            for (scope, limits) in [("lane", &self.plan.lane_limits), ("tenant", &self.plan.tenant_limits)] {
                for (period, permits) in limits {
                    tx.execute(
                        "INSERT INTO limits (channel_id, scope, period_ms, permits) VALUES ('sim', ?1, ?2, ?3)",
                        params![scope, i64::try_from(*period).unwrap_or(i64::MAX), *permits],
                    )?;
                }
            }
            // Every change of state is written down by the database itself, and every sign of life and what is given up.
            for statement in [
                "CREATE TABLE changes (delivery_id INTEGER NOT NULL, before TEXT, after TEXT NOT NULL)",
                "CREATE TRIGGER accepted AFTER INSERT ON deliveries BEGIN
                     INSERT INTO changes VALUES (new.id, NULL, new.state);
                 END",
                "CREATE TRIGGER changed AFTER UPDATE OF state ON deliveries WHEN old.state <> new.state BEGIN
                     INSERT INTO changes VALUES (new.id, old.state, new.state);
                 END",
                "CREATE TABLE signs (node INTEGER NOT NULL, what TEXT NOT NULL)",
                "CREATE TRIGGER joined AFTER INSERT ON nodes BEGIN
                     INSERT INTO signs VALUES (new.id, 'life');
                 END",
                "CREATE TRIGGER renewed AFTER UPDATE OF alive_until ON nodes BEGIN
                     INSERT INTO signs VALUES (new.id, CASE new.alive_until WHEN 0 THEN 'end' ELSE 'life' END);
                 END",
                "CREATE TRIGGER forgotten AFTER DELETE ON nodes BEGIN
                     INSERT INTO signs VALUES (old.id, 'end');
                 END",
                "CREATE TRIGGER given_up AFTER INSERT ON attempts WHEN new.outcome = 'lost' BEGIN
                     INSERT INTO signs VALUES (new.node, 'given up');
                 END",
            ] {
                tx.execute(statement, &[])?;
            }
            match self.sabotage.and_then(Sabotage::sql) {
                Some(statement) => tx.execute(statement, &[]).map(drop),
                None => Ok(()),
            }
        });
        prepared.expect("the tables of the simulation");
    }

    pub(crate) fn calm_down(&self) {
        self.calm.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_calm(&self) -> bool {
        self.calm.load(Ordering::Relaxed)
    }

    /// Whether something goes wrong that goes wrong so often.
    pub(crate) fn trouble(&self, rate: f64) -> bool {
        self.chance(rate) && !self.is_calm()
    }

    pub(crate) fn chance(&self, rate: f64) -> bool {
        self.dice.fraction() < rate
    }

    pub(crate) fn below(&self, end: u64) -> u64 {
        self.dice.next_u64() % end.max(1)
    }

    pub(crate) fn millis(&self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to - from + 1))
    }

    /// Microseconds since it began.
    pub(crate) fn time(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    pub(crate) fn found(&self, what: impl FnOnce() -> Violation) {
        lock(&self.wrong).get_or_insert_with(what);
    }

    pub(crate) fn wrong(&self) -> Option<Violation> {
        lock(&self.wrong).clone()
    }
}

impl Plan {
    fn of(dice: &SeededRng) -> Plan {
        let below = |end: u64| dice.next_u64() % end;
        // Half of the troubles never happen in a simulation, so that the others are seen alone.
        let rate = |most: f64| {
            if dice.next_u64().is_multiple_of(2) {
                0.0
            } else {
                most * dice.fraction()
            }
        };
        let nodes = usize::try_from(1 + below(3)).unwrap_or(1);
        let lane_limits = match below(4) {
            0 => vec![(1_000, 2), (5_000, 6)],
            1 => vec![(2_000, 3)],
            _ => Vec::new(),
        };
        let tenant_limits = match below(4) {
            0 => vec![(1_000, 5)],
            _ => Vec::new(),
        };
        Plan {
            nodes,
            lanes: 1 + below(4),
            deliveries: 6 + below(20),
            concurrency: usize::try_from(1 + below(4)).unwrap_or(1),
            lane_limits,
            tenant_limits,
            rates: Rates {
                crash: rate(0.03),
                refusal: rate(0.1),
                lost_commit: rate(0.05),
                slow_commit: rate(0.1),
                bad_call: rate(0.6),
            },
            clock_jumps: below(4) == 0,
            stops: below(3) == 0,
            trouble: Duration::from_secs(5 + below(20)),
        }
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
