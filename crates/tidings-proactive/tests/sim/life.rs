//! One life of a node, from a start to a crash, and what happens to it at each of its steps.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tidings_store::simulation::{Access, Faults};
use tidings_store::{Clock, StoreError};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::check;
use crate::sabotage::Sabotage;
use crate::world::{World, lock};

pub(crate) struct Life {
    pub(crate) world: Arc<World>,
    dead: AtomicBool,
    crash: Notify,
    stopped_until: Mutex<Instant>,
}

impl Life {
    pub(crate) fn new(world: Arc<World>) -> Arc<Life> {
        Arc::new(Life {
            stopped_until: Mutex::new(world.began),
            world,
            dead: AtomicBool::new(false),
            crash: Notify::new(),
        })
    }

    /// Ends the node. It takes no more steps.
    pub(crate) fn kill(&self) {
        self.dead.store(true, Ordering::Relaxed);
        self.crash.notify_one();
    }

    pub(crate) async fn ended(&self) {
        self.crash.notified().await;
    }

    /// Stops the node, as the operating system may, until then.
    pub(crate) fn stop_until(&self, until: Instant) {
        *lock(&self.stopped_until) = until;
    }

    /// Where a node may be stopped, or end.
    pub(crate) async fn step(&self) {
        if self.world.trouble(self.world.plan.rates.crash) {
            self.kill();
        }
        loop {
            if self.dead.load(Ordering::Relaxed) {
                return std::future::pending().await;
            }
            let until = *lock(&self.stopped_until);
            if until <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(until).await;
        }
    }
}

#[async_trait]
impl Faults for Life {
    async fn before(&self, _access: Access) -> Result<(), StoreError> {
        let (world, rates) = (&self.world, self.world.plan.rates);
        self.step().await;
        if world.trouble(rates.slow_commit) {
            tokio::time::sleep(world.millis(1, 1_000)).await;
            self.step().await;
        }
        if world.trouble(rates.refusal) {
            return Err(StoreError::message("the simulated database refuses"));
        }
        Ok(())
    }

    async fn after(&self, access: Access) -> Result<(), StoreError> {
        let world = &self.world;
        if access == Access::Write {
            check::leases(world);
        }
        if access == Access::Write
            && world.chance(0.3)
            && world.sabotage.is_none_or(Sabotage::leaves_tables_right)
        {
            check::tables(world);
        }
        self.step().await;
        if access == Access::Write && world.trouble(world.plan.rates.lost_commit) {
            return Err(StoreError::Unknown {
                server: "the simulation".to_owned(),
            });
        }
        Ok(())
    }
}

/// The clock of a node: virtual time, and what it is off by.
#[derive(Debug)]
pub(crate) struct NodeClock {
    began: Instant,
    off_by_ms: AtomicI64,
}

impl NodeClock {
    pub(crate) fn new(world: &World) -> NodeClock {
        NodeClock {
            began: world.began,
            off_by_ms: AtomicI64::new(0),
        }
    }

    pub(crate) fn set_off_by(&self, ms: i64) {
        self.off_by_ms.store(ms, Ordering::Relaxed);
    }
}

/// When every simulation begins.
pub(crate) const BEGINNING: i64 = 1_767_225_600;

impl Clock for NodeClock {
    fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.began.elapsed()).unwrap_or(SignedDuration::MAX);
        let off_by = SignedDuration::from_millis(self.off_by_ms.load(Ordering::Relaxed));
        Timestamp::from_second(BEGINNING)
            .and_then(|beginning| beginning.checked_add(passed + off_by))
            .unwrap_or(Timestamp::MAX)
    }
}
