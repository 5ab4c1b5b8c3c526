//! Recorded traffic: the trace that the project brings along, and what lies beside the checkout.

use bench_host::traffic::Exchange;
use chunkwise_tests::root;

use crate::corpus::read;

/// The trace that everybody has.
pub fn demo() -> Vec<Exchange> {
    read(&root().join("bench-host/traffic/demo.jsonl"))
}

/// Recordings beside the checkout, if there are any, with their names.
pub fn recordings() -> Vec<(&'static str, Vec<Exchange>)> {
    let names = ["site-firefox.har", "site-chrome.har"];
    let path = |name: &str| root().join("../shared/traffic").join(name);
    let there = names.into_iter().filter(|name| path(name).is_file());
    there.map(|name| (name, read(&path(name)))).collect()
}
