//! One example in both gateways, and what was found to differ.

use std::time::Duration;

use bench_host::traffic::{Exchange, HttpVersion};
use envoy_tests::{Parity, Plan, envoy};

use crate::{corpus, recorded, table};

/// Between the chunks of what is written down, so that most of them arrive one by one. Nothing
/// that is compared depends on it.
const PAUSE: Duration = Duration::from_millis(1);

/// Both gateways with one plan.
pub struct Run {
    plan: String,
    parity: Parity,
    /// Pairs that everybody can compare, whatever lies beside the checkout.
    own: usize,
    differences: Vec<String>,
}

/// All plans of an example.
pub struct Example {
    name: &'static str,
    pairs: usize,
    differences: Vec<String>,
}

/// Compares an example, unless there is no Envoy on this machine.
#[track_caller]
pub fn example(name: &'static str, compare: impl FnOnce(&mut Example)) {
    if envoy().is_none() {
        return;
    }
    let mut example = Example { name, pairs: 0, differences: Vec::new() };
    compare(&mut example);
    let Example { pairs, differences, .. } = example;
    let count = differences.len();
    assert!(count == 0, "{count} differ, {pairs} were compared\n{}", differences.join("\n"));
    table::check(name, pairs);
}

impl Example {
    /// Starts both gateways.
    pub fn plan(&mut self, what: &str, plan: &Plan, compare: impl FnOnce(&mut Run)) {
        let parity = Parity::of(plan).unwrap_or_else(|error| panic!("{what}: {error}"));
        let plan = format!("{} {what}", self.name);
        let mut run = Run { plan, parity, own: 0, differences: Vec::new() };
        compare(&mut run);
        self.pairs += run.own;
        if !run.differences.is_empty() {
            let log = run.parity.gateway().log().unwrap_or_default();
            let lines: Vec<_> = log.lines().collect();
            let log = lines[lines.len().saturating_sub(20)..].join("\n");
            run.differences.push(format!("the end of what Envoy has logged:\n{log}"));
        }
        self.differences.append(&mut run.differences);
    }
}

impl Run {
    /// Compares what suits every example: shapes of messages, and recorded traffic.
    pub fn shapes_and_recordings(&mut self) {
        self.corpus("any");
        let demo = recorded::demo();
        self.all("demo.jsonl", &demo, Duration::ZERO);
        for (name, exchanges) in recorded::recordings() {
            let before = self.own;
            self.all(name, &exchanges, Duration::ZERO);
            self.own = before;
        }
    }

    /// Compares a corpus.
    pub fn corpus(&mut self, name: &str) {
        self.all(name, &corpus::traffic(name), PAUSE);
    }

    /// Compares these over HTTP/1 and HTTP/2.
    pub fn all(&mut self, from: &str, exchanges: &[Exchange], pause: Duration) {
        for http in [HttpVersion::Http1, HttpVersion::Http2] {
            for (at, exchange) in exchanges.iter().enumerate() {
                let exchange = Exchange { http, ..exchange.clone() };
                self.one(&format!("{from} {at}"), exchange, pause);
            }
        }
    }

    /// Compares one.
    pub fn one(&mut self, name: &str, exchange: Exchange, pause: Duration) {
        let (http, message) = (exchange.http.protocol(), exchange.label.clone());
        let label = format!("{}: {name} {http} {message}", self.plan);
        self.own += 1;
        match self.parity.compare(exchange, pause) {
            Ok(Ok(())) => (),
            Ok(Err(difference)) => self.differences.push(format!("{label}\n{difference}")),
            Err(error) => self.differences.push(format!("{label}: {error}\n")),
        }
    }

    /// The pair of gateways.
    pub fn parity(&mut self) -> &mut Parity {
        &mut self.parity
    }
}
