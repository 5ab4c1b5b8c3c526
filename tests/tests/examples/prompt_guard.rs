//! `examples/prompt-guard`: the module for any host, and the one for Higress.

#[path = "../../../examples/prompt-guard/tests/behaviour/mod.rs"]
mod behaviour;

use std::sync::LazyLock;

use bench_host::engine::StartError;
use bench_host::testing::{Setup, TestHost, TestModule};
use chunkwise_tests::test_module;

mod any_host {
    use super::*;

    static MODULE: LazyLock<TestModule> = LazyLock::new(|| test_module("prompt-guard", ""));

    fn start(setup: &Setup, configuration: &str) -> Result<TestHost, StartError> {
        setup.module(&MODULE, configuration)
    }

    behaviour::tests!(start);
}

mod higress {
    use super::*;

    static MODULE: LazyLock<TestModule> = LazyLock::new(|| test_module("prompt-guard", "higress"));

    fn start(setup: &Setup, configuration: &str) -> Result<TestHost, StartError> {
        setup.clone().higress().module(&MODULE, configuration)
    }

    behaviour::tests!(start);
}
