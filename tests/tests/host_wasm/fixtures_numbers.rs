//! The test plugin `endianness` of the proxy-wasm C++ host: numbers pass as they are.

use bench_host::engine::{Callback, Plugin as _};
use bench_host::host::{Host, Level, Profile, Settings, World};
use bench_host::testing::Call;

use super::guest::{host, log, logging, plugin};

/// More than a signed number of 32 bits.
const LARGE: u32 = 3_333_333_333;

#[test]
fn arguments_and_results_of_callbacks() {
    let body = r#"
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (local.get 0))
        (func (export "proxy_on_request_body") (param i32 i32 i32) (result i32) (local.get 1))
        (func (export "proxy_on_done") (param i32) (result i32) (i32.const -2))"#;
    let host = Host::new(Settings::new(Profile::Envoy), &World::default());
    let mut guest = plugin(body).guest(host).unwrap();
    let headers = Callback::RequestHeaders { context: LARGE, count: 1, end: false };
    assert_eq!(guest.call(headers), Ok(Some(LARGE)));
    let body = Callback::RequestBody { context: 1, size: LARGE, end: false };
    assert_eq!(guest.call(body), Ok(Some(LARGE)));
    assert_eq!(guest.call(Callback::Done { context: 1 }), Ok(Some(u32::MAX - 1)));
}

#[test]
fn numbers_of_64_bits_and_what_is_written_to_memory() {
    let imports = r#"
        (import "env" "proxy_define_metric" (func $define (param i32 i32 i32 i32) (result i32)))
        (import "env" "proxy_increment_metric" (func $increment (param i32 i64) (result i32)))
        (import "env" "proxy_record_metric" (func $record (param i32 i64) (result i32)))
        (import "env" "proxy_get_metric" (func $get (param i32 i32) (result i32)))
        (import "env" "proxy_get_log_level" (func $level (param i32) (result i32)))"#;
    let code = "
        (drop (call $define (i32.const 1) 'gauge' (i32.const 0)))
        (drop (call $record (i32.load (i32.const 0)) (i64.const 0x1122334455667788)))
        (drop (call $increment (i32.load (i32.const 0)) (i64.const -1)))
        (drop (call $get (i32.load (i32.const 0)) (i32.const 8)))
        (call $status 'eight bytes' (i64.eq (i64.load (i32.const 8)) (i64.const 0x1122334455667787)))
        (call $status 'lowest first' (i32.load8_u (i32.const 8)))
        (i32.store (i32.const 16) (i32.const -1))
        (drop (call $level (i32.const 16)))
        (call $status 'four bytes' (i32.load (i32.const 16)))
        (i32.const 0)";
    let mut host = host(&format!("{imports}{}", logging(&[("request_headers", code)])));
    host.send(Call::get("/")).unwrap();
    let log = log(&mut host);
    assert!(log.contains("\neight bytes 1\nlowest first 135\nfour bytes 0\n"), "{log}");
}

/// The answer of a host call that fails is the guest's to see.
#[test]
fn answers_of_host_calls() {
    let code = "
        (call $status 'no such map' (call $proxy_get_header_map_pairs
            (i32.const 3333333333) (i32.const 0) (i32.const 4)))
        (call $status 'no memory' (call $proxy_get_header_map_pairs
            (i32.const 0) (i32.const 3333333333) (i32.const 4)))
        (i32.const 0)";
    let bytes = "(call $buffer (i32.const 0)) (i32.const 0)";
    let script = [("request_headers", code), ("request_body", bytes)];
    let mut host = host(&logging(&script));
    host.send(Call::post("/").body("hello from host land!")).unwrap();
    let log = log(&mut host);
    assert!(log.contains("\nno such map 2\nno memory 6\n"), "{log}");
    assert!(log.contains("\nbuffer hello from host land!\n"), "{log}");
    assert!(host.log().iter().all(|line| line.level == Level::Info));
}
