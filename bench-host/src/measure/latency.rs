//! How long callbacks take.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Durations in fixed memory, exact to three digits.
#[derive(Clone, Debug)]
pub struct Latency(Histogram<u64>);

/// The shape of a latency distribution, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Percentiles {
    /// Arithmetic mean.
    pub mean: f64,
    /// Median.
    pub p50: u64,
    /// 90th percentile.
    pub p90: u64,
    /// 99th percentile.
    pub p99: u64,
    /// 99.9th percentile.
    pub p999: u64,
    /// The longest.
    pub max: u64,
}

/// Decimal digits that are kept.
const DIGITS: u8 = 3;

impl Default for Latency {
    fn default() -> Self {
        Self(Histogram::new(DIGITS).expect("the crate takes 0 to 5 digits"))
    }
}

impl Latency {
    /// Adds one duration.
    pub fn record(&mut self, duration: Duration) {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        // The histogram resizes itself, up to what 64 bits hold.
        self.0.record(nanoseconds).expect("64 bits are within its reach");
    }

    /// Adds all durations of another one.
    pub fn add(&mut self, other: &Self) {
        self.0.add(&other.0).expect("both resize themselves");
    }

    /// The distribution; all zero when nothing was recorded.
    pub fn percentiles(&self) -> Percentiles {
        let at = |quantile| self.0.value_at_quantile(quantile);
        Percentiles {
            mean: self.0.mean(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: self.0.max(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_duration_can_be_recorded() {
        let mut latency = Latency::default();
        latency.record(Duration::ZERO);
        latency.record(Duration::MAX);
        assert!(latency.percentiles().max > u64::MAX / 2);
    }

    #[test]
    fn percentiles_are_exact_to_three_digits() {
        let mut latency = Latency::default();
        assert_eq!(latency.percentiles(), Percentiles::default());
        for microseconds in 1..=10_000 {
            latency.record(Duration::from_micros(microseconds));
        }
        let shape = latency.percentiles();
        for (is, should) in
            [(shape.p50, 5_000_000), (shape.p99, 9_900_000), (shape.max, 10_000_000)]
        {
            assert!(is.abs_diff(should) <= should / 1_000 + 8, "{is} is not {should}");
        }
    }
}
