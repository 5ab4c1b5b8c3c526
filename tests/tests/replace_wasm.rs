//! The behaviour of `examples/replace` in wasm: the same tests that run natively beside it.

#[path = "../../examples/replace/tests/behaviour/mod.rs"]
mod behaviour;

use std::path::PathBuf;
use std::sync::LazyLock;

use bench_host::engine::StartError;
use bench_host::engine::wasm::{Limits, WasmPlugin};
use bench_host::host::{Profile, Settings};
use bench_host::testing::TestHost;

// Compiled once for all tests.
static PLUGIN: LazyLock<WasmPlugin> = LazyLock::new(|| {
    let module: PathBuf = chunkwise_tests::module("replace");
    let bytes = std::fs::read(module).expect("it was just built");
    WasmPlugin::compile(&bytes, Limits::COUNTED).expect("the module is valid")
});

fn start(configuration: &str) -> Result<TestHost, StartError> {
    TestHost::start(&*PLUGIN, Settings::new(Profile::Envoy), configuration)
}

behaviour::tests!(start);
