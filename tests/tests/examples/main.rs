//! The behaviour of the examples in wasm: the same tests that run natively beside each of them.

mod ext_auth;
mod moderate;
mod token_count;

use std::sync::LazyLock;

use bench_host::testing::TestModule;

/// The module of an example, built and compiled once for all its tests.
fn module(example: &'static str) -> TestModule {
    TestModule::read(&chunkwise_tests::module(example)).expect("a module that was just built loads")
}

/// A module that the first test builds which needs it.
type Lazy = LazyLock<TestModule>;
