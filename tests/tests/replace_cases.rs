//! The cases that `examples/replace` promises hold, in debug builds too.

use std::fs;

use bench_host::engine::wasm::{Limits, WasmPlugin};
use bench_host::suite::{Plugins, RunOptions, Suite};
use chunkwise_tests::{module, root};

#[test]
fn every_case_holds() {
    let suite = Suite::read(&root().join("examples/replace/cases.toml")).unwrap();
    let plugin = fs::read(module("replace")).unwrap();
    let plugin = WasmPlugin::compile(&plugin, Limits::COUNTED).unwrap();
    let plugins = Plugins { counted: &plugin, timed: None };
    let cases = suite.cases().len();
    assert!(cases >= 6, "{cases}");
    for number in 0..cases {
        let result = suite.run(number, plugins, &RunOptions::default()).unwrap();
        assert!(result.passed(), "{}: {:?} {:?}", result.name, result.failures, result.crash);
    }
}
