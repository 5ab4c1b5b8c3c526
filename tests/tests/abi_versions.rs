//! The ABI versions that plugins declare.

use bench_host::module::{AbiVersion, Module};
use chunkwise_tests::module;

#[test]
fn the_default_is_what_a_stock_envoy_loads() {
    let module = Module::read(&module("replace")).expect("it was just built");
    assert_eq!(module.facts.abi, Some(AbiVersion::V0_2_1));
    let sdk = module.facts.sdk.expect("the SDK leaves a section");
    assert_eq!((sdk.name.as_str(), sdk.settings["abi"].as_str()), ("chunkwise", "0.2.1"));
}
