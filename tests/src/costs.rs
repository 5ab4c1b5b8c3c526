//! What requests have cost, in exact counters.

use std::iter::Sum;
use std::ops::{Add, Sub};

use bench_host::measure::{Ledger, Phase};

/// What some callbacks have cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Instructions.
    pub fuel: u64,
    /// Host calls.
    pub host_calls: u64,
    /// Bytes that the host read out of the plugin's memory.
    pub bytes_out: u64,
    /// Allocations, by the plugin's books; 0 where it has none.
    pub allocations: u64,
    /// Bytes of these allocations.
    pub bytes_allocated: u64,
}

impl Cost {
    /// All that a ledger has for these phases.
    pub fn of(ledger: &Ledger, phases: &[Phase]) -> Self {
        let cost = |phase: &Phase| {
            let lines = ledger.phase(*phase);
            let allocations = lines.allocations.unwrap_or_default();
            Self {
                fuel: lines.fuel.unwrap_or_default(),
                host_calls: ledger.host_calls(*phase).values().sum(),
                bytes_out: lines.bytes_out,
                allocations: allocations.count,
                bytes_allocated: allocations.bytes,
            }
        };
        phases.iter().map(cost).sum()
    }
}

impl Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            fuel: self.fuel + other.fuel,
            host_calls: self.host_calls + other.host_calls,
            bytes_out: self.bytes_out + other.bytes_out,
            allocations: self.allocations + other.allocations,
            bytes_allocated: self.bytes_allocated + other.bytes_allocated,
        }
    }
}

impl Sub for Cost {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            fuel: self.fuel - before.fuel,
            host_calls: self.host_calls - before.host_calls,
            bytes_out: self.bytes_out - before.bytes_out,
            allocations: self.allocations - before.allocations,
            bytes_allocated: self.bytes_allocated - before.bytes_allocated,
        }
    }
}

impl Sum for Cost {
    fn sum<I: Iterator<Item = Self>>(costs: I) -> Self {
        costs.fold(Self::default(), Add::add)
    }
}
