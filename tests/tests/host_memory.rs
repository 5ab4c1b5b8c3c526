//! How much memory of the host a large body takes.
//!
//! The only test of its process, so that the peak is its own.

use std::fs;

use bench_host::engine::wasm::{Limits, WasmPlugin};
use bench_host::host::{Measure, Profile, Settings};
use bench_host::replay::{Options, replay};
use bench_host::traffic::Traffic;
use chunkwise_tests::{module, root};

/// Compiling the module takes most of what is needed; of the body there is a chunk at a time.
const MOST: u64 = 256 * 1024 * 1024;

#[test]
fn a_gibibyte_passes_without_being_held() {
    let plugin =
        WasmPlugin::compile(&fs::read(module("replace")).unwrap(), Limits::UNCOUNTED).unwrap();
    let mut options = Options::new(Settings::new(Profile::Envoy));
    options.configuration = fs::read(root().join("examples/replace/config.json")).unwrap().into();
    options.measure = Measure { time: false, usage: true };
    let traffic = Traffic::open("synth:upload,size=1GiB,chunk=64KiB").unwrap();
    let run = replay(&plugin, &traffic, &options, &|_| ()).unwrap();
    // The answer has a few bytes too.
    assert_eq!((run.completed, run.delivered.bytes >> 10), (1, 1 << 20));
    // One chunk is all that the plugin ever holds.
    assert!(run.heap.pages_peak <= run.heap.pages_initial + 2, "{:?}", run.heap);

    let Some(peak) = peak() else {
        println!("skipped: /proc/self/status, which knows the peak, is not on this system");
        return;
    };
    assert!(peak < MOST, "the peak is {} MiB", peak / 1024 / 1024);
}

/// The most memory that this process has ever had resident, in bytes.
fn peak() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024)
}
