//! Valid modules that import every host call and export every callback are described and run.
//!
//! Their code is made by chance; what they import and export is what the guest of `host_calls` does.

#![no_main]

use std::sync::OnceLock;

use bench_host::module::Module;
use chunkwise_fuzz::{host_calls, module};
use libfuzzer_sys::arbitrary::Unstructured;
use wasm_smith::Config;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut input = Unstructured::new(data);
    let Ok(generated) = wasm_smith::Module::new(config(), &mut input) else { return };
    let bytes = generated.to_bytes();
    let parsed = Module::parse("fuzz.wasm".as_ref(), bytes)
        .unwrap_or_else(|error| panic!("a valid module is refused: {error}"));
    assert_eq!(parsed.facts.loadable(), Ok(()));
    module::described(&parsed);
    module::run(&parsed);
});

/// The shape of a plugin, and only what its engine has.
fn config() -> Config {
    static SHAPE: OnceLock<Vec<u8>> = OnceLock::new();
    Config {
        module_shape: Some(SHAPE.get_or_init(host_calls::guest).clone()),
        generate_custom_sections: true,
        max_instructions: 200,
        max_memory32_bytes: 4 * 1024 * 1024,
        compact_imports_enabled: false,
        exceptions_enabled: false,
        gc_enabled: false,
        memory64_enabled: false,
        threads_enabled: false,
        wide_arithmetic_enabled: false,
        ..Config::default()
    }
}
