//! Imports: known, unknown, and known by name only.

use std::collections::BTreeMap;

use bench_host::measure::Phase;
use bench_host::testing::Call;

use super::guest::{host, log, logging, module, plugin, run, start_error};

/// Every result type that an import can have; each answer is logged where it is a number.
const UNKNOWN: &str = r#"
    (import "env" "proxy_of_the_future" (func $i32 (param i32 i64 f32 f64) (result i32)))
    (import "env" "wide" (func $i64 (result i64)))
    (import "env" "single" (func $f32 (result f32)))
    (import "env" "double" (func $f64 (result f64)))
    (import "env" "vector" (func $v128 (result v128)))
    (import "env" "function" (func $funcref (result funcref)))
    (import "env" "nothing" (func $nothing))
    (import "env" "several" (func $several (result i32 i64 i32)))
    (import "wasi_snapshot_preview1" "sock_of_the_future" (func $wasi (result i32)))
    (import "elsewhere" "proxy_log" (func $elsewhere (param i32 i32 i32) (result i32)))
    (import "env" "proxy_continue_stream" (func $other_type (param i64) (result i32)))
    (import "env" "proxy_done" (func $no_result))
"#;

const CALLS: &str = "
    (call $status 'i32' (call $i32 (i32.const 1) (i64.const 2) (f32.const 3) (f64.const 4)))
    (call $status 'i64' (i32.wrap_i64 (call $i64)))
    (call $status 'f32' (i32.trunc_f32_u (call $f32)))
    (call $status 'f64' (i32.trunc_f64_u (call $f64)))
    (call $status 'v128' (i32x4.extract_lane 0 (call $v128)))
    (call $status 'funcref' (ref.is_null (call $funcref)))
    (call $nothing)
    (drop (drop (call $status 'several' (call $several))))
    (call $status 'wasi' (call $wasi))
    (call $status 'elsewhere' (call $elsewhere (i32.const 2) 'x'))
    (call $status 'other_type' (call $other_type (i64.const 0)))
    (call $no_result)
    (i32.const 0)";

fn body() -> String {
    // A call with several results leaves the last on top.
    let calls = CALLS.replace(
        "(drop (drop (call $status 'several' (call $several))))",
        "(call $several) (local.set 1) (drop) (drop) (call $status 'several' (local.get 1))",
    );
    format!("{UNKNOWN}{}", logging(&[("request_headers", &calls)]))
}

