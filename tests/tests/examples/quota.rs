//! `examples/quota`.

#[path = "../../../examples/quota/tests/behaviour/mod.rs"]
mod behaviour;

use std::sync::LazyLock;

use bench_host::engine::StartError;
use bench_host::testing::{Setup, TestHost, TestModule};

// Compiled once for all tests.
static MODULE: LazyLock<TestModule> = LazyLock::new(|| {
    TestModule::read(&chunkwise_tests::module("quota")).expect("it was just built")
});

fn start(setup: &Setup, configuration: &str) -> Result<TestHost, StartError> {
    setup.module(&MODULE, configuration)
}

behaviour::tests!(start);
