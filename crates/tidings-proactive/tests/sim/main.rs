//! The engine under a simulator: virtual time, one thread, and everything that may go wrong drawn from a seed, so that a
//! seed that fails fails again in the same way.
//!
//! `TIDINGS_SIM_SEEDS=20000` simulates as many seeds; `TIDINGS_SIM_SEED=7` only that one.

mod channel;
mod check;
mod client;
mod journal;
mod life;
mod node;
mod sabotage;
mod simulation;
mod world;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use sabotage::Sabotage;
use simulation::simulate;
use world::lock;

const SEEDS: u64 = 2_000;

fn variable(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text}: write a whole number")),
    )
}

/// Calls `work` for every seed, on as many threads as there are cores, until it returns something.
fn first_of<T: Send>(seeds: u64, work: impl Fn(u64) -> Option<T> + Sync) -> Option<(u64, T)> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicU64::new(0);
    let found: Mutex<Option<(u64, T)>> = Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds || lock(&found).is_some() {
                        return;
                    }
                    if let Some(value) = work(seed) {
                        lock(&found).get_or_insert((seed, value));
                    }
                }
            });
        }
    });
    found.into_inner().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn no_seed_breaks_an_invariant() {
    if let Some(seed) = variable("TIDINGS_SIM_SEED") {
        let story = simulate(seed, None);
        for call in &story.calls {
            println!("{call:?}");
        }
        assert_eq!(story.wrong, None, "seed {seed}");
        return;
    }
    let seeds = variable("TIDINGS_SIM_SEEDS").unwrap_or(SEEDS);
    if let Some((seed, wrong)) = first_of(seeds, |seed| simulate(seed, None).wrong) {
        panic!(
            "seed {seed}: {wrong:?}\nreplay it: TIDINGS_SIM_SEED={seed} cargo nextest run -p tidings-proactive --test sim \
             no_seed_breaks_an_invariant --no-capture"
        );
    }
}

#[test]
fn a_seed_replays_exactly() {
    for seed in 0..20 {
        let (one, other) = (simulate(seed, None), simulate(seed, None));
        assert!(!one.calls.is_empty(), "seed {seed}");
        assert_eq!(one.calls, other.calls, "seed {seed}");
    }
}

/// A broken engine has to be found out within so many seeds.
const SEEDS_OF_A_SABOTAGE: u64 = 60;

fn find_out(sabotage: Sabotage) {
    let others = Mutex::new(Vec::new());
    let found = first_of(
        variable("TIDINGS_SIM_SEEDS").unwrap_or(SEEDS_OF_A_SABOTAGE),
        |seed| {
            let wrong = simulate(seed, Some(sabotage)).wrong?;
            if wrong.invariant == sabotage.breaks() {
                return Some(wrong);
            }
            lock(&others).push((seed, wrong));
            None
        },
    );
    let others = lock(&others);
    assert!(
        found.is_some(),
        "an engine that {sabotage:?} is not found out; it broke only {others:#?}"
    );
}

macro_rules! found_out {
    ($($test:ident: $sabotage:ident;)+) => {$(
        #[test]
        fn $test() {
            find_out(Sabotage::$sabotage);
        }
    )+};
}

found_out! {
    an_engine_that_forgets_deliveries: ForgetsDeliveries;
    an_engine_that_keeps_no_order: KeepsNoOrder;
    an_engine_that_forgets_pacing: ForgetsPacing;
    an_engine_that_forgets_retry_after: ForgetsRetryAfter;
    an_engine_that_sends_too_early: SendsTooEarly;
    an_engine_that_claims_twice: ClaimsTwice;
    an_engine_that_sends_more_at_once: SendsMoreAtOnce;
    an_engine_that_forgets_attempts: ForgetsAttempts;
    an_engine_that_forgets_that_a_repeat_is_possible: ForgetsThatARepeatIsPossible;
    an_engine_that_forgets_keys: ForgetsKeys;
    an_engine_that_says_sent_without_sending: SaysSentWithoutSending;
    an_engine_that_repeats_on_its_own: RepeatsOnItsOwn;
    an_engine_that_never_takes_over: NeverTakesOver;
    an_engine_that_takes_over_too_soon: TakesOverTooSoon;
    an_engine_that_overlooks_signs_of_life: OverlooksSignsOfLife;
    an_engine_that_lets_lanes_sleep: LetsLanesSleep;
    an_engine_that_changes_what_ended: ChangesWhatEnded;
    an_engine_that_miscounts_the_backlog: MiscountsTheBacklog;
}
