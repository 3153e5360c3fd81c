//! One simulation, from its seed to what was found wrong.

use std::cell::RefCell;
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use tidings_proactive::CancellationToken;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::check::{self, Invariant, Violation, violation};
use crate::journal::Call;
use crate::life::{Life, NodeClock};
use crate::sabotage::Sabotage;
use crate::world::{World, lock};
use crate::{client, node};

/// After the troubles everything has this much time to end.
const TO_END: Duration = Duration::from_secs(300);
const CLIENTS: u64 = 3;

/// What happened.
#[derive(Debug)]
pub(crate) struct Story {
    pub(crate) calls: Vec<Call>,
    pub(crate) wrong: Option<Violation>,
}

thread_local! {
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs the simulation of `seed` on this thread.
pub(crate) fn simulate(seed: u64, sabotage: Option<Sabotage>) -> Story {
    note_panics();
    PANIC.take();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let (world, mut wrong) = runtime.block_on(async {
        let world = World::new(seed, sabotage);
        let wrong = run(&world).await.err();
        (world, wrong)
    });
    drop(runtime);
    if let Some(panic) = PANIC.take() {
        wrong.get_or_insert(violation(Invariant::NoPanic, panic));
    }
    Story {
        calls: world.journal.calls(),
        wrong,
    }
}

/// A task that panics would otherwise end without a word.
fn note_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            PANIC.set(Some(panic.to_string()));
            before(panic);
        }));
    });
}

async fn run(world: &Arc<World>) -> Result<(), Violation> {
    let shutdown = CancellationToken::new();
    let lives: Arc<Mutex<Vec<Arc<Life>>>> = Arc::new(Mutex::new(
        (0..world.plan.nodes)
            .map(|_| Life::new(Arc::clone(world)))
            .collect(),
    ));
    let clocks: Vec<_> = (0..world.plan.nodes)
        .map(|_| Arc::new(NodeClock::new(world)))
        .collect();
    let mut nodes = JoinSet::new();
    for (index, clock) in clocks.iter().enumerate() {
        let (world, clock, lives) = (Arc::clone(world), Arc::clone(clock), Arc::clone(&lives));
        nodes.spawn(node::run(world, index, clock, lives, shutdown.clone()));
    }
    let mut clients = JoinSet::new();
    for share in 0..CLIENTS {
        clients.spawn(client::run(Arc::clone(world), share, CLIENTS));
    }
    while world.began.elapsed() < world.plan.trouble {
        tokio::time::sleep(world.millis(100, 2_000)).await;
        make_trouble(world, &lives, &clocks);
    }
    world.calm_down();
    while clients.join_next().await.is_some() {}
    let began = Instant::now();
    let mut late = None;
    while check::open(world) > 0 && world.wrong().is_none() && late.is_none() {
        tokio::time::sleep(Duration::from_millis(500)).await;
        late = (began.elapsed() > TO_END).then(|| check::describe_open(world));
    }
    shutdown.cancel();
    let all_stopped = async { while nodes.join_next().await.is_some() {} };
    let stopped = tokio::time::timeout(TO_END, all_stopped).await;
    if let Some(wrong) = world.wrong() {
        return Err(wrong);
    }
    check::all(world)?;
    if let Some(open) = late {
        return Err(violation(
            Invariant::Ends,
            format!("not everything ended in time\n{open}"),
        ));
    }
    stopped.map_err(|_| violation(Invariant::Stops, "a node does not end"))
}

/// What befalls a node as a whole.
fn make_trouble(world: &World, lives: &Mutex<Vec<Arc<Life>>>, clocks: &[Arc<NodeClock>]) {
    let node = usize::try_from(world.below(world.plan.nodes as u64)).unwrap_or(0);
    let life = Arc::clone(&lock(lives)[node]);
    match world.below(6) {
        0 if world.plan.rates.crash > 0.0 => life.kill(),
        1 if world.plan.stops => life.stop_until(Instant::now() + world.millis(100, 4_000)),
        2 if world.plan.clock_jumps => {
            let ms = i64::try_from(world.below(600_000)).unwrap_or(0) - 300_000;
            clocks[node].set_off_by(ms);
        }
        _ => {}
    }
}
