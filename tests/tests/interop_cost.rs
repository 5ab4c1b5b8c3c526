//! What adopting chunks gains and costs: `examples/adopt` before and after, in exact counters, in
//! `results/interop.csv`.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use std::fs;

use bench_host::engine::wasm::{Limits, WasmPlugin};
use bench_host::host::{Measure, Profile, Settings};
use bench_host::measure::Phase;
use bench_host::module::Module;
use bench_host::replay::{Options, replay};
use bench_host::traffic::Traffic;
use chunkwise_tests::costs::Cost;
use chunkwise_tests::results::{Results, built, compiler};
use chunkwise_tests::root;

const RESULTS: Results = Results {
    csv: "results/interop.csv",
    page: Some("docs/interop.md"),
    test: "interop_cost",
    columns: &[
        "traffic",
        "plugin",
        "compiler",
        "module_bytes",
        "pages",
        "fuel_a_chunk",
        "host_calls_a_chunk",
        "bytes_out_a_chunk",
        "allocations_a_chunk",
        "fuel_for_headers",
        "host_calls_for_headers",
    ],
};

const PLUGINS: [(&str, &str); 3] = [
    ("before", "examples/adopt/before"),
    ("before with books", "tests/adopt-before-books"),
    ("after", "examples/adopt/after"),
];

/// One response each, of 1 024 chunks.
const TRAFFIC: [(&str, &str); 3] = [
    ("nothing to find", ""),
    ("a match in 64 KiB", ",needle=http://,every=64KiB"),
    ("a match in 4 KiB", ",needle=http://,every=4KiB"),
];

#[test]
fn adopting_gains_what_the_results_say() {
    let modules = PLUGINS.map(|(name, package)| {
        let path = built(package);
        let module = Module::read(&path).unwrap();
        let plugin = WasmPlugin::compile(&fs::read(&path).unwrap(), Limits::COUNTED).unwrap();
        (format!("{name},{},{}", compiler(&module), module.facts.bytes), plugin)
    });
    let mut rows = Vec::new();
    for (name, needle) in TRAFFIC {
        let traffic = format!("synth:download,size=16MiB,chunk=16KiB{needle}");
        let traffic = Traffic::open(&traffic).unwrap();
        rows.extend(modules.iter().map(|(module, plugin)| {
            let costs = costs(plugin, &traffic);
            format!("{name},{module},{costs}")
        }));
    }
    RESULTS.check(&rows);
}

#[test]
fn the_page_says_what_the_results_say() {
    RESULTS.check_page();
}

/// The rest of a row.
fn costs(plugin: &WasmPlugin, traffic: &Traffic) -> String {
    let mut options = Options::new(Settings::new(Profile::Envoy));
    options.configuration = fs::read(root().join("examples/adopt/config.json")).unwrap().into();
    options.measure = Measure { time: false, usage: true };
    let run = replay(plugin, traffic, &options, &|_| ()).unwrap();
    assert_eq!((run.failed, run.crashes.len()), (0, 0));

    let chunks = run.ledger.phase(Phase::ResponseBody);
    assert!(chunks.calls >= 1024, "{} chunks", chunks.calls);
    let chunk = Cost::of(&run.ledger, &[Phase::ResponseBody]);
    let headers = Cost::of(&run.ledger, &[Phase::ResponseHeaders]);
    let allocations = chunks.allocations.map(|made| average(made.count, chunks.calls));
    format!(
        "{},{},{},{},{},{},{}",
        run.heap.pages_final,
        chunk.fuel / chunks.calls,
        average(chunk.host_calls, chunks.calls),
        average(chunk.bytes_out, chunks.calls),
        allocations.as_deref().unwrap_or("no books"),
        headers.fuel,
        headers.host_calls,
    )
}

/// As short as it can be written with two digits.
fn average(sum: u64, count: u64) -> String {
    let text = format!("{:.2}", sum as f64 / count as f64);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
