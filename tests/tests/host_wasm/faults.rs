//! Guests that fail: every failure names the callback, the reason and the stack, and the host goes
//! on.

use bench_host::engine::wasm::{Limits, WasmPlugin};
use bench_host::engine::{Fault, StartError};
use bench_host::host::{Profile, Settings};
use bench_host::testing::{Call, TestHost};

use super::guest::{LIMITS, host, log, logging, module, plugin, run, start_error};

fn fault(body: &str) -> Fault {
    host(body).send(Call::post("/").body("ab")).unwrap_err()
}

fn in_headers(code: &str, functions: &str) -> Fault {
    fault(&format!("{functions}{}", logging(&[("request_headers", code)])))
}

#[test]
fn an_abort_shows_the_stack_with_names() {
    let functions = "(func $inner (unreachable)) (func $outer (call $inner))";
    insta::assert_snapshot!(in_headers("(call $outer) (i32.const 0)", functions), @"
    the plugin failed in proxy_on_request_headers: it aborted (a panic or a failed assertion)
       0: inner
       1: outer
       2: request_headers
    ");
}

#[test]
fn functions_without_names_are_counted() {
    let body = r#"(func (export "proxy_on_log") (param i32) (unreachable))"#;
    let fault = fault(body);
    assert_eq!(fault.callback, "proxy_on_log");
    assert!(fault.stack[0].starts_with("function "), "{fault}");
}

#[test]
fn names_of_rust_functions_are_demangled() {
    let name = "$_ZN4core9panicking5panic17h0123456789abcdefE";
    let fault = in_headers(
        &format!("(call {name}) (i32.const 0)"),
        &format!("(func {name} (unreachable))"),
    );
    assert_eq!(fault.stack[0], "core::panicking::panic");
}

#[test]
fn memory_out_of_bounds() {
    let read = "(func $read (drop (i32.load (i32.const -1))))";
    insta::assert_snapshot!(in_headers("(call $read) (i32.const 0)", read), @"
    the plugin failed in proxy_on_request_headers: it accessed memory out of bounds
       0: read
       1: request_headers
    ");
}

#[test]
fn an_endless_loop() {
    let forever = "(func $forever (loop $again (br $again)))";
    insta::assert_snapshot!(in_headers("(call $forever) (i32.const 0)", forever), @"
    the plugin failed in proxy_on_request_headers: it took more than 10 000 000 instructions, the most for one callback (an endless loop?)
       0: forever
       1: request_headers
    ");
}

#[test]
fn too_deep_a_recursion() {
    let down = "(func $down (param i32) (result i32)
        (i32.add (call $down (i32.add (local.get 0) (i32.const 1))) (local.get 0)))";
    let fault = in_headers("(call $down (i32.const 0))", down);
    assert_eq!(fault.callback, "proxy_on_request_headers");
    assert_eq!(fault.reason, "its stack overflowed (too deep a recursion?)");
    assert!(!fault.stack.is_empty() && fault.stack.iter().all(|frame| frame == "down"), "{fault}");
}

#[test]
fn other_traps_say_what_they_are() {
    let divide = "(drop (i32.div_u (i32.const 1) (local.get 2)))";
    let divide = format!("{divide} (i32.const 0)");
    insta::assert_snapshot!(in_headers(&divide, ""), @"
    the plugin failed in proxy_on_request_headers: wasm trap: integer divide by zero
       0: request_headers
    ");
    let table = "(table 1 funcref)";
    insta::assert_snapshot!(in_headers("(call_indirect (i32.const 0)) (i32.const 0)", table), @"
    the plugin failed in proxy_on_request_headers: wasm trap: uninitialized element
       0: request_headers
    ");
}

#[test]
fn a_trap_in_the_allocator_is_the_callbacks() {
    let allocator = r#"(func $allocate (export "malloc") (param i32) (result i32) (unreachable))"#;
    let read =
        "(call $proxy_get_header_map_value (i32.const 0) ':path' (i32.const 0) (i32.const 4))";
    insta::assert_snapshot!(in_headers(read, allocator), @"
    the plugin failed in proxy_on_request_headers, inside its call of proxy_get_header_map_value: it aborted (a panic or a failed assertion)
       0: allocate
       1: request_headers
    ");
}

#[test]
fn an_allocator_that_calls_back_for_ever_ends() {
    let allocator = r#"(func $allocate (export "malloc") (param i32) (result i32)
        (drop (call $proxy_get_header_map_value (i32.const 0) ':path' (i32.const 0) (i32.const 4)))
        (i32.const 70000))"#;
    let fault = in_headers(
        "(call $proxy_get_header_map_value (i32.const 0) ':path' (i32.const 0) (i32.const 4))",
        allocator,
    );
    assert_eq!(fault.reason, "its allocator makes host calls that allocate in turn, 64 deep");
    assert_eq!(fault.host_call.as_deref(), Some("proxy_get_header_map_value"));
    // As many frames as the proxy-wasm C++ host shows.
    assert_eq!((fault.stack.len(), fault.more_frames), (20, 45));
}

#[test]
fn every_callback_is_named() {
    for callback in [
        "context_create",
        "vm_start",
        "configure",
        "request_headers",
        "request_body",
        "request_trailers",
        "response_headers",
        "log",
        "done",
        "delete",
    ] {
        let plugin = plugin(&logging(&[(callback, "(unreachable)")]));
        let host = TestHost::start(&plugin, Settings::new(Profile::Envoy), "");
        let fault = match host {
            Ok(mut host) => host.send(Call::post("/").body("ab").trailer("t", "1")).unwrap_err(),
            Err(StartError::Fault(fault)) => fault,
            Err(error) => panic!("{error}"),
        };
        assert_eq!(fault.callback, format!("proxy_on_{callback}"));
        assert_eq!(fault.stack, [callback]);
    }
}

#[test]
fn so_is_what_runs_before_them() {
    let fault = |body: &str| match start_error(&module(body)) {
        StartError::Fault(fault) => fault,
        error => panic!("{error}"),
    };
    for (callback, body) in [
        ("the start function", "(func $early (unreachable)) (start $early)"),
        ("_initialize", r#"(func $early (export "_initialize") (unreachable))"#),
        ("_start", r#"(func $early (export "_start") (unreachable))"#),
        (
            "main",
            r#"(func (export "_initialize"))
               (func $early (export "main") (param i32 i32) (result i32) (unreachable))"#,
        ),
    ] {
        let fault = fault(body);
        assert_eq!((fault.callback, fault.stack[0].as_str()), (callback, "early"));
    }
    let endless = fault("(func $early (loop $again (br $again))) (start $early)");
    assert_eq!(
        endless.reason,
        "it took more than 10 000 000 instructions, the most for one callback (an endless loop?)"
    );
}

#[test]
fn memory_is_not_given_beyond_the_limit() {
    let code = "(loop $more (br_if $more
            (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
        (call $status 'pages' (memory.size))
        (i32.const 0)";
    let mut host = host(&logging(&[("request_headers", code)]));
    assert!(host.send(Call::get("/")).unwrap().downstream.ended);
    let pages = LIMITS.memory / 65_536;
    assert!(log(&mut host).contains(&format!("\npages {pages}\n")), "{}", log(&mut host));
}

#[test]
fn nor_from_the_beginning() {
    let error = start_error(&module(r#"(memory (export "memory") 257)"#)).to_string();
    insta::assert_snapshot!(error, @"the plugin does not load: memory minimum size of 257 pages exceeds memory limits; a plugin may have 16 MiB");
}

#[test]
fn tables_have_a_limit_too() {
    let table = "(table $t 1 funcref)";
    let code = "(call $status 'elements' (table.grow $t (ref.null func) (i32.const 2000000)))
        (i32.const 0)";
    let mut host = host(&format!("{table}{}", logging(&[("request_headers", code)])));
    host.send(Call::get("/")).unwrap();
    assert!(log(&mut host).contains("\nelements 4294967295\n"), "{}", log(&mut host));
}

#[test]
fn more_memories_are_not_a_way_around() {
    let body = "(memory $second 256) (memory $third 256)";
    let body = format!(r#"(memory (export "memory") 2) {body}"#);
    let error = start_error(&module(&body)).to_string();
    insta::assert_snapshot!(error, @"the plugin does not load: resource limit exceeded: memory count too high at 3");
}

#[test]
fn a_flood_of_log_lines_is_cut() {
    let code = "(local.set 1 (i32.const 5000))
        (loop $more
            (drop (call $proxy_log (i32.const 2) (i32.const 0) (i32.const 131072)))
            (br_if $more (local.tee 1 (i32.sub (local.get 1) (i32.const 1)))))
        (i32.const 0)";
    let run = run(&plugin(&logging(&[("request_headers", code)])), "synth:json");
    assert!(run.log.len() <= 1_000 && run.log_dropped > 4_000);
    assert!(run.log.iter().all(|line| line.message.len() <= 3 * 4_096));
}

/// Writing the same megabytes a million times over must not take the host's memory.
#[test]
fn vectors_that_overlap_are_not_added_up_in_memory() {
    let import = r#"(import "wasi_unstable" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))"#;
    // 65 536 vectors, each of them all of the first megabyte.
    let code = "(drop (memory.grow (i32.const 32)))
        (local.set 1 (i32.const 524288))
        (loop $more
            (local.set 1 (i32.sub (local.get 1) (i32.const 8)))
            (i32.store (i32.add (i32.const 1048576) (local.get 1)) (i32.const 0))
            (i32.store offset=4 (i32.add (i32.const 1048576) (local.get 1)) (i32.const 1048576))
            (br_if $more (local.get 1)))
        (call $status 'fd_write' (call $fd_write
            (i32.const 1) (i32.const 1048576) (i32.const 65536) (i32.const 0)))
        (i32.const 0)";
    let mut host = host(&format!("{import}{}", logging(&[("request_headers", code)])));
    assert!(host.send(Call::get("/")).unwrap().downstream.ended);
    assert!(log(&mut host).contains("fd_write "), "{}", log(&mut host));
}

#[test]
fn without_counting_memory_is_limited_all_the_same() {
    let limits = Limits { fuel: None, ..LIMITS };
    let bytes = module(r#"(memory (export "memory") 257)"#);
    let plugin = WasmPlugin::compile(&bytes, limits).unwrap();
    assert!(TestHost::start(&plugin, Settings::new(Profile::Envoy), "").is_err());
}
