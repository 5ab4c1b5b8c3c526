//! Profiles of the heap of plugins on the SDK: what they say is what the plugins' own books say,
//! and watching changes nothing.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use bench_host::engine::wasm::{Limits, WasmPlugin};
use bench_host::heap::{Profile, Recording, heap_json, instrument};
use bench_host::host::{Measure, Profile as Proxy, Settings};
use bench_host::measure::Phase;
use bench_host::replay::{Options, Run, replay};
use bench_host::traffic::Traffic;
use chunkwise_tests::{module, root};

const TRAFFIC: &str =
    "synth:echo,size=128KiB,chunk=16KiB,requests=8,framing=sized,needle=http://,every=4KiB";

fn run(plugin: &WasmPlugin, configuration: &[u8], outputs: Option<&Path>) -> Run {
    let mut options = Options::new(Settings::new(Proxy::Envoy));
    options.configuration = configuration.to_vec().into();
    options.measure = Measure { time: false, usage: true };
    options.outputs = outputs.map(Path::to_owned);
    replay(plugin, &Traffic::open(TRAFFIC).unwrap(), &options, &|_| ()).unwrap()
}

fn recorded(bytes: &[u8], configuration: &[u8], outputs: Option<&Path>) -> (Profile, Run) {
    let module = instrument(bytes).unwrap();
    assert!(module.allocator.as_ref().unwrap().frees);
    let recording = Recording::default();
    let plugin = WasmPlugin::recording(module, Limits::COUNTED, &recording).unwrap();
    let run = run(&plugin, configuration, outputs);
    (recording.finish(), run)
}

fn replacing() -> (Vec<u8>, Vec<u8>) {
    let configuration = fs::read(root().join("examples/replace/config.json")).unwrap();
    (fs::read(module("replace")).unwrap(), configuration)
}

#[test]
fn the_recording_agrees_with_the_plugins_books() {
    let (bytes, configuration) = replacing();
    let (profile, run) = recorded(&bytes, &configuration, None);
    let books = Phase::ALL.map(|phase| run.ledger.phase(phase).allocations.unwrap_or_default());
    let sum = (books.iter().map(|all| all.bytes).sum(), books.iter().map(|all| all.count).sum());
    assert_eq!(profile.total, sum);
    let books = run.heap.books.unwrap();
    assert_eq!((profile.left.0, profile.peak.0), (books.live, books.peak));
    assert_eq!((profile.unseen_frees, profile.unknown_frees), (0, 0));
    let pages = profile.growth.initial_pages + profile.growth.grown_pages;
    assert_eq!(pages, run.heap.pages_final);
}

#[test]
fn watching_changes_nothing() {
    let (bytes, configuration) = replacing();
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let plain = WasmPlugin::compile(&bytes, Limits::COUNTED).unwrap();
    let plain = run(&plain, &configuration, Some(folders[0].path()));
    let (profile, watched) = recorded(&bytes, &configuration, Some(folders[1].path()));

    let files = |folder: &Path| -> BTreeMap<_, _> {
        let files = fs::read_dir(folder).unwrap().map(|file| {
            let file = file.unwrap();
            (file.file_name(), fs::read(file.path()).unwrap())
        });
        files.collect()
    };
    assert_eq!(files(folders[0].path()), files(folders[1].path()));
    assert_eq!(files(folders[0].path()).len(), 8 * 2 + 1);
    let mut fuel = 0;
    for phase in Phase::ALL {
        let [one, two] = [&plain, &watched].map(|run| run.ledger.phase(phase));
        assert_eq!(
            (one.calls, one.bytes_in, one.bytes_out),
            (two.calls, two.bytes_in, two.bytes_out)
        );
        assert_eq!(one.allocations, two.allocations);
        assert_eq!(plain.ledger.host_calls(phase), watched.ledger.host_calls(phase));
        fuel += one.fuel.unwrap_or_default();
    }
    // What comes before the first callback belongs to no phase.
    assert!((fuel..fuel + 5_000).contains(&profile.end), "{} and {fuel}", profile.end);
}

#[test]
fn two_recordings_are_the_same() {
    let (bytes, configuration) = replacing();
    let file = || heap_json(&recorded(&bytes, &configuration, None).0, true, "wasm-heap", "");
    assert_eq!(file(), file());
}

#[test]
fn a_leak_is_found_where_it_is() {
    let bytes = fs::read(module("tests/leaks")).unwrap();
    let (profile, run) = recorded(&bytes, b"", None);
    assert_eq!(run.completed, 8);
    let leak = profile.points.iter().max_by_key(|point| point.live_blocks).unwrap();
    assert_eq!((leak.live_bytes, leak.live_blocks), (8 * 512, 8));
    assert_eq!(leak.total_blocks, leak.live_blocks);
    let outermost = &profile.frames[*leak.stack.last().unwrap() as usize];
    assert!(outermost.ends_with(": proxy_on_request_headers"), "{outermost}");
}
