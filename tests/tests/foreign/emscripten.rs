//! What modules of Emscripten import besides the host's functions, without its compiler.

use bench_host::engine::Plugin as _;
use bench_host::engine::wasm::{Limits, WasmPlugin};
use bench_host::host::{Host, Profile, Settings, Shared};

/// Traps at the start unless equal threads are equal, and others are not.
const GUEST: &str = r#"(module
    (import "env" "pthread_equal" (func $equal (param i32 i32) (result i32)))
    (import "env" "emscripten_notify_memory_growth" (func $grown (param i32)))
    (memory (export "memory") 1)
    (func (export "proxy_abi_version_0_2_1"))
    (func (export "malloc") (param i32) (result i32) (i32.const 0))
    (func (export "_initialize")
        (call $grown (i32.const 0))
        (br_if 0 (i32.and
            (i32.eq (call $equal (i32.const 7) (i32.const 7)) (i32.const 1))
            (i32.eq (call $equal (i32.const 7) (i32.const 8)) (i32.const 0))))
        unreachable))"#;

#[test]
fn threads_are_compared_and_growth_is_heard_of() {
    let plugin = WasmPlugin::compile(&wat::parse_str(GUEST).unwrap(), Limits::COUNTED).unwrap();
    let host = Host::new(Settings::new(Profile::Envoy), Shared::default());
    let mut guest = plugin.guest(host).unwrap();
    assert!(guest.host().stubbed.is_empty());
}
