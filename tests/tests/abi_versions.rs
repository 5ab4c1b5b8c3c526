//! The same plugin under both ABI versions that it can declare.

use std::ffi::OsString;
use std::fs;

use bench_host::engine::wasm::{Limits, WasmPlugin};
use bench_host::guest_build::build_from;
use bench_host::host::{Profile, Settings};
use bench_host::module::{AbiVersion, Module};
use bench_host::testing::{Call, TestHost};
use chunkwise_tests::{module, root};

#[test]
fn the_default_is_what_a_stock_envoy_loads() {
    let module = Module::read(&module("replace")).expect("it was just built");
    assert_eq!(module.facts.abi, Some(AbiVersion::V0_2_1));
    let sdk = module.facts.sdk.expect("the SDK leaves a section");
    assert_eq!((sdk.name.as_str(), sdk.settings["abi"].as_str()), ("chunkwise", "0.2.1"));
}

#[test]
fn with_the_feature_higress_it_declares_its_abi_and_does_the_same() {
    // A folder of its own, so that no other test finds the wrong module.
    let target = root().join("target/higress").into_os_string();
    let arguments =
        ["--features".into(), "chunkwise/higress".into(), "--target-dir".into(), target];
    let arguments: Vec<OsString> = arguments.into();
    let path = build_from(&root(), "replace", &arguments).expect("the feature builds");
    let module = Module::read(&path).expect("it was just built");
    assert_eq!(module.facts.abi, Some(AbiVersion::V0_2_100));

    let plugin = WasmPlugin::compile(&module.bytes, Limits::COUNTED).expect("it is valid");
    let mut settings = Settings::new(Profile::Higress);
    settings.adapt_to(&module.facts);
    assert!(!settings.stop_is_stop_all);
    let configuration = fs::read_to_string(root().join("examples/replace/config.json"));
    let configuration = configuration.expect("it is part of the checkout");
    let mut host = TestHost::start(&plugin, settings, &configuration).expect("it starts");
    let outcome = host.send(Call::post("/").chunks(["htt", "p://x"])).expect("it runs");
    assert_eq!(outcome.upstream.text(), "https://x");
}
