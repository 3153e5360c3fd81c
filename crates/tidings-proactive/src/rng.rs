//! Randomness, passed in so that a test can repeat a run.

use std::sync::atomic::{AtomicU64, Ordering};

/// A source of random numbers, used to spread retries.
pub trait Rng: Send + Sync + 'static {
    /// A number uniform in `0..=u64::MAX`.
    fn next_u64(&self) -> u64;

    /// A number uniform in `0.0..1.0`.
    fn fraction(&self) -> f64 {
        // 53 bits: as many as an f64 holds exactly.
        #[expect(clippy::cast_precision_loss, reason = "the value has 53 bits")]
        let numerator = (self.next_u64() >> 11) as f64;
        numerator / 9_007_199_254_740_992.0
    }
}

/// The operating system's randomness. The default.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRng;

impl Rng for SystemRng {
    fn next_u64(&self) -> u64 {
        rand::random()
    }
}

/// The same numbers for the same seed (`SplitMix64`). For tests and simulations; not for secrets.
#[derive(Debug)]
pub struct SeededRng(AtomicU64);

impl SeededRng {
    /// The sequence that belongs to `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }
}

impl Rng for SeededRng {
    fn next_u64(&self) -> u64 {
        const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
        let mut z = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_and_fractions_stay_in_range() {
        let (one, two) = (SeededRng::new(7), SeededRng::new(7));
        for _ in 0..1_000 {
            let fraction = one.fraction();
            assert!((0.0..1.0).contains(&fraction));
            assert_eq!(fraction.to_bits(), two.fraction().to_bits());
        }
        // The first value of the published sequence for seed 0.
        assert_eq!(SeededRng::new(0).next_u64(), 0xE220_A839_7B1D_CDAF);
    }
}
