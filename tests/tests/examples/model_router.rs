//! `examples/model-router`: the module for any host, and the one for Higress.

#[path = "../../../examples/model-router/tests/behaviour/mod.rs"]
mod behaviour;

use std::sync::LazyLock;

use bench_host::engine::StartError;
use bench_host::testing::{Setup, TestHost, TestModule};
use chunkwise_tests::test_module;

mod any_host {
    use super::*;

    static MODULE: LazyLock<TestModule> = LazyLock::new(|| test_module("model-router", ""));

    fn start(setup: &Setup, configuration: &str) -> Result<TestHost, StartError> {
        setup.module(&MODULE, configuration)
    }

    behaviour::tests!(start);
}

mod higress {
    use super::*;

    static MODULE: LazyLock<TestModule> = LazyLock::new(|| test_module("model-router", "higress"));

    fn start(setup: &Setup, configuration: &str) -> Result<TestHost, StartError> {
        setup.clone().higress().module(&MODULE, configuration)
    }

    behaviour::tests!(start);
}
