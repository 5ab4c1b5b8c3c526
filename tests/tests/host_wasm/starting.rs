//! What a guest may call while it starts.

use bench_host::engine::StartError;
use bench_host::engine::wasm::WasmPlugin;
use bench_host::host::{Profile, Settings};
use bench_host::testing::{Call, TestHost};

use super::guest::{LIMITS, host, log, logging, module, start_error};

/// A module whose `_initialize` calls this import.
fn calling(import: &str, name: &str, params: usize, results: &str) -> Vec<u8> {
    let (signature, zeros) = ("i32 ".repeat(params), "(i32.const 0)".repeat(params));
    let answer = if results.is_empty() { "" } else { "drop" };
    let body = format!(
        "(import \"{import}\" \"{name}\" (func $import (param {signature}) {results}))
        (func (export \"_initialize\") {zeros} (call $import) {answer})"
    );
    module(&body)
}

fn starts(bytes: &[u8], profile: Profile) -> Result<(), StartError> {
    let plugin = WasmPlugin::compile(bytes, LIMITS).unwrap();
    TestHost::start(&plugin, Settings::new(profile), "").map(drop)
}

#[test]
fn logging_and_the_harmless_part_of_wasi_are_allowed() {
    for profile in [Profile::Envoy, Profile::Higress] {
        for (import, name, params) in [
            ("env", "proxy_log", 3),
            ("env", "pthread_equal", 2),
            ("wasi_unstable", "fd_write", 4),
            ("wasi_snapshot_preview1", "environ_get", 2),
            ("wasi_snapshot_preview1", "random_get", 2),
            ("wasi_unstable", "path_link", 7),
            ("wasi_unstable", "sock_shutdown", 2),
            ("wasi_unstable", "poll_oneoff", 4),
        ] {
            starts(&calling(import, name, params, "(result i32)"), profile).unwrap();
        }
    }
}

#[test]
fn everything_else_is_not() {
    for (import, name, params, results) in [
        ("env", "proxy_get_property", 4, "(result i32)"),
        ("env", "proxy_get_buffer_bytes", 5, "(result i32)"),
        ("env", "proxy_set_tick_period_milliseconds", 1, "(result i32)"),
        ("env", "proxy_of_the_future", 2, "(result i32)"),
        ("wasi_unstable", "sched_yield", 0, "(result i32)"),
        ("wasi_snapshot_preview1", "fd_close", 1, "(result i32)"),
        ("wasi_snapshot_preview1", "proc_exit", 1, ""),
        ("elsewhere", "fd_write", 4, "(result i32)"),
    ] {
        let bytes = calling(import, name, params, results);
        let StartError::Fault(fault) = starts(&bytes, Profile::Higress).unwrap_err() else {
            panic!("{name} is allowed");
        };
        assert_eq!(fault.callback, "_initialize");
        let begin = format!("the plugin called {name} while it was starting");
        assert!(fault.reason.starts_with(&begin), "{fault}");
    }
}

#[test]
fn the_message_says_what_to_do() {
    let body = r#"(func (export "_initialize"))
        (func $main (export "main") (param i32 i32) (result i32)
            (call $proxy_get_header_map_value (i32.const 0) ':path' (i32.const 0) (i32.const 4)))"#;
    insta::assert_snapshot!(start_error(&module(body)), @"
    the plugin failed in main: the plugin called proxy_get_header_map_value while it was starting; until `_initialize`, `main` or `_start` returns, hosts allow proxy_log and the harmless part of WASI only (restricted_callback): do it in proxy_on_vm_start or later
       0: main
    ");
    let body = r#"(func (export "_start") (drop (call $proxy_continue_stream (i32.const 0))))"#;
    let error = start_error(&module(body)).to_string();
    assert!(error.contains("failed in _start: the plugin called proxy_continue_stream"), "{error}");
}

/// Instantiation comes before the real host sets its list.
#[test]
fn the_start_function_of_the_module_is_not_restricted() {
    let body = "(func $first (drop (call $proxy_continue_stream (i32.const 0)))) (start $first)";
    starts(&module(body), Profile::Envoy).unwrap();
}

#[test]
fn afterwards_everything_is_allowed() {
    let code = "(call $status 'get' (call $proxy_get_header_map_value (i32.const 0) ':path'
        (i32.const 0) (i32.const 4))) (i32.const 0)";
    let started = r#"(func (export "_initialize"))"#;
    let mut host = host(&format!("{started}{}", logging(&[("request_headers", code)])));
    host.send(Call::get("/")).unwrap();
    assert!(log(&mut host).contains("\nget 0\n"));
}

#[test]
fn an_allocator_is_needed() {
    let bytes = wat::parse_str(
        r#"(module (memory (export "memory") 1)
            (func (export "proxy_abi_version_0_2_1"))
            (func (export "malloc") (param i64) (result i32) (i32.const 0)))"#,
    );
    insta::assert_snapshot!(start_error(&bytes.unwrap()), @"the plugin does not load: it exports neither malloc nor proxy_on_memory_allocate as (i32) -> i32");
}
