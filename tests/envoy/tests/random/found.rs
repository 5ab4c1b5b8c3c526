//! What random cases have found, a line each in `found.txt`.

use envoy_tests::{Scripted, envoy};

use crate::case::Case;
use crate::scripts::compare;

#[test]
fn what_was_found_once() {
    if envoy().is_none() {
        return;
    }
    let found = chunkwise_tests::root().join("tests/envoy/tests/random/found.txt");
    let found = std::fs::read_to_string(found).unwrap();
    let cases = found.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut gateways = Scripted::start().unwrap();
    let compared = cases.map(|line| compare(&mut gateways, &Case::parse(line)));
    let differences: Vec<_> = compared.filter_map(Result::err).collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
