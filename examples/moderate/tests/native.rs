//! The plugin's behaviour, natively: plain `cargo test`, no wasm.

mod behaviour;

use bench_host::engine::StartError;
use bench_host::testing::{Setup, TestHost};
use moderate::Moderate;

fn start(setup: &Setup, configuration: &str) -> Result<TestHost, StartError> {
    setup.native::<Moderate>(configuration)
}

fn start_higress(setup: &Setup, configuration: &str) -> Result<TestHost, StartError> {
    setup.native::<Moderate<true>>(configuration)
}

behaviour::tests!(start, start_higress);
