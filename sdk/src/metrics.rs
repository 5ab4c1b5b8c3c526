//! Numbers that the proxy publishes with its own.
//!
//! Define a metric when the plugin is configured and keep it: each is a number that the host gave.
//! The proxy publishes them under its prefix for plugins (Envoy: `wasmcustom.NAME`), in all workers
//! together; a name that was defined before, in another worker or an older configuration, is the
//! same metric.
//!
//! ```no_run
//! # use chunkwise::metrics::{Counter, Histogram};
//! # fn configure() -> chunkwise::Result<()> {
//! let denied = Counter::define("auth.denied")?;
//! let waited = Histogram::define("auth.waited_ms")?;
//! // Later, in a callback:
//! denied.add(1)?;
//! waited.record(12)?;
//! # Ok(())
//! # }
//! ```
//!
//! # Cost
//! One host call for each method, unless it says otherwise; nothing is allocated.
//!
//! # Errors
//! [`Error::Host`](crate::Error::Host) when the host refuses: a metric that it does not know, or a
//! name that it does not take.

use crate::abi::host;
use crate::error::Result;

/// The kinds of metrics and their numbers in the ABI (proxy-wasm 0.2.1, `MetricType`).
#[derive(Clone, Copy, Debug)]
#[repr(u32)]
enum Kind {
    Counter = 0,
    Gauge = 1,
    Histogram = 2,
}

/// A number that only grows, such as requests that were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counter(u32);

/// A number that goes up and down, such as calls that are under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gauge(u32);

/// Many numbers of one kind, such as how long calls took; the proxy publishes their distribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Histogram(u32);

impl Counter {
    /// Defines it, or finds it.
    pub fn define(name: &str) -> Result<Self> {
        host::define_metric(Kind::Counter as u32, name).map(Self)
    }

    /// Adds to it. No host call for 0, which hosts refuse; a second one from 2⁶³ on.
    pub fn add(&self, by: u64) -> Result<()> {
        steps(by).try_for_each(|step| host::increment_metric(self.0, step))
    }

    /// What it has come to, in all workers.
    pub fn value(&self) -> Result<u64> {
        host::metric(self.0)
    }
}

impl Gauge {
    /// Defines it, or finds it.
    pub fn define(name: &str) -> Result<Self> {
        host::define_metric(Kind::Gauge as u32, name).map(Self)
    }

    /// Sets it, for all workers.
    pub fn set(&self, value: u64) -> Result<()> {
        host::record_metric(self.0, value)
    }

    /// Moves it up, or down below zero. No host call for 0.
    pub fn add(&self, by: i64) -> Result<()> {
        if by == 0 { Ok(()) } else { host::increment_metric(self.0, by) }
    }

    /// What it is at, in all workers.
    pub fn value(&self) -> Result<u64> {
        host::metric(self.0)
    }
}

impl Histogram {
    /// Defines it, or finds it.
    pub fn define(name: &str) -> Result<Self> {
        host::define_metric(Kind::Histogram as u32, name).map(Self)
    }

    /// Records one number. A host does not tell what it has recorded, so there is no `value`.
    pub fn record(&self, value: u64) -> Result<()> {
        host::record_metric(self.0, value)
    }
}

/// An addition in steps that a signed number holds.
fn steps(by: u64) -> impl Iterator<Item = i64> {
    let mut left = by;
    std::iter::from_fn(move || {
        let step = i64::try_from(left).unwrap_or(i64::MAX);
        left -= step.unsigned_abs();
        (step > 0).then_some(step)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_addition_is_made_whole_in_steps_that_hosts_take() {
        assert_eq!(steps(0).count(), 0);
        assert_eq!(steps(7).collect::<Vec<_>>(), [7]);
        for by in [u64::MAX, 1 << 63, (1 << 63) - 1] {
            assert!(steps(by).all(|step| step > 0));
            assert_eq!(steps(by).map(i64::unsigned_abs).sum::<u64>(), by);
        }
        assert_eq!(steps((1 << 63) - 1).count(), 1);
    }
}
