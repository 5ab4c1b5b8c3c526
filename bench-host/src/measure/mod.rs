//! What a callback costs, and how it is counted.

mod latency;
mod ledger;
mod phase;

pub use latency::{Latency, Percentiles};
pub use ledger::{Allocations, Gauge, Ledger, Lines};
pub use phase::Phase;
