//! The tables, by theme.

mod bodies;
mod callouts;
mod headers;
mod properties;
mod shared;
mod streams;
mod system;

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

/// Runs all scenarios; what was observed.
pub fn observe() -> (usize, Vec<Observed>) {
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
