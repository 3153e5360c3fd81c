//! How long a delivery waits after a failed attempt.

use std::time::Duration;

use crate::rng::Rng;

/// Exponential waiting with jitter: `first`, twice that, and so on up to `longest`, each spread by `jitter`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    /// The wait after the first failure.
    pub first: Duration,
    /// No wait is longer, apart from its jitter.
    pub longest: Duration,
    /// How far a wait is spread to either side, as a part of it: 0.2 gives 80 to 120 percent. Between 0 and 1.
    pub jitter: f64,
}

impl Default for Backoff {
    /// 1 s, 2 s, 4 s ... 5 min, each +-20 %.
    fn default() -> Self {
        Backoff {
            first: Duration::from_secs(1),
            longest: Duration::from_secs(300),
            jitter: 0.2,
        }
    }
}

impl Backoff {
    /// The wait before the next attempt when `starts` have been made.
    pub(crate) fn after(&self, starts: u32, rng: &dyn Rng) -> Duration {
        let doublings = starts.saturating_sub(1).min(31);
        let wait = self.first.saturating_mul(1 << doublings).min(self.longest);
        let spread = 1.0 + self.jitter.clamp(0.0, 1.0) * (2.0 * rng.fraction() - 1.0);
        wait.mul_f64(spread)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::SeededRng;

    #[test]
    fn waits_double_up_to_the_longest() {
        let backoff = Backoff {
            jitter: 0.0,
            ..Backoff::default()
        };
        let rng = SeededRng::new(1);
        let seconds: Vec<u64> = (0..12)
            .map(|starts| backoff.after(starts, &rng).as_secs())
            .collect();
        assert_eq!(seconds, [1, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(backoff.after(u32::MAX, &rng), backoff.longest);
    }

    #[test]
    fn jitter_spreads_to_both_sides_and_no_further() {
        let backoff = Backoff::default();
        let rng = SeededRng::new(2);
        let waits: Vec<f64> = (0..1_000).map(|_| backoff.after(1, &rng).as_secs_f64()).collect();
        assert!(waits.iter().all(|wait| (0.8..=1.2).contains(wait)));
        assert!(waits.iter().any(|wait| *wait < 0.85) && waits.iter().any(|wait| *wait > 1.15));
    }
}
