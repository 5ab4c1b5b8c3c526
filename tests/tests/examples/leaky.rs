//! `examples/leaky`: what it does, as a module. Its leak is in `tests/tests/leak_check.rs`.

#[path = "../../../examples/leaky/tests/behaviour/mod.rs"]
mod behaviour;

use std::sync::LazyLock;

use bench_host::engine::StartError;
use bench_host::testing::{Setup, TestHost, TestModule};
use chunkwise_tests::test_module;

static MODULE: LazyLock<TestModule> = LazyLock::new(|| test_module("leaky", ""));

fn start(setup: &Setup, configuration: &str) -> Result<TestHost, StartError> {
    setup.module(&MODULE, configuration)
}

behaviour::tests!(start);