#[test]
fn unknown_imports_load_and_answer_unimplemented() {
    let mut host = host(&body());
    host.send(Call::get("/")).unwrap();
    let log = log(&mut host);
    let answers: Vec<_> = log
        .lines()
        .skip_while(|line| !line.starts_with("request_headers"))
        .skip(1)
        .take_while(|line| !line.starts_with("response_headers"))
        .collect();
    insta::assert_snapshot!(answers.join("\n"), @"
    i32 12
    i64 0
    f32 0
    f64 0
    v128 0
    funcref 1
    several 12
    wasi 52
    elsewhere 12
    other_type 12
    ");
}

#[test]
fn their_calls_are_counted_by_name() {
    let run = run(&plugin(&body()), "synth:upload,size=10,requests=3");
    assert_eq!((run.completed, run.crashes.len()), (3, 0));
    let names = [
        "double",
        "function",
        "nothing",
        "proxy_continue_stream",
        "proxy_done",
        "proxy_log",
        "proxy_of_the_future",
        "several",
        "single",
        "sock_of_the_future",
        "vector",
        "wide",
    ];
    assert_eq!(run.stubbed, names.map(|name| (name.to_owned(), 3)).into());
    // They are host calls like any other.
    let calls = run.ledger.host_calls(Phase::RequestHeaders);
    assert_eq!((calls["wide"], calls["nothing"]), (3, 3));
}

#[test]
fn an_import_that_is_not_called_is_not_counted() {
    let body = format!("{UNKNOWN}{}", logging(&[]));
    assert_eq!(run(&plugin(&body), "synth:upload,size=10").stubbed, BTreeMap::new());
}

#[test]
fn what_no_host_gives_is_a_clear_error() {
    for (import, name) in [
        (r#"(import "env" "memory" (memory 1))"#, "env.memory"),
        (r#"(import "env" "table" (table 1 funcref))"#, "env.table"),
        (r#"(import "env" "__stack_pointer" (global (mut i32)))"#, "env.__stack_pointer"),
    ] {
        let text = format!(r#"(module {import} (func (export "proxy_abi_version_0_2_1")))"#);
        assert_eq!(
            start_error(&wat::parse_str(text).unwrap()).to_string(),
            format!(
                "the plugin does not load: it imports {name}, which is not a function; \
                 hosts give functions only"
            )
        );
    }
}

#[test]
fn both_names_of_wasi_are_known() {
    for wasi in ["wasi_snapshot_preview1", "wasi_unstable"] {
        let import = format!(
            r#"(import "{wasi}" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
               (import "{wasi}" "random_get" (func $random_get (param i32 i32) (result i32)))"#
        );
        let code = "
            (i64.store (i32.const 0) (i64.const 0))
            (i32.store (i32.const 16)) (i32.store (i32.const 20))
            (call $status 'fd_write' (call $fd_write
                (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 8)))
            (call $status 'written' (i32.load (i32.const 8)))
            (call $status 'random_get' (call $random_get (i32.const 0) (i32.const 8)))
            (call $status 'zero' (i64.eqz (i64.load (i32.const 0))))
            (i32.const 0)";
        // Address and length of the text, in the order in which they lie in an io vector.
        let code = code.replace(
            "(i32.store (i32.const 16)) (i32.store (i32.const 20))",
            "'said' (local.set 1) (local.set 0)
             (i32.store (i32.const 16) (local.get 0)) (i32.store (i32.const 20) (local.get 1))",
        );
        let mut host = host(&format!("{import}{}", logging(&[("request_headers", &code)])));
        host.send(Call::get("/")).unwrap();
        let log = log(&mut host);
        assert!(log.contains("\nsaid\nfd_write 0\nwritten 4\nrandom_get 0\nzero 0\n"), "{log}");
    }
}

#[test]
fn a_module_may_import_the_same_call_twice() {
    let again = r#"(import "env" "proxy_log" (func $log_again (param i32 i32 i32) (result i32)))"#;
    let code = "(drop (call $log_again (i32.const 2) 'again')) (i32.const 0)";
    let run =
        run(&plugin(&format!("{again}{}", logging(&[("request_headers", code)]))), "synth:json");
    assert_eq!(run.ledger.host_calls(Phase::RequestHeaders)["proxy_log"], 2);
    assert!(run.log.iter().any(|line| line.message == "again"));
}

#[test]
fn the_helper_makes_valid_modules() {
    assert!(module("").starts_with(b"\0asm"));
}

/// AssemblyScript's strings: UTF-16, and the length in bytes in the word before.
fn utf16(at: u32, text: &str) -> String {
    let mut bytes = u32::try_from(text.len() * 2).unwrap().to_le_bytes().to_vec();
    bytes.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
    let escaped: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
    format!("(data (i32.const {}) \"{escaped}\")", at - 4)
}

const ABORT: &str = r#"(import "env" "abort" (func $abort (param i32 i32 i32 i32)))"#;

#[test]
fn an_abort_of_assemblyscript_says_why() {
    let texts =
        format!("{}{}", utf16(40_004, "index out of range"), utf16(40_104, "~lib/array.ts"));
    let code = "(call $abort (i32.const 40004) (i32.const 40104) (i32.const 92) (i32.const 42))
        (i32.const 0)";
    let body = format!("{ABORT}\n{texts}{}", logging(&[("request_headers", code)]));
    let mut host = host(&body);
    insta::assert_snapshot!(host.send(Call::get("/")).unwrap_err(), @"
    the plugin failed in proxy_on_request_headers: it aborted: index out of range (~lib/array.ts:92:42)
       0: request_headers
    ");
    assert!(log(&mut host).ends_with("it aborted: index out of range (~lib/array.ts:92:42)"));
}

#[test]
fn an_abort_without_a_text_aborts_all_the_same() {
    for (message, file) in [("0", "0"), ("3", "-1"), ("131072", "131076"), ("-4", "131071")] {
        let code = format!(
            "(call $abort (i32.const {message}) (i32.const {file}) (i32.const 1) (i32.const 2))
            (i32.const 0)"
        );
        let mut host = host(&format!("{ABORT}\n{}", logging(&[("request_headers", &code)])));
        let fault = host.send(Call::get("/")).unwrap_err();
        assert_eq!(fault.reason, "it aborted: it does not say why (?:1:2)", "{message} {file}");
    }
}

#[test]
fn what_runtimes_import_is_there() {
    let imports = r#"(import "env" "seed" (func $seed (result f64)))
        (import "env" "pthread_equal" (func $equal (param i32 i32) (result i32)))
        (import "env" "emscripten_notify_memory_growth" (func $grown (param i32)))"#;
    let code = "(call $grown (i32.const 0))
        (call $status 'same' (call $equal (i32.const 7) (i32.const 7)))
        (call $status 'other' (call $equal (i32.const 7) (i32.const 8)))
        (call $status 'seeds differ' (f64.ne (call $seed) (call $seed)))
        (i32.const 0)";
    let plugin = plugin(&format!("{imports}\n{}", logging(&[("request_headers", code)])));
    let run = run(&plugin, "synth:json");
    let said = run.log.iter().map(|line| line.message.as_str());
    let ours =
        |line: &&str| ["same ", "other ", "seeds "].iter().any(|word| line.starts_with(word));
    let said: Vec<_> = said.filter(ours).collect();
    assert_eq!(said, ["same 1", "other 0", "seeds differ 1"]);
    assert!(run.stubbed.is_empty());
}
