//! The test plugins of the proxy-wasm C++ host (`test/test_data`), as what they are to show, with
//! the results that its tests expect.
//!
//! Functions of a plugin that the proxy never calls (`run`, `trigger`, …) are timer ticks here: a
//! tick's context is the argument.

use bench_host::engine::wasm::WasmPlugin;
use bench_host::engine::{Callback, Fault, Guest, Plugin as _, StartError};
use bench_host::host::{Host, Level, Profile, Settings, World};
use bench_host::module::{AbiVersion, Module};
use bench_host::testing::{Answer, Call, TestHost};

use super::guest::{HIGRESS, LIMITS, host, log, logging, module, plugin, stream_log};

fn settings(profile: Profile) -> Settings {
    Settings { log_level: Level::Trace, ..Settings::new(profile) }
}

fn guest(body: &str, settings: Settings) -> Box<dyn Guest> {
    plugin(body).guest(Host::new(settings, &World::default())).unwrap()
}

fn tick(guest: &mut dyn Guest, argument: u32) -> Result<Vec<String>, Fault> {
    let before = guest.host().log.lines().len();
    guest.call(Callback::Tick { context: argument })?;
    let lines = guest.host().log.lines().iter().skip(before);
    Ok(lines.map(|line| line.message.clone()).collect())
}

/// A plugin whose tick does this.
fn ticking(functions: &str, code: &str) -> String {
    format!("{functions}\n(func $run (export \"proxy_on_tick\") (param i32) {code})")
}

#[test]
fn abi_export() {
    let body = r#"(func (export "proxy_abi_version_0_2_0"))
        (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 1))
        (func (export "proxy_on_context_create") (param i32 i32))"#;
    let bytes = module(body);
    let facts = Module::parse("abi_export.wasm".as_ref(), bytes.clone()).unwrap().facts;
    assert_eq!(facts.abi, Some(AbiVersion::V0_2_0));
    let plugin = WasmPlugin::compile(&bytes, LIMITS).unwrap();
    assert!(TestHost::start(&plugin, settings(Profile::Envoy), "").is_ok());
}

const BAD_MALLOC: &str = r#"
    (func $proxy_on_memory_allocate (export "proxy_on_memory_allocate")
        (param $size i32) (result i32)
        (if (i32.eq (local.get $size) (i32.const 0xaaaa))
            (then (call $say 'this is fine')))
        (if (i32.eq (local.get $size) (i32.const 0xbbbb))
            (then (drop (call $proxy_continue_stream (i32.const 0)))))
        (i32.const 65536))"#;

/// Sends a body of this many bytes, which the plugin reads.
fn bad_malloc(profile: Profile, size: usize) -> (Result<(), Fault>, String) {
    let code = "(drop (call $proxy_get_buffer_bytes (i32.const 0)
            (i32.const 0) (i32.const 0x7fffffff) (i32.const 0) (i32.const 4)))
        (i32.const 0)";
    let body = format!("{BAD_MALLOC}{}", logging(&[("request_body", code)]));
    let plugin = plugin(&body);
    let mut host = TestHost::start(&plugin, settings(profile), "").unwrap();
    let result = host.send(Call::post("/").body(vec![b'x'; size])).map(drop);
    let log = log(&mut host);
    (result, log)
}

#[test]
fn bad_malloc_without_host_calls() {
    for profile in [Profile::Envoy, Profile::Higress] {
        let (result, log) = bad_malloc(profile, 0x1000);
        assert_eq!(result, Ok(()));
        assert!(!log.contains("this is fine"), "{log}");
    }
}

#[test]
fn bad_malloc_may_log() {
    for profile in [Profile::Envoy, Profile::Higress] {
        let (result, log) = bad_malloc(profile, 0xaaaa);
        assert_eq!(result, Ok(()));
        assert!(log.contains("\nthis is fine\n"), "{log}");
    }
}

