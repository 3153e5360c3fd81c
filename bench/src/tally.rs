//! What the channel counted.

use anyhow::Result;
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// An hour.
const LONGEST_MICROS: u64 = 3_600_000_000;

/// Times in microseconds, with three digits.
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST_MICROS, 3).unwrap_or_else(|_| unreachable!("the bounds are fine"))
}

/// What the channel tells its measurement.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Tally {
    /// POSTs that it took, since it was started.
    pub(crate) accepted: u64,
    /// POSTs that it turned away.
    pub(crate) refused: u64,
    /// How long after their intended time those came that have one, since it was last asked to begin again:
    /// microseconds, and how many.
    pub(crate) lateness: Vec<(u64, u64)>,
}

impl Tally {
    pub(crate) fn lateness(&self) -> Result<Histogram<u64>> {
        let mut all = histogram();
        for (micros, count) in &self.lateness {
            all.record_n(*micros, *count)?;
        }
        Ok(all)
    }
}

/// The values of a histogram and how often each is in it.
pub(crate) fn pairs(of: &Histogram<u64>) -> Vec<(u64, u64)> {
    of.iter_recorded()
        .map(|value| (value.value_iterated_to(), value.count_at_value()))
        .collect()
}
