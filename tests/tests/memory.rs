//! How much linear memory bodies take, and that it stays: in exact counters, in
//! `results/memory.csv`.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use std::fs;
use std::num::NonZeroUsize;

use bench_host::engine::wasm::{Limits, WasmPlugin};
use bench_host::host::{Measure, Profile, Settings};
use bench_host::leak::Verdict;
use bench_host::measure::Phase;
use bench_host::module::Module;
use bench_host::replay::{Options, Run, replay};
use bench_host::traffic::Traffic;
use chunkwise_tests::results::{Results, compiler};
use chunkwise_tests::{module, root};

const RESULTS: Results = Results {
    csv: "results/memory.csv",
    page: None,
    test: "memory",
    columns: &[
        "plugin",
        "traffic",
        "compiler",
        "chunks",
        "pages_initial",
        "pages_final",
        "live_bytes",
        "live_peak",
    ],
};

const MIB: u64 = 1 << 20;
const PAGE: u64 = 64 * 1024;

/// What is replayed through a plugin.
struct Case {
    package: &'static str,
    traffic: &'static str,
    synth: &'static str,
    configuration: String,
    buffer_limit: u64,
    streams: usize,
    /// The path of the requests, where it matters.
    path: Option<&'static str>,
}

impl Case {
    fn new(package: &'static str, traffic: &'static str, synth: &'static str) -> Self {
        let config = root().join("examples").join(package).join("config.json");
        let configuration = fs::read_to_string(config).unwrap_or_default();
        Self {
            package,
            traffic,
            synth,
            configuration,
            buffer_limit: 40 * MIB,
            streams: 1,
            path: None,
        }
    }

    /// Replays it, for its row and for what the test looks at.
    fn run(&self) -> (String, Run) {
        let file = Module::read(&module(self.package)).unwrap();
        let plugin = WasmPlugin::compile(&file.bytes, Limits::COUNTED).unwrap();
        let mut options = Options::new(Settings::new(Profile::Envoy));
        options.settings.buffer_limit = Some(usize::try_from(self.buffer_limit).unwrap());
        options.settings.allow_stop_iteration = true;
        options.settings.adapt_to(&file.facts);
        options.configuration = self.configuration.clone().into();
        options.streams = NonZeroUsize::new(self.streams).unwrap();
        options.measure = Measure { time: false, usage: true };
        let run = replay(&plugin, &self.traffic(), &options, &|_| ()).unwrap();
        assert_eq!((run.failed, run.local_replies, run.crashes.len()), (0, 0, 0));
        let books = run.heap.books;
        let known = |bytes: Option<u64>| bytes.map_or_else(|| "-".to_owned(), |n| n.to_string());
        let row = format!(
            "{},{},{},{},{},{},{},{}",
            self.package.trim_start_matches("tests/"),
            self.traffic,
            compiler(&file),
            run.delivered.chunks,
            run.heap.pages_initial,
            run.heap.pages_final,
            known(books.map(|books| books.live)),
            known(books.map(|books| books.peak)),
        );
        (row, run)
    }

    fn traffic(&self) -> Traffic {
        let traffic = Traffic::open(self.synth).unwrap();
        let Some(path) = self.path else { return traffic };
        // The generated body, sent elsewhere.
        let exchange = traffic.exchanges().next().unwrap().unwrap();
        let chunk = NonZeroUsize::new(16 * 1024).unwrap();
        let chunks = exchange.request.body.chunks(chunk).map(|chunk| chunk.to_vec());
        let body: Vec<_> = chunks.map(|chunk| String::from_utf8(chunk).unwrap()).collect();
        let line = serde_json::json!({
            "http": "2",
            "request": { "method": "POST", "path": path, "body": body },
            "response": { "body": "ok" },
        });
        Traffic::parse("body.jsonl", line.to_string().into()).unwrap()
    }
}

#[test]
fn memory_is_what_the_way_of_looking_at_a_body_takes() {
    // Held by the host, looked through in one window.
    let body = "synth:upload,size=32MiB,chunk=16KiB";
    let (window, run) = Case::new("upload-scan", "32 MiB held", body).run();
    assert!(run.heap.pages_final * PAGE <= 2 * MIB, "{window}");
    assert_eq!(run.ledger.phase(Phase::RequestBody).bytes_in, 32 * MIB);

    // The same by the crate `proxy-wasm`: one vector of the body's length, and the two pages that
    // there were.
    let (whole, run) = Case::new("tests/whole-body", "32 MiB held", body).run();
    assert!(run.heap.pages_final * PAGE > 32 * MIB, "{whole}");

    // A filter that wants the whole of a body.
    let mut case = Case::new("prompt-guard", "2 MiB held", "synth:json,size=2MiB");
    case.configuration = case.configuration.replace("1048576", "4194304");
    case.path = Some("/v1/chat/completions");
    let (held, run) = case.run();
    assert_eq!(run.delivered.chunks, 129);
    let fixed = run.heap.pages_initial * PAGE;
    let pages = run.heap.pages_final * PAGE;
    assert!(pages >= 2 * MIB && pages * 10 <= (2 * MIB + fixed) * 11, "{held}");

    // A million chunks in streams that alternate.
    let (stream, run) = Case {
        streams: 64,
        ..Case::new(
            "replace",
            "a million chunks in 64 streams",
            "synth:echo,requests=640,size=50000,chunk=64,needle=http://,every=4KiB",
        )
    }
    .run();
    assert!(run.delivered.chunks >= 1_000_000, "{stream}");
    let warm = &run.heap.timeline[run.heap.timeline.len() / 4..];
    assert!(warm.iter().all(|point| point.1 == warm[0].1), "{warm:?}");
    let leak = run.heap.leak_check();
    assert_eq!(leak.verdict, Verdict::Flat, "{leak:?}");

    RESULTS.check(&[window, whole, held, stream]);
}
