//! The host allocates nothing for a chunk: a count, not an estimate.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]
#![expect(unsafe_code, reason = "an allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fs;

use bench_host::engine::wasm::{Limits, WasmPlugin};
use bench_host::engine::{Callback, Plugin as _};
use bench_host::host::{Host, Measure, Profile, Settings, World};
use bench_host::replay::{Options, replay};
use bench_host::traffic::Traffic;
use chunkwise_tests::module;

thread_local! {
    // For each thread, for the test harness allocates on its own.
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: both methods hand their arguments on to `System` unchanged and return what it returned;
// `realloc` and `alloc_zeroed` are the trait's own, which call these two.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps `alloc`'s contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller gives a block that `System` returned for the same layout.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn the_count_counts() {
    let before = ALLOCATIONS.get();
    drop(std::hint::black_box(Box::new(1)));
    assert_eq!(ALLOCATIONS.get() - before, 1);
}

/// Callbacks and host calls of every shape, without a proxy around them.
#[test]
fn callbacks_and_host_calls_allocate_nothing() {
    let text = r#"(module
        (import "env" "proxy_get_current_time_nanoseconds" (func $time (param i32) (result i32)))
        (import "env" "proxy_get_buffer_bytes"
            (func $bytes (param i32 i32 i32 i32 i32) (result i32)))
        (import "env" "proxy_of_the_future" (func $unknown (param i64) (result i32)))
        (import "wasi_snapshot_preview1" "clock_time_get"
            (func $clock (param i32 i64 i32) (result i32)))
        (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
        (memory (export "memory") 1)
        (func (export "malloc") (param i32) (result i32) (i32.const 64))
        (func $calls
            (drop (call $time (i32.const 0)))
            (drop (call $bytes (i32.const 0)
                (i32.const 0) (i32.const 9) (i32.const 0) (i32.const 4)))
            (drop (call $unknown (i64.const 0)))
            (drop (call $clock (i32.const 1) (i64.const 0) (i32.const 0)))
            (drop (call $yield)))
        (func (export "proxy_on_tick") (param i32) (call $calls))
        (func (export "proxy_on_request_body") (param i32 i32 i32) (result i32)
            (call $calls) (i32.const 0))
        (func (export "proxy_on_http_call_response") (param i32 i32 i32 i32 i32) (call $calls)))"#;
    for limits in [Limits::COUNTED, Limits::STOPPED, Limits::UNCOUNTED] {
        let plugin = WasmPlugin::compile(&wat::parse_str(text).unwrap(), limits).unwrap();
        let host = Host::new(Settings::new(Profile::Envoy), &World::default());
        let mut guest = plugin.guest(host).unwrap();
        let mut callbacks = || {
            for context in 0..1_000 {
                let body = Callback::RequestBody { context, size: 10, end: false };
                let answer = Callback::HttpCallResponse {
                    context,
                    token: 4,
                    headers: 2,
                    size: 3,
                    trailers: 0,
                };
                let tick = Callback::Tick { context };
                for callback in [body, answer, tick, Callback::Done { context }] {
                    guest.call(callback).unwrap();
                }
                guest.gauge();
            }
        };
        // What is called for the first time may be noted.
        callbacks();
        let before = ALLOCATIONS.get();
        callbacks();
        assert_eq!(ALLOCATIONS.get() - before, 0, "{limits:?}");
    }
}

/// Allocations of one replay of so many bytes in chunks of 1 KiB, each way. `needle` is what the
/// bodies have in every kilobyte, as the generator takes it.
fn allocations(plugin: &WasmPlugin, configuration: &str, needle: &str, chunks: usize) -> usize {
    let mut options = Options::new(Settings::new(Profile::Envoy));
    options.configuration = configuration.to_owned().into();
    options.measure = Measure { time: false, usage: true };
    let traffic = format!("synth:echo,size={chunks}KiB,chunk=1KiB{needle}");
    let traffic = Traffic::open(&traffic).unwrap();
    let before = ALLOCATIONS.get();
    let run = replay(plugin, &traffic, &options, &|_| ()).unwrap();
    let allocations = ALLOCATIONS.get() - before;
    assert_eq!((run.completed, run.delivered.chunks), (1, 2 * chunks as u64));
    allocations
}

/// Beginnings of what is looked for at the end of a chunk would be cut off and put back, which
/// changes bodies; none of these are in the traffic.
const NOWHERE: &str = r#"{"rules": [{"find": "~~~~", "replace": "x"}]}"#;

/// What is in every kilobyte of the traffic, and is replaced by as many bytes.
const EVERYWHERE: &str = r#"{"rules": [{"find": "http://", "replace": "HTTP://"}]}"#;

/// How many more allocations five times the chunks take.
fn growth(plugin: &WasmPlugin, configuration: &str, needle: &str) -> usize {
    let allocations = |chunks| allocations(plugin, configuration, needle, chunks);
    allocations(5_000) - allocations(1_000)
}

/// Here and there a list of the host doubles, which has nothing to do with how many chunks there
/// are.
const MOST: usize = 8;

#[test]
fn a_chunk_that_is_read_allocates_nothing() {
    for example in ["floor", "replace"] {
        let bytes = fs::read(module(example)).unwrap();
        let plugin = WasmPlugin::compile(&bytes, Limits::COUNTED).unwrap();
        let more = growth(&plugin, NOWHERE, "");
        assert!(more < MOST, "{example}: {more} allocations for 8 000 chunks");
    }
}

/// Memory for writes begins anew where what was written before is still held: at matches that a
/// chunk's end cuts.
const MOST_WRITTEN: usize = 64;

#[test]
fn neither_does_one_that_is_written() {
    for example in ["floor", "replace"] {
        let bytes = fs::read(module(example)).unwrap();
        let plugin = WasmPlugin::compile(&bytes, Limits::COUNTED).unwrap();
        let more = growth(&plugin, EVERYWHERE, ",needle=http://,every=1KiB");
        assert!(more < MOST_WRITTEN, "{example}: {more} allocations for 8 000 chunks");
    }
}
