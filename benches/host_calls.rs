//! What does a host call cost, beside the bytes that it copies?
//!
//! A guest written by hand makes one kind of host call over and over in a body callback, as often
//! as the chunk has bytes; one iteration is one call, the guest's loop and, where the call hands
//! bytes over, its allocator included. `copy` is what the bytes alone take on this machine, in the
//! same sizes.

use std::hint::black_box;
use std::time::{Duration, Instant};

use bench_host::engine::Plugin;
use bench_host::engine::wasm::{Limits, WasmPlugin};
use bench_host::host::{
    Direction, HeaderMap, Host, Measure, Profile, Proxy, Received, Settings, World,
};
use bytes::Bytes;
use chunkwise_benches::settings;
use criterion::{Criterion, criterion_group, criterion_main};

/// Calls by name, with the types of their arguments and the arguments; 4352 is the address of the
/// text `:path`, and 0 and 4 are where results go (at other offsets in a page: a load right behind a
/// store to the same offset waits for it).
const CALLS: [(&str, &str, &str, &str); 13] = [
    ("none", "emscripten_notify_memory_growth", "i32", "(i32.const 0)"),
    ("time", "proxy_get_current_time_nanoseconds", "i32", "(i32.const 0)"),
    ("log_level", "proxy_get_log_level", "i32", "(i32.const 0)"),
    ("log_dropped", "proxy_log", "i32 i32 i32", "(i32.const 0) (i32.const 4352) (i32.const 5)"),
    ("metric", "proxy_increment_metric", "i32 i64", "(global.get $metric) (i64.const 1)"),
    (
        "header",
        "proxy_get_header_map_value",
        "i32 i32 i32 i32 i32",
        "(i32.const 0) (i32.const 4352) (i32.const 5) (i32.const 0) (i32.const 4)",
    ),
    (
        "header_set",
        "proxy_replace_header_map_value",
        "i32 i32 i32 i32 i32",
        "(i32.const 0) (i32.const 4352) (i32.const 5) (i32.const 4352) (i32.const 5)",
    ),
    (
        "property",
        "proxy_get_property",
        "i32 i32 i32 i32",
        "(i32.const 4357) (i32.const 12) (i32.const 0) (i32.const 4)",
    ),
    (
        "shared_data",
        "proxy_get_shared_data",
        "i32 i32 i32 i32 i32",
        "(i32.const 4352) (i32.const 5) (i32.const 0) (i32.const 4) (i32.const 8)",
    ),
    (
        "read/64",
        "proxy_get_buffer_bytes",
        "i32 i32 i32 i32 i32",
        "(i32.const 0) (i32.const 0) (i32.const 64) (i32.const 0) (i32.const 4)",
    ),
    (
        "read/16384",
        "proxy_get_buffer_bytes",
        "i32 i32 i32 i32 i32",
        "(i32.const 0) (i32.const 0) (i32.const 16384) (i32.const 0) (i32.const 4)",
    ),
    (
        "write/64",
        "proxy_set_buffer_bytes",
        "i32 i32 i32 i32 i32",
        "(i32.const 0) (i32.const 0) (i32.const 64) (i32.const 65536) (i32.const 64)",
    ),
    (
        "write/16384",
        "proxy_set_buffer_bytes",
        "i32 i32 i32 i32 i32",
        "(i32.const 0) (i32.const 0) (i32.const 16384) (i32.const 65536) (i32.const 16384)",
    ),
];

/// Bytes of a chunk, and so calls in a callback.
const CHUNK: usize = 16 * 1024;

