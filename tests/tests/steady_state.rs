//! What the hot path costs in the long run, on exact counters.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use std::fs;
use std::num::NonZeroUsize;

use bench_host::engine::wasm::{Limits, WasmPlugin};
use bench_host::host::{Measure, Profile, Settings};
use bench_host::measure::{Allocations, Phase};
use bench_host::replay::{Options, Run, replay};
use bench_host::traffic::Traffic;
use chunkwise_tests::{module, root};

/// 16 streams of 6 250 chunks each, in both directions.
const CHUNKS: u64 = 100_000;

#[test]
fn a_hundred_thousand_chunks_allocate_nothing_and_write_nothing_back() {
    let traffic = "synth:echo,requests=16,size=102400000,chunk=16KiB";
    let run = run(traffic, 16);
    for phase in [Phase::RequestBody, Phase::ResponseBody] {
        let lines = run.ledger.phase(phase);
        assert_eq!(lines.calls, CHUNKS);
        assert_eq!(lines.allocations, Some(Allocations::default()), "{phase:?}");
        assert_eq!(lines.pages_grown, 0, "{phase:?}");
        assert_eq!(lines.bytes_out, 0, "{phase:?}");
        let calls = run.ledger.host_calls(phase);
        assert_eq!(calls.into_iter().collect::<Vec<_>>(), [(READ.to_owned(), CHUNKS)]);
    }
}

#[test]
fn a_match_in_every_chunk_allocates_nothing_either() {
    let traffic = "synth:echo,requests=16,size=16000000,chunk=16000,needle=http://,every=16000";
    let run = run(traffic, 16);
    for phase in [Phase::RequestBody, Phase::ResponseBody] {
        let lines = run.ledger.phase(phase);
        assert_eq!(lines.calls, 16_000);
        assert_eq!(lines.allocations, Some(Allocations::default()), "{phase:?}");
        assert_eq!(lines.pages_grown, 0, "{phase:?}");
        assert!(lines.bytes_out > 0, "there was something to replace");
    }
}

const READ: &str = "proxy_get_buffer_bytes";

fn run(traffic: &str, streams: usize) -> Run {
    let bytes = fs::read(module("replace")).unwrap();
    let plugin = WasmPlugin::compile(&bytes, Limits::COUNTED).unwrap();
    let mut options = Options::new(Settings::new(Profile::Envoy));
    options.configuration = fs::read(root().join("examples/replace/config.json")).unwrap().into();
    options.streams = NonZeroUsize::new(streams).unwrap();
    options.measure = Measure { time: false, usage: true };
    let run = replay(&plugin, &Traffic::open(traffic).unwrap(), &options, &|_| ()).unwrap();
    assert_eq!((run.failed, run.crashes.len()), (0, 0));
    run
}
