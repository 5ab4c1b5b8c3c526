//! The plugin's behaviour, natively: plain `cargo test`, no wasm.

mod behaviour;

use bench_host::engine::StartError;
use bench_host::testing::{Setup, TestHost};

fn start(setup: &Setup, configuration: &str) -> Result<TestHost, StartError> {
    setup.native::<leaky::Audit>(configuration)
}

behaviour::tests!(start);