fn host_calls(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("host_call");
    for (label, import, types, arguments) in CALLS {
        let mut proxy = start(import, types, arguments);
        let context = open(&mut proxy);
        group.bench_function(label, |b| {
            b.iter_custom(|iterations| {
                let chunks = iterations.div_ceil(CHUNK as u64);
                let chunk = Bytes::from(vec![b'x'; CHUNK]);
                let calls = calls(&mut proxy);
                let begin = Instant::now();
                for _ in 0..chunks {
                    proxy.data(context, Direction::Request, chunk.clone(), false);
                }
                let took = begin.elapsed();
                assert!(proxy.fault().is_none(), "{import}: {:?}", proxy.fault());
                let made = calls_since(&mut proxy, calls);
                assert_eq!(made, chunks * CHUNK as u64, "{import}");
                // As many as were asked for, of as many as there were.
                Duration::from_secs_f64(took.as_secs_f64() * iterations as f64 / made as f64)
            });
        });
    }
    for size in [64, CHUNK] {
        let (from, mut into) = (vec![b'x'; size], vec![0; size]);
        group.bench_function(format!("copy/{size}"), |b| {
            b.iter(|| black_box(&mut into).copy_from_slice(black_box(&from)));
        });
    }
    group.finish();
}

/// Host calls of body callbacks so far.
fn calls(proxy: &mut Proxy) -> u64 {
    let ledger = &proxy.host().ledger;
    ledger.host_calls(bench_host::measure::Phase::RequestBody).values().sum()
}

fn calls_since(proxy: &mut Proxy, before: u64) -> u64 {
    calls(proxy) - before
}

/// A plugin that makes one call as often as a chunk has bytes, and lets it pass.
fn start(import: &str, types: &str, arguments: &str) -> Proxy {
    let (result, leave) = match import {
        "emscripten_notify_memory_growth" => ("", ""),
        _ => ("(result i32)", "(if (then (unreachable)))"),
    };
    let text = format!(
        r#"(module
        (import "env" "{import}" (func $call (param {types}) {result}))
        (import "env" "proxy_define_metric"
            (func $define (param i32 i32 i32 i32) (result i32)))
        (import "env" "proxy_set_shared_data"
            (func $share (param i32 i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 4)
        (data (i32.const 4352) ":pathrequest\00path")
        (global $metric (mut i32) (i32.const 0))
        (func (export "proxy_abi_version_0_2_1"))
        (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 65536))
        (func (export "proxy_on_configure") (param i32 i32) (result i32)
            (drop (call $define (i32.const 0) (i32.const 4352) (i32.const 5) (i32.const 0)))
            (global.set $metric (i32.load (i32.const 0)))
            (drop (call $share (i32.const 4352) (i32.const 5)
                (i32.const 4352) (i32.const 5) (i32.const 0)))
            (i32.const 1))
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (i32.const 1))
        (func (export "proxy_on_request_body") (param i32 i32 i32) (result i32)
            (loop $more
                (call $call {arguments})
                {leave}
                (br_if $more (local.tee 1 (i32.sub (local.get 1) (i32.const 1)))))
            ;; Headers stay open, and the chunk is dropped.
            (i32.const 3)))"#
    );
    let module = sound(wat::parse_str(text));
    let plugin = sound(WasmPlugin::compile(&module, Limits::UNCOUNTED));
    let mut settings = Settings::new(Profile::Higress);
    settings.stop_is_stop_all = false;
    let host = Host::new(settings, &World::default());
    let measure = Measure { time: false, usage: false };
    sound(Proxy::start(sound(plugin.guest(host)), &Bytes::new(), measure))
}

fn open(proxy: &mut Proxy) -> u32 {
    let mut headers = HeaderMap::default();
    for (name, value) in [(":method", "POST"), (":path", "/"), (":authority", "example.org")] {
        headers.add(name.as_bytes(), value.as_bytes());
    }
    let context = proxy.open("HTTP/1.1", Received::default(), Received::default());
    proxy.headers(context, Direction::Request, headers, false);
    context
}

/// A number that was measured on something broken must not come out.
fn sound<T, E: std::fmt::Display>(result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{error}"),
    }
}

criterion_group! {
    name = benches;
    config = settings();
    targets = host_calls
}
criterion_main!(benches);
