//! The plugin's behaviour, natively: plain `cargo test`, no wasm.

mod behaviour;

use bench_host::engine::StartError;
use bench_host::testing::TestHost;

fn start(configuration: &str) -> Result<TestHost, StartError> {
    TestHost::native::<replace::Replace>(configuration)
}

behaviour::tests!(start);
