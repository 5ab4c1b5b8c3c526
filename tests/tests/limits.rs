//! What fits a budget, of plugins that look at bodies in three ways.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use std::fs;
use std::num::NonZeroUsize;

use bench_host::budget::{Fit, Kind, Load, Question, Swept, sweep};
use bench_host::engine::wasm::{Limits, WasmPlugin};
use bench_host::host::{Measure, Profile, Settings};
use bench_host::leak::Verdict;
use bench_host::module::Module;
use bench_host::replay::Options;
use chunkwise_tests::{module, root};

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

fn swept(package: &str, configuration: &str, load: &Load, question: &Question) -> Swept {
    let file = Module::read(&module(package)).unwrap();
    let plugin = WasmPlugin::compile(&file.bytes, Limits::COUNTED).unwrap();
    let mut options = Options::new(Settings::new(Profile::Envoy));
    options.settings.allow_stop_iteration = true;
    options.settings.adapt_to(&file.facts);
    options.configuration = configuration.to_owned().into();
    options.measure = Measure { time: false, usage: true };
    sweep(&plugin, &options, load, question, &|_, _| ()).unwrap()
}

fn question(budget: u64) -> Question {
    Question {
        budget,
        workers: NonZeroUsize::new(2).unwrap(),
        most_limit: 4 * MIB,
        most_streams: NonZeroUsize::new(8).unwrap(),
        usual_limit: MIB,
    }
}

fn load(kind: Kind, path: Option<&str>) -> Load {
    Load { kind, path: path.map(str::to_owned), headers: Vec::new() }
}

fn configuration(example: &str) -> String {
    fs::read_to_string(root().join("examples").join(example).join("config.json")).unwrap()
}

fn limits(fits: &[Fit]) -> Vec<(usize, Option<u64>, bool)> {
    fits.iter().map(|fit| (fit.streams, fit.buffer_limit_bytes, fit.is_open)).collect()
}

#[test]
fn a_window_takes_the_same_whatever_the_limit() {
    let configuration = configuration("upload-scan");
    let found = swept("upload-scan", &configuration, &load(Kind::Upload, None), &question(MIB));
    let open = [1, 2, 4, 8].map(|streams| (streams, Some(4 * MIB), true));
    assert_eq!(limits(&found.frontier), open);
    let memory: Vec<_> = found.points.iter().map(|point| point.peak_bytes).collect();
    assert!(memory.iter().all(|bytes| *bytes == memory[0] && *bytes < 512 * KIB), "{memory:?}");
    let whole = found.points.iter().filter(|point| point.body_bytes <= point.buffer_limit_bytes);
    for point in whole {
        assert_eq!(point.read_bytes, point.body_bytes * point.requests, "{point:?}");
    }
    assert!(found.points.iter().all(|point| point.is_steady));
    assert_eq!(found.leak.verdict, Verdict::Flat);
}

#[test]
fn a_whole_body_takes_what_the_limit_lets_it() {
    let configuration = configuration("prompt-guard").replace("1048576", "16777216");
    let load = load(Kind::Json, Some("/v1/chat/completions"));
    let found = swept("prompt-guard", &configuration, &load, &question(4 * MIB));
    // Two VMs: what is beside the body is less than 300 KiB, and the search ends within an eighth.
    for fit in &found.frontier {
        let limit = fit.buffer_limit_bytes.unwrap();
        assert!((1_500 * KIB..2 * MIB).contains(&limit) && !fit.is_open, "{fit:?}");
        let vm = fit.vm_bytes.unwrap();
        assert!(vm > limit && vm < limit + 300 * KIB && vm * 2 <= 4 * MIB, "{fit:?}");
        assert_eq!(fit.workers_bytes, Some(vm * 2));
    }
    // The arena is given back before another stream needs it.
    assert_eq!((found.at_usual_limit.streams, found.at_usual_limit.is_open), (8, true));
    assert!(found.points.iter().all(|point| point.is_steady));
    assert_eq!(found.leak.verdict, Verdict::Flat);
}

#[test]
fn chunk_by_chunk_on_the_crate_proxy_wasm_does_not_depend_on_the_limit() {
    let configuration = configuration("baseline");
    let found = swept("baseline", &configuration, &load(Kind::Echo, None), &question(MIB));
    assert!(found.frontier.iter().all(|fit| fit.is_open), "{:?}", found.frontier);
    assert!(found.points.iter().all(|point| point.live_bytes.is_none()));
    // Only pages are known of it.
    assert_eq!(found.leak.verdict, Verdict::CannotTell);
}

#[test]
fn whole_bodies_on_the_crate_proxy_wasm_depend_on_it() {
    let found = swept("tests/whole-body", "", &load(Kind::Upload, None), &question(4 * MIB));
    let one = &found.frontier[0];
    let limit = one.buffer_limit_bytes.unwrap();
    assert!((1_500 * KIB..2 * MIB).contains(&limit) && !one.is_open, "{one:?}");
}
