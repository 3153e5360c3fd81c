//! Rate limits, one bucket for each caller, with a bound on the buckets.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

/// The time since something, which never goes back.
#[derive(Clone)]
pub(crate) struct Ticks(Arc<dyn Fn() -> Duration + Send + Sync>);

impl Ticks {
    pub(crate) fn since_now() -> Self {
        let start = Instant::now();
        Self(Arc::new(move || start.elapsed()))
    }

    #[cfg(test)]
    pub(crate) fn of(clock: governor::clock::FakeRelativeClock) -> Self {
        Self(Arc::new(move || clock.now().into()))
    }
}

impl fmt::Debug for Ticks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ticks")
    }
}

impl Clock for Ticks {
    type Instant = Duration;

    fn now(&self) -> Duration {
        (self.0)()
    }
}

type Bucket = RateLimiter<NotKeyed, InMemoryState, Ticks, NoOpMiddleware<Duration>>;

/// Buckets by caller. When there are too many, those that were not used for longest are forgotten: a forgotten caller
/// begins with a full bucket, so the bound should be far above the number of callers there really are.
pub(crate) struct Buckets<K> {
    quota: Quota,
    most: usize,
    ticks: Ticks,
    generations: Mutex<Generations<K>>,
}

/// What was used lately, and what was used before that.
struct Generations<K> {
    young: HashMap<K, Bucket>,
    old: HashMap<K, Bucket>,
}

impl<K: Eq + Hash> Buckets<K> {
    /// At most `most` buckets, which is 2 or more.
    pub(crate) fn new(quota: Quota, most: usize, ticks: Ticks) -> Self {
        Self {
            quota,
            most,
            ticks,
            generations: Mutex::new(Generations {
                young: HashMap::new(),
                old: HashMap::new(),
            }),
        }
    }

    /// Takes one from the bucket of `caller`; if it is empty, says how long until there is one in it.
    pub(crate) fn take(&self, caller: K) -> Result<(), Duration> {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        let Generations { young, old } = &mut *generations;
        if !young.contains_key(&caller) {
            if young.len() >= self.most / 2 {
                *old = std::mem::take(young);
            }
            let bucket = old
                .remove(&caller)
                .unwrap_or_else(|| Bucket::direct_with_clock(self.quota, self.ticks.clone()));
            return check(young.entry(caller).or_insert(bucket));
        }
        young.get(&caller).map_or(Ok(()), check)
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        let generations = self.generations.lock().unwrap();
        generations.young.len() + generations.old.len()
    }
}

fn check(bucket: &Bucket) -> Result<(), Duration> {
    bucket
        .check()
        .map_err(|refused| refused.wait_time_from(bucket.clock().now()))
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use governor::clock::FakeRelativeClock;

    use super::*;

    fn three_a_minute(most: usize) -> (Buckets<u32>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        let quota = Quota::per_minute(NonZeroU32::new(3).unwrap());
        (Buckets::new(quota, most, Ticks::of(clock.clone())), clock)
    }

    #[test]
    fn a_bucket_empties_and_fills_again_for_its_caller_only() {
        let (buckets, clock) = three_a_minute(8);
        for _ in 0..3 {
            assert_eq!(buckets.take(1), Ok(()));
        }
        assert_eq!(buckets.take(1), Err(Duration::from_secs(20)));
        assert_eq!(buckets.take(2), Ok(()));
        clock.advance(Duration::from_secs(19));
        assert_eq!(buckets.take(1), Err(Duration::from_secs(1)));
        clock.advance(Duration::from_secs(1));
        assert_eq!(buckets.take(1), Ok(()));
        assert!(buckets.take(1).is_err());
    }

    #[test]
    fn there_are_never_more_buckets_than_the_bound() {
        let (buckets, _) = three_a_minute(8);
        for caller in 0..8 {
            buckets.take(caller).unwrap();
        }
        assert_eq!(buckets.len(), 8);
        for caller in 8..1000 {
            buckets.take(caller).unwrap();
            assert!(buckets.len() <= 8);
        }
    }

    #[test]
    fn a_bucket_in_use_survives_the_coming_and_going_of_others() {
        let (buckets, _) = three_a_minute(8);
        for _ in 0..3 {
            buckets.take(0).unwrap();
        }
        for caller in 1..1000 {
            buckets.take(caller).unwrap();
            assert!(buckets.take(0).is_err(), "{caller}");
        }
    }
}
