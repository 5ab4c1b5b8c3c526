//! The tables, by theme.

mod bodies;
mod callouts;
mod headers;
mod properties;
mod shared;
mod streams;
mod system;

use std::sync::OnceLock;

use super::run::{Observed, run};
use super::scenario::Scenario;

/// All scenarios.
pub fn all() -> Vec<Scenario> {
    [
        headers::table(),
        bodies::table(),
        properties::table(),
        shared::table(),
        callouts::table(),
        streams::table(),
        system::table(),
    ]
    .concat()
}

/// Runs all scenarios, once; how many there are, and what was observed.
pub fn observe() -> &'static (usize, Vec<Observed>) {
    static OBSERVED: OnceLock<(usize, Vec<Observed>)> = OnceLock::new();
    OBSERVED.get_or_init(run_all)
}

fn run_all() -> (usize, Vec<Observed>) {
    let scenarios = all();
    let (mut observed, mut mistakes) = (Vec::new(), Vec::new());
    for scenario in &scenarios {
        let report = run(scenario);
        observed.extend(report.observed);
        mistakes.extend(report.mistakes);
    }
    assert!(mistakes.is_empty(), "{} mistakes:\n{}", mistakes.len(), mistakes.join("\n"));
    (scenarios.len(), observed)
}
