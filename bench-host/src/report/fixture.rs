//! Results made by hand, for tests.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Context, PluginInfo, ResultFile, SdkInfo};
use crate::engine::{Fault, HeapBooks};
use crate::host::Crash;
use crate::host::{Level, LogLine, Profile, Settings};
use crate::measure::{Allocations, Gauge, Ledger, Percentiles, Phase};
use crate::replay::{Options, Run};
use crate::traffic::Traffic;

pub(crate) fn options() -> Options {
    Options::new(Settings::new(Profile::Envoy))
}

pub(crate) fn context<'a>(traffic: &'a Traffic, options: &'a Options) -> Context<'a> {
    Context {
        plugin: PluginInfo {
            path: "rebrand.wasm".to_owned(),
            sha256: Some("93a44bbb96c751218e4c00d479e4c14358122a389acca16205b1e4d0dc5f9476".into()),
            bytes: Some(48_640),
            abi: Some("0.2.1".to_owned()),
            sdk: Some(SdkInfo {
                name: "chunkwise".to_owned(),
                version: Some("0.1.0".to_owned()),
                settings: BTreeMap::from([("arena".to_owned(), "64KiB".to_owned())]),
            }),
            not_offered: Vec::new(),
        },
        engine: "wasmtime",
        engine_version: "48.0.8",
        cpu: "Some CPU @ 2.60GHz",
        traffic,
        options,
    }
}

/// A result with everything taken down.
pub(crate) fn busy() -> ResultFile {
    let traffic = Traffic::open("synth:upload,size=64KiB,requests=2").unwrap();
    let mut result = ResultFile::new(context(&traffic, &options()), &busy_run());
    let microseconds = |p50: u64| Percentiles {
        mean: p50 as f64 * 1_100.5,
        p50: p50 * 1_000,
        p90: p50 * 1_100,
        p99: p50 * 1_234,
        p999: p50 * 1_500,
        max: p50 * 50_000,
    };
    result.requests.latency_ns = Some(microseconds(2_100));
    result.phases.get_mut("request_body").unwrap().latency_ns = Some(microseconds(43));
    result
}

/// A result of a native plugin, with nothing taken down.
pub(crate) fn bare() -> ResultFile {
    let mut ledger = Ledger::default();
    calls(&mut ledger, Phase::RequestBody, 3, None);
    let run = Run { ledger, completed: 1, vms: 1, ..Run::default() };
    let (traffic, options) = (Traffic::open("synth:upload").unwrap(), options());
    let plugin = PluginInfo::native("upload");
    let context = Context {
        plugin,
        engine: "native",
        engine_version: "0.1.0",
        ..context(&traffic, &options)
    };
    ResultFile::new(context, &run)
}

/// A result with everything that deserves a warning.
pub(crate) fn broken() -> ResultFile {
    let traffic = Traffic::open("synth:upload,size=64KiB,requests=2").unwrap();
    ResultFile::new(context(&traffic, &options()), &broken_run())
}

pub(crate) fn busy_run() -> Run {
    let mut run = Run {
        ledger: busy_ledger(),
        completed: 2,
        local_replies: 1,
        vms: 1,
        instantiate: Duration::from_micros(350),
        configure: Duration::from_micros(20),
        ..Run::default()
    };
    run.delivered.chunks = 10;
    run.delivered.bytes = 131_072;
    run.request_latency.record(Duration::from_nanos(1_800));
    run.heap.pages_initial = 3;
    run.heap.pages_final = 4;
    run.heap.pages_peak = 4;
    run.heap.books =
        Some(HeapBooks { live: 2_048, peak: 12_288, arena: 65_536, ..HeapBooks::default() });
    run.heap.timeline = vec![(0, 3, Some(1_024)), (1, 4, Some(2_048)), (2, 4, Some(2_048))];
    run.heap.one_vm = (0, 2);
    run
}

pub(crate) fn broken_run() -> Run {
    let mut run = busy_run();
    run.completed = 0;
    run.local_replies = 0;
    run.failed = 2;
    let fault = Fault {
        plugin: "plugin".to_owned(),
        host_call: None,
        more_frames: 0,
        on_purpose: false,
        callback: "proxy_on_request_body",
        reason: "wasm `unreachable` instruction executed".to_owned(),
        stack: (0..14).map(|depth| format!("rebrand::frame_{depth}")).collect(),
    };
    run.crashes =
        vec![Crash { request: Some(1), fault: fault.clone() }, Crash { request: None, fault }];
    run.stubbed = BTreeMap::from([
        ("env.proxy_grpc_call".to_owned(), 3),
        ("wasi_snapshot_preview1.fd_seek".to_owned(), 1),
    ]);
    run.log = (0..8).map(|n| line(Level::Warn, &format!("rule {n}\n\u{1b}[31mis odd"))).collect();
    run.log.insert(0, line(Level::Info, "started"));
    run.log.push(line(Level::Error, "gave up"));
    run.log_dropped = 4;
    run
}

fn line(level: Level, message: &str) -> LogLine {
    LogLine { level, message: message.to_owned() }
}

fn busy_ledger() -> Ledger {
    let mut ledger = Ledger::default();
    let (log, get, set) = (
        ledger.import("proxy_log"),
        ledger.import("proxy_get_buffer_bytes"),
        ledger.import("proxy_set_buffer_bytes"),
    );
    for (phase, count, nanoseconds) in [
        (Phase::VmStart, 1, 900),
        (Phase::Configure, 1, 1_100),
        (Phase::ContextCreate, 3, 80),
        (Phase::RequestHeaders, 2, 700),
        (Phase::RequestBody, 10, 1_321),
        (Phase::ResponseHeaders, 2, 600),
        (Phase::ResponseBody, 3, 21),
        (Phase::Log, 2, 30),
        (Phase::Done, 2, 25),
        (Phase::Delete, 2, 45),
    ] {
        calls(&mut ledger, phase, count, Some(nanoseconds));
    }
    ledger.enter(Phase::RequestBody);
    for chunk in 0..10 {
        ledger.host_call(get);
        ledger.bytes_in(13_107);
        if chunk % 5 == 0 {
            ledger.host_call(set);
            ledger.bytes_out(40);
        }
    }
    let before = Gauge { pages: 3, ..Gauge::default() };
    ledger.changed(&before, &Gauge { pages: 4, ..before });
    ledger.enter(Phase::Configure);
    ledger.host_call(log);
    ledger.bytes_out(11);
    ledger
}

/// Calls that take `nanoseconds` each, ten times the fuel, and an allocation at first.
fn calls(ledger: &mut Ledger, phase: Phase, count: u64, nanoseconds: Option<u64>) {
    ledger.enter(phase);
    for call in 0..count {
        ledger.called(nanoseconds.map(|n| Duration::from_nanos(n + call)));
    }
    if let Some(nanoseconds) = nanoseconds {
        let before = Gauge { fuel: Some(0), pages: 0, allocations: Some(Allocations::default()) };
        let allocations = Some(Allocations { count: 1, bytes: 96 });
        let fuel = Some(nanoseconds * 10 * count + count / 3);
        ledger.changed(&before, &Gauge { fuel, pages: 0, allocations });
    }
}
