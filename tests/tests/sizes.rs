//! How large modules are: every example's, in `results/sizes.csv`, and the least that there is, in
//! `results/minimal.csv` together with what a stream and a chunk cost that nobody does anything
//! with.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use std::fs;
use std::path::Path;

use bench_host::engine::wasm::{Limits, WasmPlugin};
use bench_host::host::{Measure, Profile, Settings};
use bench_host::measure::Phase;
use bench_host::module::Module;
use bench_host::replay::{Options, replay};
use bench_host::traffic::Traffic;
use chunkwise_tests::costs::Cost;
use chunkwise_tests::results::{Results, built, compiler};
use chunkwise_tests::{module, root};

const SIZES: Results = Results {
    csv: "results/sizes.csv",
    page: None,
    test: "sizes",
    columns: &["plugin", "compiler", "size_bytes", "pages"],
};

const MINIMAL: Results = Results {
    csv: "results/minimal.csv",
    page: Some("docs/new-plugin.md"),
    test: "sizes",
    columns: &[
        "plugin",
        "compiler",
        "size_bytes",
        "pages",
        "fuel_but_for_chunks",
        "fuel_a_chunk",
        "allocations_of_chunks",
    ],
};

/// The most that a plugin may have which does next to nothing.
const MOST_BYTES: u64 = 64 * 1024;

/// Pages of 64 KiB.
const MOST_PAGES: u64 = 4;

const CHUNKS: u64 = 1024;

#[test]
fn every_example_is_as_large_as_the_results_say() {
    let mut rows = Vec::new();
    for name in examples() {
        let read = Module::read(&module(&name)).unwrap();
        let pages = pages(&read);
        rows.push(format!("{name},{},{},{pages}", compiler(&read), read.facts.bytes));
    }
    SIZES.check(&rows);
}

#[test]
fn a_minimal_plugin_is_small_and_its_chunks_cost_next_to_nothing() {
    let mut rows = Vec::new();
    for name in ["nothing", "body"] {
        let path = built(&format!("tests/minimal/{name}"));
        let read = Module::read(&path).unwrap();
        let (bytes, pages) = (read.facts.bytes, pages(&read));
        assert!(bytes <= MOST_BYTES && pages <= MOST_PAGES, "{name}: {bytes} bytes, {pages} pages");
        let compiler = compiler(&read);
        rows.push(format!("{name},{compiler},{bytes},{pages},{}", costs(&path)));
    }
    MINIMAL.check(&rows);
}

#[test]
fn the_page_says_what_the_results_say() {
    MINIMAL.check_page();
}

/// The folders of examples that become a module, each by its name.
fn examples() -> Vec<String> {
    let all = fs::read_dir(root().join("examples")).unwrap().map(|entry| entry.unwrap());
    let plugins = all.filter(|entry| entry.path().join("Cargo.toml").is_file());
    let mut names: Vec<_> = plugins.map(|entry| entry.file_name().into_string().unwrap()).collect();
    assert!(names.len() > 10, "{names:?}");
    names.sort();
    names
}

/// Pages of a module's memory before anything runs in it.
fn pages(module: &Module) -> u64 {
    module.facts.memory.as_ref().unwrap().pages_initial
}

/// The rest of a row.
fn costs(module: &Path) -> String {
    let plugin = WasmPlugin::compile(&fs::read(module).unwrap(), Limits::COUNTED).unwrap();
    let traffic = format!("synth:download,size={}KiB,chunk=16KiB", 16 * CHUNKS);
    let mut options = Options::new(Settings::new(Profile::Envoy));
    options.measure = Measure { time: false, usage: true };
    let run = replay(&plugin, &Traffic::open(&traffic).unwrap(), &options, &|_| ()).unwrap();
    assert_eq!((run.failed, run.crashes.len()), (0, 0));

    let chunks = run.ledger.phase(Phase::ResponseBody);
    assert!(chunks.calls >= CHUNKS, "{} chunks", chunks.calls);
    let all = Cost::of(&run.ledger, &Phase::ALL).fuel;
    let chunk = chunks.fuel.unwrap();
    let allocations = chunks.allocations.unwrap();
    format!("{},{},{}", all - chunk, chunk / chunks.calls, allocations.count)
}
