//! Recorded traffic through each example.

use std::time::Duration;

use bench_host::traffic::{Exchange, HttpVersion, Traffic};
use chunkwise_tests::root;
use envoy_tests::{Parity, envoy};

/// The trace that the project brings along, and the recordings beside the checkout if there are
/// any.
fn traces() -> Vec<(String, Traffic)> {
    let recorded = ["site-firefox.har", "site-chrome.har"]
        .map(|name| root().join("../shared/traffic").join(name));
    let own = root().join("bench-host/traffic/demo.jsonl");
    let files = [own].into_iter().chain(recorded).filter(|file| file.is_file());
    let open = |file: std::path::PathBuf| {
        let name = file.display().to_string();
        let traffic = Traffic::open(&name).expect("a trace that is read elsewhere");
        (file.file_name().unwrap_or_default().to_string_lossy().into_owned(), traffic)
    };
    files.map(open).collect()
}

#[test]
fn replace() {
    same("replace", "");
}

#[track_caller]
fn same(example: &str, script: &str) {
    if envoy().is_none() {
        return;
    }
    let mut parity = Parity::of_example(example, script).unwrap_or_else(|error| panic!("{error}"));
    let mut differences = Vec::new();
    for (trace, traffic) in traces() {
        for exchange in traffic.exchanges() {
            let exchange = exchange.expect("traffic that is read elsewhere");
            for http in [HttpVersion::Http1, HttpVersion::Http2] {
                let exchange = Exchange { http, ..exchange.clone() };
                let label = format!("{trace}: {} {}", http.protocol(), exchange.label);
                let compared = parity.compare(exchange, Duration::ZERO);
                if let Err(difference) = compared.unwrap_or_else(|error| panic!("{label}: {error}"))
                {
                    differences.push(format!("{label}\n{difference}"));
                }
            }
        }
    }
    assert!(
        differences.is_empty(),
        "{} of {} differ\n{}",
        differences.len(),
        parity.compared(),
        differences.join("\n")
    );
}
