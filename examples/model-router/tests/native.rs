//! The plugin's behaviour, natively: plain `cargo test`, no wasm.

mod behaviour;

use bench_host::engine::StartError;
use bench_host::testing::{Setup, TestHost};

fn start(setup: &Setup, configuration: &str) -> Result<TestHost, StartError> {
    // Made for Higress, it does not start elsewhere.
    let setup = if cfg!(feature = "higress") { &setup.clone().higress() } else { setup };
    setup.native::<model_router::ModelRouter>(configuration)
}

behaviour::tests!(start);
