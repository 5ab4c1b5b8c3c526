//! The leak check, on modules that leak, that do not, and that look as if they did.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use std::fmt::Write as _;
use std::fs;
use std::num::NonZeroUsize;

use bench_host::engine::wasm::{Limits, WasmPlugin};
use bench_host::host::{Measure, Profile, Settings};
use bench_host::leak::{LeakCheck, Slope, Verdict};
use bench_host::replay::{Options, Run, replay};
use bench_host::traffic::Traffic;
use bench_host::upstream::Upstreams;
use chunkwise_tests::guest;
use chunkwise_tests::{module, root};

#[test]
fn a_planted_leak_is_found_with_its_size() {
    let leaks = fs::read(module("tests/leaks")).unwrap();
    let line = r#"{"request": {"headers": [["x-leak", "32"]]}, "response": {"body": "ok"}}"#;
    let traffic = Traffic::parse("one.jsonl", line.into()).unwrap();
    for repeat in [50, 1_000] {
        let run = run(&leaks, "", &traffic, &Options { repeat: times(repeat), ..options() });
        let found = run.heap.leak_check();
        let exact = Slope { slope: 32.0, low: 32.0, high: 32.0 };
        assert_eq!(found.live_per_request, Some(exact));
        assert_eq!(found.reason, "32 bytes of live memory a request");
        assert_eq!((found.verdict, found.to_request), (Verdict::Grows, repeat as u64));
    }
}