/// The restriction is gone from the host of Higress, since Go's collector runs in the allocator.
#[test]
fn bad_malloc_may_do_no_more_on_a_stock_envoy() {
    let (result, _) = bad_malloc(Profile::Envoy, 0xbbbb);
    insta::assert_snapshot!(result.unwrap_err(), @"
    the plugin failed in proxy_on_request_body, inside its call of proxy_get_buffer_bytes: the plugin called proxy_continue_stream in its allocator; while it hands out memory, a stock Envoy allows proxy_log, fd_write and clock_time_get only (restricted_callback)
       0: proxy_on_memory_allocate
       1: request_body
    ");
    let (result, _) = bad_malloc(Profile::Higress, 0xbbbb);
    assert_eq!(result, Ok(()));
}

/// The C++ test gives the plugin two functions of its own; here whatever no host has is a stub that
/// answers "unimplemented" (12), and the result says how often it was called.
#[test]
fn callback() {
    let imports = r#"(import "env" "callback" (func $callback))
        (import "env" "callback2" (func $callback2 (param i32) (result i32)))"#;
    let run =
        ticking(imports, "(call $callback) (call $status 'run2' (call $callback2 (local.get 0)))");
    let mut guest = guest(&run, settings(Profile::Envoy));
    for _ in 0..5 {
        assert_eq!(tick(&mut *guest, 0).unwrap(), ["run2 12"]);
    }
    let stubbed: Vec<_> = guest.host().stubbed.clone().into_iter().collect();
    assert_eq!(stubbed, [("callback".to_owned(), 5), ("callback2".to_owned(), 5)]);
}

/// Writing to standard output, which is the log.
const PRINT: &str = r#"
    (import "wasi_unstable" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
    (func $print (param $at i32) (param $len i32)
        (i32.store (i32.const 16) (local.get $at))
        (i32.store (i32.const 20) (local.get $len))
        (drop (call $fd_write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 24))))"#;

#[test]
fn clock() {
    let functions = format!(
        r#"{PRINT}
        (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
        (func $time (param $clock i32) (param $at i32) (param $len i32)
            (call $text (local.get $at) (local.get $len))
            (drop (call $clock (local.get $clock) (i64.const 0) (i32.const 0)))
            ;; In microseconds, the low digits.
            (call $number (i32.wrap_i64 (i64.rem_u
                (i64.div_u (i64.load (i32.const 0)) (i64.const 1000)) (i64.const 1000000000))))
            (call $print (i32.const 1024) (i32.sub (global.get $line) (i32.const 1024)))
            (global.set $line (i32.const 1024)))"#
    );
    let run = ticking(
        &functions,
        "(call $time (i32.const 1) 'monotonic: ') (call $time (i32.const 0) 'realtime: ')",
    );
    let mut guest = guest(&run, settings(Profile::Envoy));
    // The clocks are the same in every run, and move with every look.
    assert_eq!(tick(&mut *guest, 0).unwrap(), ["monotonic: 1", "realtime: 600000002"]);
    assert_eq!(tick(&mut *guest, 0).unwrap(), ["monotonic: 3", "realtime: 600000004"]);
}

#[test]
fn env() {
    let functions = format!(
        r#"{PRINT}
        (import "wasi_unstable" "environ_sizes_get" (func $sizes (param i32 i32) (result i32)))
        (import "wasi_unstable" "environ_get" (func $environ (param i32 i32) (result i32)))
        (func $len (param $at i32) (result i32)
            (if (result i32) (i32.load8_u (local.get $at))
                (then (i32.add (i32.const 1) (call $len (i32.add (local.get $at) (i32.const 1)))))
                (else (i32.const 0))))"#
    );
    let code = "(local $left i32) (local $at i32)
        (drop (call $sizes (i32.const 0) (i32.const 4)))
        (drop (call $environ (i32.const 8192) (i32.const 12288)))
        (local.set $left (i32.load (i32.const 0)))
        (local.set $at (i32.const 8192))
        (block $done (loop $next
            (br_if $done (i32.eqz (local.get $left)))
            (call $print (i32.load (local.get $at)) (call $len (i32.load (local.get $at))))
            (local.set $at (i32.add (local.get $at) (i32.const 4)))
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (br $next)))";
    let mut settings = settings(Profile::Envoy);
    assert!(tick(&mut *guest(&ticking(&functions, code), settings.clone()), 0).unwrap().is_empty());
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    settings.environment = vec![pair("KEY1", "VALUE1"), pair("KEY2", "VALUE2")];
    let mut guest = guest(&ticking(&functions, code), settings);
    assert_eq!(tick(&mut *guest, 0).unwrap(), ["KEY1=VALUE1", "KEY2=VALUE2"]);
}

#[test]
fn random() {
    let import = r#"(import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))"#;
    let code = "(call $status 'random_get' (call $random (i32.const 65536) (local.get 0)))";
    let mut guest = guest(&ticking(import, code), settings(Profile::Envoy));
    for (size, errno) in [(0, 0), (32, 0), (65_536, 0), (66_560, 28)] {
        assert_eq!(tick(&mut *guest, size).unwrap(), [format!("random_get {errno}")], "{size}");
    }
}

#[test]
fn trap() {
    let functions = "(func $begin_panic (unreachable))
        (func $one (param i32) (call $begin_panic))
        (func $trigger2 (param i32) (call $one (local.get 0)))";
    let mut guest =
        guest(&ticking(functions, "(call $trigger2 (local.get 0))"), settings(Profile::Envoy));
    insta::assert_snapshot!(tick(&mut *guest, 0).unwrap_err(), @"
    the plugin failed in proxy_on_tick: it aborted (a panic or a failed assertion)
       0: begin_panic
       1: one
       2: trigger2
       3: run
    ");
}

/// The configuration of a canary is tried in a VM of its own; one that is refused changes nothing.
#[test]
fn canary_check() {
    let code = "(drop (call $proxy_get_buffer_bytes (i32.const 7)
            (i32.const 0) (i32.const 99) (i32.const 0) (i32.const 4)))
        (i32.ne (i32.load8_u (i32.load (i32.const 0))) (i32.const 98))";
    let plugin = plugin(&logging(&[("configure", code)]));
    assert!(TestHost::start(&plugin, settings(Profile::Envoy), "good").is_ok());
    let refused = TestHost::start(&plugin, settings(Profile::Envoy), "bad").unwrap_err();
    assert!(matches!(refused, StartError::Refused { what: StartError::CONFIGURATION, .. }));
    assert!(TestHost::start(&plugin, settings(Profile::Envoy), "good").is_ok());
}

#[test]
fn http_logging() {
    let mut host = host(&logging(&[]));
    host.send(Call::get("/").answer(Answer::new(200))).unwrap();
    let names: Vec<_> = stream_log(&mut host)
        .lines()
        .map(|line| line.split(' ').next().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(names, ["request_headers", "response_headers", "log", "done", "delete"]);
}

/// 1 stops everything in the older ABIs, and only the headers in that of Higress.
#[test]
fn stop_iteration() {
    for (marker, body_comes) in [("", false), (HIGRESS, true)] {
        let stop = logging(&[("request_headers", "(i32.const 1)")]);
        let mut host = host(&format!("{marker}{stop}"));
        host.send(Call::post("/").body("ab")).unwrap();
        assert_eq!(stream_log(&mut host).contains("request_body"), body_comes);
    }
}
