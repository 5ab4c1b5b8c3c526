//! Valid plugins whose code is made by chance are described and run.
//!
//! The first byte says which callbacks they export. Their imports are some of those of the guest of
//! `host_calls`, which are all.

#![no_main]

use std::sync::OnceLock;

use bench_host::module::Module;
use chunkwise_fuzz::{host_calls, module};
use libfuzzer_sys::arbitrary::Unstructured;
use wasm_smith::Config;

/// What every plugin has.
const NEEDED: &str = r#"
    (memory (export "memory") 2)
    (func (export "proxy_abi_version_0_2_1"))
    (func (export "malloc") (param i32) (result i32) unreachable)"#;

/// Callbacks, some at a time: every function more takes time to compile.
const CALLBACKS: [&str; 6] = [
    r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) unreachable)
    (func (export "proxy_on_request_body") (param i32 i32 i32) (result i32) unreachable)"#,
    r#"(func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32) unreachable)
    (func (export "proxy_on_response_body") (param i32 i32 i32) (result i32) unreachable)"#,
    r#"(func (export "proxy_on_request_trailers") (param i32 i32) (result i32) unreachable)
    (func (export "proxy_on_log") (param i32) unreachable)"#,
    r#"(func (export "proxy_on_context_create") (param i32 i32) unreachable)
    (func (export "proxy_on_done") (param i32) (result i32) unreachable)"#,
    r#"(func (export "proxy_on_configure") (param i32 i32) (result i32) unreachable)
    (func (export "proxy_on_tick") (param i32) unreachable)"#,
    r#"(func (export "_initialize") unreachable)
    (func (export "chunkwise_books") (result i32) unreachable)"#,
];

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((choice, data)) = data.split_first() else { return };
    let mut input = Unstructured::new(data);
    let Ok(generated) = wasm_smith::Module::new(config(*choice), &mut input) else { return };
    let parsed = Module::parse("fuzz.wasm".as_ref(), generated.to_bytes())
        .unwrap_or_else(|error| panic!("a valid module is refused: {error}"));
    assert_eq!(parsed.facts.loadable(), Ok(()));
    module::described(&parsed);
    module::run(&parsed);
});

/// The shape of a plugin, and only what its engine has.
fn config(choice: u8) -> Config {
    static IMPORTS: OnceLock<Vec<u8>> = OnceLock::new();
    let chosen = CALLBACKS.iter().enumerate().filter(|(place, _)| choice >> place & 1 == 1);
    let callbacks: Vec<_> = chosen.map(|(_, callbacks)| *callbacks).collect();
    let exports = format!("(module {NEEDED} {})", callbacks.join("\n"));
    Config {
        available_imports: Some(IMPORTS.get_or_init(host_calls::guest).clone()),
        exports: Some(wat::parse_str(exports).expect("the shape is written right")),
        generate_custom_sections: true,
        max_funcs: 12,
        max_imports: 12,
        max_instructions: 100,
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