#[test]
fn a_leak_is_found_among_open_streams_and_by_each_worker() {
    let leaks = fs::read(module("tests/leaks")).unwrap();
    let lines = [0, 64, 0, 64].map(|leak| {
        format!(r#"{{"request": {{"headers": [["x-leak", "{leak}"]], "body": "some"}}, "response": {{"body": "ok"}}}}"#)
    });
    let traffic = Traffic::parse("four.jsonl", lines.join("\n").into()).unwrap();
    for workers in [1, 2] {
        let options =
            Options { repeat: times(100), streams: times(3), workers: times(workers), ..options() };
        let run = run(&leaks, "", &traffic, &options);
        let found = run.heap.leak_check();
        let live = found.live_per_request.unwrap();
        // The first of two workers gets the requests that leak nothing.
        let planted = if workers == 1 { 32.0 } else { 0.0 };
        assert!((live.slope - planted).abs() < 0.5, "{workers}: {found:?}");
        let expected = if workers == 1 { Verdict::Grows } else { Verdict::Flat };
        assert_eq!(found.verdict, expected, "{found:?}");
    }
}

#[test]
fn the_leaky_example_is_found_and_its_repair_is_flat() {
    let traffic = Traffic::open("synth:upload,size=1KiB,requests=5").unwrap();
    let options = Options { repeat: times(40), ..options() };
    let found = |features: &str| {
        let arguments = ["--features".into(), features.into()];
        let file = bench_host::guest_build::build_from(&root(), "leaky", &arguments).unwrap();
        run(&fs::read(file).unwrap(), &configuration("leaky"), &traffic, &options)
    };
    let fixed = found("fixed").heap.leak_check();
    assert_eq!((fixed.verdict, fixed.live_per_request), (Verdict::Flat, Some(Slope::default())));
    let leaky = found("").heap.leak_check();
    // As the README of the example says.
    let readme = fs::read_to_string(root().join("examples/leaky/README.md")).unwrap();
    assert!(readme.contains(&leaky.reason), "{leaky:?}");
    assert_eq!(leaky.verdict, Verdict::Grows);
}

#[test]
fn clean_plugins_are_flat() {
    let traffic = Traffic::open("synth:echo,size=40000,requests=4,needle=http://").unwrap();
    for example in ["replace", "upload-scan", "token-count"] {
        let bytes = fs::read(module(example)).unwrap();
        for streams in [1, 4] {
            let options = Options { repeat: times(20), streams: times(streams), ..options() };
            let found = run(&bytes, &configuration(example), &traffic, &options).heap.leak_check();
            assert_eq!(found.verdict, Verdict::Flat, "{example}: {found:?}");
        }
    }
}

/// Policies that are fetched when a tenant is seen first, and kept.
#[test]
fn a_cache_that_fills_up_is_no_leak() {
    let bytes = fs::read(module("rebuild")).unwrap();
    let configuration = r#"{"cluster":{"type":"target","cluster":"one","host":"one"}}"#;
    let service = "[[cluster.one.http]]\njson = { paths = ['/'] }\n";
    let mut lines = String::new();
    for tenant in 0..60 {
        let headers = format!(r#"[["x-tenant", "tenant-{tenant}"]]"#);
        writeln!(lines, r#"{{"request": {{"headers": {headers}}}, "response": {{}}}}"#).unwrap();
    }
    let traffic = Traffic::parse("tenants.jsonl", lines.into_bytes()).unwrap();
    let found = |repeat| -> LeakCheck {
        let upstreams = Upstreams::parse(service, "upstreams").unwrap();
        let options = Options { repeat: times(repeat), upstreams, ..options() };
        run(&bytes, configuration, &traffic, &options).heap.leak_check()
    };
    assert_eq!(found(2).verdict, Verdict::Flat);
    assert_eq!(found(5).verdict, Verdict::Flat);
}

#[test]
fn a_module_without_books_shows_by_its_pages_alone() {
    let headers = |bytes: u32| {
        format!(
            r#"(global $at (mut i32) (i32.const 131072))
            (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
                (global.set $at (i32.add (global.get $at) (i32.const {bytes})))
                (if (i32.gt_u (global.get $at) (i32.mul (memory.size) (i32.const 65536)))
                    (then (drop (memory.grow (i32.const 1)))))
                (i32.const 0))
            (func (export "proxy_on_context_create") (param i32 i32))"#
        )
    };
    let traffic = Traffic::open("synth:download,size=10").unwrap();
    let found = |bytes, repeat| {
        let options = Options { repeat: times(repeat), ..options() };
        run(&guest::module(&headers(bytes)), "", &traffic, &options).heap.leak_check()
    };
    let grows = found(8_192, 400);
    assert_eq!(grows.verdict, Verdict::Grows, "{grows:?}");
    assert!((grows.memory_per_request.unwrap().slope - 8_192.0).abs() < 80.0, "{grows:?}");
    assert_eq!(found(32, 400).verdict, Verdict::CannotTell);
    assert_eq!(found(0, 400).verdict, Verdict::CannotTell);
}

/// A VM that is made anew begins anew; what one of them does is what counts.
#[test]
fn fresh_vms_do_not_hide_a_leak() {
    let leaks = fs::read(module("tests/leaks")).unwrap();
    let line = r#"{"request": {"headers": [["x-leak", "200000"]]}, "response": {"body": "ok"}}"#;
    let traffic = Traffic::parse("one.jsonl", line.into()).unwrap();
    let mut options = Options { repeat: times(400), ..options() };
    options.settings = Settings::new(Profile::Higress);
    options.rate = Some(20.0);
    let run = run(&leaks, "", &traffic, &options);
    assert!(run.rebuilds >= 2, "{}", run.rebuilds);
    let found = run.heap.leak_check();
    let live = found.live_per_request.unwrap();
    assert_eq!((found.verdict, live.slope), (Verdict::Grows, 200_000.0), "{found:?}");
}

fn run(bytes: &[u8], configuration: &str, traffic: &Traffic, options: &Options) -> Run {
    let plugin = WasmPlugin::compile(bytes, Limits::COUNTED).unwrap();
    let configuration = configuration.to_owned().into();
    let options = Options { configuration, ..options.clone() };
    let run = replay(&plugin, traffic, &options, &|_| ()).unwrap();
    assert_eq!((run.failed, run.crashes.len()), (0, 0));
    run
}

fn options() -> Options {
    let measure = Measure { time: false, usage: true };
    Options { measure, ..Options::new(Settings::new(Profile::Envoy)) }
}

fn configuration(example: &str) -> String {
    fs::read_to_string(root().join("examples").join(example).join("config.json")).unwrap()
}

fn times(number: usize) -> NonZeroUsize {
    NonZeroUsize::new(number).unwrap()
}
