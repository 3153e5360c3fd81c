//! A node: it runs the engine, crashes, and starts again.

use std::sync::Arc;
use std::time::Duration;

use tidings_proactive::{Backoff, CancellationToken, Proactive, ProactiveOptions, SeededRng};

use crate::channel::SimChannel;
use crate::life::{Life, NodeClock};
use crate::sabotage::Sabotage;
use crate::world::{World, lock};

/// How long a node is trusted without a sign of life.
pub(crate) const LEASE: Duration = Duration::from_secs(1);

/// Runs until `shutdown`. Clocks and stops of the node are set through `lives`.
pub(crate) async fn run(
    world: Arc<World>,
    index: usize,
    clock: Arc<NodeClock>,
    lives: Arc<std::sync::Mutex<Vec<Arc<Life>>>>,
    shutdown: CancellationToken,
) {
    while !shutdown.is_cancelled() {
        let life = Life::new(Arc::clone(&world));
        lock(&lives)[index] = Arc::clone(&life);
        let faults: Arc<Life> = Arc::clone(&life);
        let engine =
            Proactive::with_options(world.disk.connect(faults), clock.clone(), options(&world, index));
        let channel = Arc::new(SimChannel {
            life: Arc::clone(&life),
            node: index,
        });
        lock(&world.engines)[index] = Some(engine.clone());
        let ended = tokio::select! {
            biased;
            () = life.ended() => None,
            ended = engine.run(channel, shutdown.clone()) => Some(ended),
        };
        lock(&world.engines)[index] = None;
        life.kill();
        if let Some(Ok(())) = ended {
            return;
        }
        // The database refused it at its start, or it crashed.
        tokio::time::sleep(world.millis(10, 2_000)).await;
    }
}

fn options(world: &World, index: usize) -> ProactiveOptions {
    let mut options = ProactiveOptions::default();
    options.concurrency = world.plan.concurrency;
    if world.sabotage == Some(Sabotage::SendsMoreAtOnce) {
        options.concurrency += 2;
    }
    options.poll_every = Duration::from_millis(250);
    options.lease = LEASE;
    options.node = format!("node {index}");
    options.shared = world.plan.nodes > 1;
    options.backoff = Backoff {
        first: Duration::from_millis(200),
        longest: Duration::from_secs(5),
        jitter: 0.2,
    };
    options.rng = Arc::new(SeededRng::new(world.below(u64::MAX)));
    options
}
