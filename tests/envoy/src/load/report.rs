//! What came of a load.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

/// The longest latency that is told apart, in nanoseconds.
const HOUR: u64 = 3_600_000_000_000;

/// What can become of a request that was not answered as expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failure {
    /// No connection could be made for it.
    Connect,
    /// The answer came whole, with this status.
    Status(u16),
    /// The connection or the stream was cut before the end of the answer.
    Reset,
    /// The answer was not whole in time. Its connection is given up.
    Timeout,
}

/// What came of a load.
#[derive(Clone, Debug)]
pub struct Report {
    /// Requests that were sent, or would have been if there had been a connection.
    pub requests: u64,
    /// Those that were not answered as expected.
    pub failures: BTreeMap<Failure, u64>,
    /// Nanoseconds until the whole answer was there, of the requests that were answered as
    /// expected. In an open loop they start when the request was due, so a wait for a free
    /// connection counts.
    pub latency: Histogram<u64>,
    /// Bytes of response bodies.
    pub bytes: u64,
    /// From the first request until the last answer.
    pub elapsed: Duration,
}

impl Report {
    pub(super) fn new() -> Self {
        Self {
            requests: 0,
            failures: BTreeMap::new(),
            latency: Histogram::new_with_bounds(1, HOUR, 3).expect("bounds in their order"),
            bytes: 0,
            elapsed: Duration::ZERO,
        }
    }

    pub(super) fn fail(&mut self, failure: Failure) {
        *self.failures.entry(failure).or_default() += 1;
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        for (failure, count) in &other.failures {
            *self.failures.entry(*failure).or_default() += count;
        }
        self.latency.add(&other.latency).expect("histograms of the same bounds");
        self.bytes += other.bytes;
    }

    /// Requests that were not answered as expected.
    pub fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    /// Answers a second, those that were expected.
    pub fn throughput(&self) -> f64 {
        self.latency.len() as f64 / self.elapsed.as_secs_f64()
    }

    /// The latency that this share of the expected answers does not exceed: 0.99 for the p99. Zero
    /// when there is none. Exact to three digits, up to an hour.
    pub fn quantile(&self, share: f64) -> Duration {
        Duration::from_nanos(self.latency.value_at_quantile(share))
    }
}
