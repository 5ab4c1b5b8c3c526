//! `examples/moderate`, and `examples/moderate-higress` with it.

#[path = "../../../examples/moderate/tests/behaviour/mod.rs"]
mod behaviour;

use std::sync::LazyLock;

use bench_host::engine::StartError;
use bench_host::testing::{Setup, TestHost, TestModule};

// Compiled once for all tests.
static MODULE: LazyLock<TestModule> = LazyLock::new(|| {
    TestModule::read(&chunkwise_tests::module("moderate")).expect("it was just built")
});
static HIGRESS: LazyLock<TestModule> = LazyLock::new(|| {
    TestModule::read(&chunkwise_tests::module("moderate-higress")).expect("it was just built")
});

fn start(setup: &Setup, configuration: &str) -> Result<TestHost, StartError> {
    setup.module(&MODULE, configuration)
}

fn start_higress(setup: &Setup, configuration: &str) -> Result<TestHost, StartError> {
    setup.module(&HIGRESS, configuration)
}

behaviour::tests!(start, start_higress);

#[test]
fn only_the_module_for_higress_asks_for_its_abi() {
    assert!(!MODULE.declares_higress() && HIGRESS.declares_higress());
}
