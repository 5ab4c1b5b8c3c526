//! The native engine and the wasm engine: the same plugin does the same on both, call by call.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::LazyLock;

use bench_host::engine::Plugin;
use bench_host::engine::native::NativePlugin;
use bench_host::engine::wasm::{Limits, WasmPlugin};
use bench_host::host::{Measure, Profile, Settings};
use bench_host::measure::Phase;
use bench_host::replay::{Options, Run, replay};
use bench_host::traffic::Traffic;
use chunkwise_tests::{module, root};
use replace::Replace;

static WASM: LazyLock<WasmPlugin> = LazyLock::new(|| {
    let bytes = fs::read(module("replace")).unwrap();
    WasmPlugin::compile(&bytes, Limits::UNCOUNTED).unwrap()
});

/// Everything of a run that does not depend on the engine.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    completed: u64,
    local_replies: u64,
    failed: u64,
    chunks: u64,
    bytes: u64,
    log: Vec<String>,
    phases: BTreeMap<&'static str, Costs>,
    outputs: BTreeMap<String, Vec<u8>>,
}

#[derive(Debug, PartialEq, Eq)]
struct Costs {
    calls: u64,
    bytes_in: u64,
    bytes_out: u64,
    host_calls: BTreeMap<String, u64>,
}

fn seen(plugin: &dyn Plugin, traffic: &Traffic, chunk: usize, streams: usize) -> Seen {
    let folder = tempfile::tempdir().unwrap();
    let mut options = Options::new(Settings::new(Profile::Envoy));
    options.configuration = fs::read(root().join("examples/replace/config.json")).unwrap().into();
    options.chunk = NonZeroUsize::new(chunk).unwrap();
    options.streams = NonZeroUsize::new(streams).unwrap();
    options.measure = Measure { time: false, usage: true };
    options.outputs = Some(folder.path().to_owned());
    let run = replay(plugin, traffic, &options, &|_| ()).unwrap();
    assert!(run.crashes.is_empty(), "{:?}", run.crashes);
    Seen {
        completed: run.completed,
        local_replies: run.local_replies,
        failed: run.failed,
        chunks: run.delivered.chunks,
        bytes: run.delivered.bytes,
        phases: COMPARED.into_iter().map(|phase| (phase.name(), costs(&run, phase))).collect(),
        log: run.log.into_iter().map(|line| line.message).collect(),
        outputs: files(folder.path()),
    }
}

/// What a VM runs before and while it is configured is the engine's own affair, and so is the
/// access log: a plugin natively has no exports that it could lack.
const COMPARED: [Phase; 9] = [
    Phase::ContextCreate,
    Phase::RequestHeaders,
    Phase::RequestBody,
    Phase::RequestTrailers,
    Phase::ResponseHeaders,
    Phase::ResponseBody,
    Phase::ResponseTrailers,
    Phase::Done,
    Phase::Delete,
];

fn costs(run: &Run, phase: Phase) -> Costs {
    let lines = run.ledger.phase(phase);
    Costs {
        calls: lines.calls,
        bytes_in: lines.bytes_in,
        bytes_out: lines.bytes_out,
        host_calls: run.ledger.host_calls(phase),
    }
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    entries.map(|path| (name(&path), fs::read(&path).unwrap())).collect()
}

fn compare(traffic: &Traffic, chunk: usize, streams: usize) -> Seen {
    let native = seen(&NativePlugin::<Replace>::new(), traffic, chunk, streams);
    let wasm = seen(&*WASM, traffic, chunk, streams);
    let what = format!("{}, chunk {chunk}, streams {streams}", traffic.source());
    // Outputs first and one by one: they are long.
    for (name, bytes) in &native.outputs {
        assert!(wasm.outputs.get(name) == Some(bytes), "{what}: {name}");
    }
    assert_eq!(native.outputs.len(), wasm.outputs.len(), "{what}");
    assert_eq!(native.phases, wasm.phases, "{what}");
    assert!(native == wasm, "{what}");
    native
}

const STREAMS: [usize; 3] = [1, 2, 16];

#[test]
fn on_the_embedded_trace() {
    for chunk in [1, 7, 1024, 16 * 1024] {
        for streams in STREAMS {
            let seen = compare(&Traffic::demo(), chunk, streams);
            assert_eq!((seen.completed, seen.failed), (Traffic::demo().requests(), 0));
            assert_eq!(seen.outputs.len(), 2 * 9 + 1);
        }
    }
}

#[test]
fn on_generated_traffic() {
    let matches = "needle=http://,every=700";
    for spec in [
        &format!("synth:echo,size=20000,requests=5,{matches}"),
        &format!("synth:echo,size=20000,requests=5,framing=sized,{matches}"),
        &format!("synth:upload,size=20000,chunk=333,requests=3,{matches}"),
        &format!("synth:sse,events=40,requests=3,{matches}"),
        "synth:json,size=5KiB,requests=2",
    ] {
        let traffic = Traffic::open(spec).unwrap();
        for chunk in [3, 1000, 16 * 1024] {
            for streams in STREAMS {
                let seen = compare(&traffic, chunk, streams);
                assert_eq!((seen.completed, seen.failed), (traffic.requests(), 0), "{spec}");
                let read: u64 = seen.phases.values().map(|costs| costs.bytes_in).sum();
                assert!(read > 0, "{spec} is looked at");
            }
        }
    }
}
