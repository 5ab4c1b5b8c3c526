//! From a run to its result.

use std::collections::BTreeMap;
use std::time::Duration;

use super::result::{
    Fuel, GuestBooks, HeapUse, HostInfo, LogExcerpt, PhaseCosts, PluginInfo, ReplayOptions,
    RequestCounts, ResultFile, TrafficInfo, UnmatchedCalls, VmCrash, VmInfo,
};
use crate::host::Crash;
use crate::measure::{Ledger, Percentiles, Phase};
use crate::replay::{Options, Run};
use crate::traffic::Traffic;

/// Lines of the plugin's log, and crashes, that a result holds; a plugin that fails with every
/// request would otherwise drown the rest.
const EXCERPT: usize = 20;

/// What a [`Run`] does not know of itself.
#[derive(Clone, Debug)]
pub struct Context<'a> {
    /// What was replayed through.
    pub plugin: PluginInfo,
    /// `wasmtime` or `native`.
    pub engine: &'a str,
    /// The engine's version.
    pub engine_version: &'a str,
    /// The processor's model, as [`cpu`](super::cpu) tells it.
    pub cpu: &'a str,
    /// What was replayed.
    pub traffic: &'a Traffic,
    /// How it was replayed.
    pub options: &'a Options,
}

impl ResultFile {
    /// The result of a run.
    ///
    /// Whether time was taken, instructions were counted and the plugin's books were read is what
    /// the run's ledger shows. Where time was taken in a pass of its own, give the ledger its
    /// latencies ([`Ledger::take_latencies`]) and the run its `request_latency`, `instantiate` and
    /// `configure` before.
    #[must_use]
    pub fn new(context: Context<'_>, run: &Run) -> Self {
        let Context { plugin, engine, engine_version, cpu, traffic, options } = context;
        let taken = Taken::of(&run.ledger);
        Self {
            schema: Self::SCHEMA,
            plugin,
            host: HostInfo {
                profile: options.settings.profile.name().to_owned(),
                engine: engine.to_owned(),
                engine_version: engine_version.to_owned(),
                cpu: cpu.to_owned(),
                fuel: taken.fuel,
            },
            options: Some(ReplayOptions::from(options)),
            traffic: TrafficInfo {
                source: traffic.source().to_owned(),
                requests: traffic.requests().saturating_mul(options.repeat.get() as u64),
                chunks: run.delivered.chunks,
                bytes: run.delivered.bytes,
                notes: traffic.notes().to_vec(),
            },
            requests: RequestCounts {
                completed: run.completed,
                local_replies: run.local_replies,
                failed: run.failed,
                failed_because: run.failed_because.clone(),
                latency_ns: taken.time.then(|| rounded(run.request_latency.percentiles())),
            },
            phases: Phase::ALL
                .into_iter()
                .map(|phase| (phase.name().to_owned(), taken.costs(&run.ledger, phase)))
                .collect(),
            heap: heap(run),
            leak: Some(run.heap.leak_check()),
            vm: vm(run),
            stubbed_imports: run.stubbed.clone(),
            unmatched_calls: UnmatchedCalls {
                count: run.unmatched.1,
                first: distinct(run.unmatched.0.iter().map(String::as_str)),
            },
            refused: distinct(run.refused.iter().copied()),
            plugin_log: log(run),
        }
    }
}

/// The first few texts, each once.
fn distinct<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut distinct: Vec<String> = Vec::new();
    for text in texts {
        if distinct.len() == EXCERPT {
            break;
        }
        if !distinct.iter().any(|known| known == text) {
            distinct.push(text.to_owned());
        }
    }
    distinct
}

impl PluginInfo {
    /// A plugin that is linked natively and so has no module.
    #[must_use]
    pub fn native(name: &str) -> Self {
        Self {
            path: name.to_owned(),
            sha256: None,
            bytes: None,
            abi: None,
            sdk: None,
            not_offered: Vec::new(),
        }
    }

    /// A module.
    #[cfg(feature = "wasm")]
    #[must_use]
    pub fn of_module(module: &crate::module::Module) -> Self {
        let facts = &module.facts;
        Self {
            path: module.path.display().to_string(),
            sha256: Some(facts.sha256.clone()),
            bytes: Some(facts.bytes),
            abi: facts.abi.map(|abi| abi.to_string()),
            not_offered: facts.not_offered(),
            sdk: facts.sdk.as_ref().map(|sdk| super::SdkInfo {
                name: sdk.name.clone(),
                version: sdk.version.clone(),
                settings: sdk.settings.clone(),
            }),
        }
    }
}

impl From<&Options> for ReplayOptions {
    fn from(options: &Options) -> Self {
        Self {
            streams: options.streams.get(),
            workers: options.workers.get(),
            repeat: options.repeat.get(),
            chunk_bytes: options.chunk.get(),
            buffer_limit_bytes: options.settings.http1_buffer_limit(),
            configuration_bytes: options.configuration.len(),
            rate_per_second: options.rate,
            failure_policy: options.settings.failure_policy.name().to_owned(),
            allow_stop_iteration: options.settings.allow_stop_iteration,
            clock: if options.wall_clock { "wall" } else { "virtual" }.to_owned(),
        }
    }
}

/// What was taken down at all. A phase without calls has nothing in the ledger whether or not it
/// would have been taken down, and must not look skipped for it.
struct Taken {
    time: bool,
    fuel: bool,
    allocations: bool,
}

impl Taken {
    fn of(ledger: &Ledger) -> Self {
        let lines = || Phase::ALL.into_iter().map(|phase| ledger.phase(phase));
        Self {
            time: lines().any(|lines| lines.latency.is_some()),
            fuel: lines().any(|lines| lines.fuel.is_some()),
            allocations: lines().any(|lines| lines.allocations.is_some()),
        }
    }

    fn costs(&self, ledger: &Ledger, phase: Phase) -> PhaseCosts {
        let lines = ledger.phase(phase);
        let latency = || lines.latency.as_ref().map(|latency| rounded(latency.percentiles()));
        let total = lines.fuel.unwrap_or(0);
        let books = lines.allocations.unwrap_or_default();
        PhaseCosts {
            calls: lines.calls,
            latency_ns: self.time.then(|| latency().unwrap_or_default()),
            fuel: self.fuel.then(|| Fuel { total, per_call: per_call(total, lines.calls) }),
            host_calls: ledger.host_calls(phase),
            bytes_in: lines.bytes_in,
            bytes_out: lines.bytes_out,
            guest: self
                .allocations
                .then_some(GuestBooks { allocations: books.count, allocated_bytes: books.bytes }),
            pages_grown: lines.pages_grown,
        }
    }
}

fn heap(run: &Run) -> HeapUse {
    let books = run.heap.books;
    HeapUse {
        pages_initial: run.heap.pages_initial,
        pages_final: run.heap.pages_final,
        pages_peak: run.heap.pages_peak,
        live_bytes: books.map(|books| books.live),
        live_peak: books.map(|books| books.peak),
        arena_bytes: books.map(|books| books.arena),
        timeline: run.heap.timeline.clone(),
    }
}

fn vm(run: &Run) -> VmInfo {
    let reason = |crash: &Crash| VmCrash {
        request: crash.request,
        callback: crash.fault.callback.to_owned(),
        reason: crash.fault.reason.clone(),
        stack: crash.fault.stack.clone(),
    };
    VmInfo {
        created: run.vms,
        rebuilds: run.rebuilds,
        crashes: run.crashes.len() as u64,
        instantiate_ns: nanoseconds(run.instantiate),
        configure_ns: nanoseconds(run.configure),
        crash_reasons: run.crashes.iter().take(EXCERPT).map(reason).collect(),
    }
}

fn log(run: &Run) -> LogExcerpt {
    let mut levels = BTreeMap::new();
    for line in &run.log {
        *levels.entry(line.level.to_string()).or_insert(0) += 1;
    }
    let lines = run.log.iter().take(EXCERPT);
    LogExcerpt {
        lines: lines.map(|line| format!("{}: {}", line.level, line.message)).collect(),
        levels,
        dropped: run.log_dropped + run.log.len().saturating_sub(EXCERPT) as u64,
    }
}

/// Three decimals are more than any use, and read back exactly.
fn per_call(total: u64, calls: u64) -> f64 {
    if calls == 0 { 0.0 } else { (total as f64 / calls as f64 * 1_000.0).round() / 1_000.0 }
}

/// A mean of nanoseconds is worth no more than a decimal.
fn rounded(percentiles: Percentiles) -> Percentiles {
    Percentiles { mean: (percentiles.mean * 10.0).round() / 10.0, ..percentiles }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    #[test]
    fn a_phase_without_calls_costs_nothing_and_was_not_skipped() {
        let result = fixture::busy();
        let trailers = result.phase(Phase::RequestTrailers).unwrap();
        assert_eq!(trailers.calls, 0);
        assert_eq!(trailers.fuel, Some(Fuel { total: 0, per_call: 0.0 }));
        assert_eq!(trailers.latency_ns, Some(Percentiles::default()));
        assert_eq!(trailers.guest, Some(GuestBooks::default()));
    }

    #[test]
    fn a_repeated_trace_counts_every_time() {
        let traffic = Traffic::open("synth:upload,size=1KiB,requests=3").unwrap();
        let mut options = fixture::options();
        options.repeat = std::num::NonZeroUsize::new(4).unwrap();
        let context = fixture::context(&traffic, &options);
        assert_eq!(ResultFile::new(context, &Run::default()).traffic.requests, 12);
    }

    #[test]
    fn floods_are_cut_and_counted() {
        let mut run = fixture::broken_run();
        run.crashes = vec![run.crashes[0].clone(); 100];
        run.log = vec![run.log[0].clone(); 100];
        run.log_dropped = 7;
        let (traffic, options) = (Traffic::demo(), fixture::options());
        let result = ResultFile::new(fixture::context(&traffic, &options), &run);
        assert_eq!((result.vm.crashes, result.vm.crash_reasons.len()), (100, EXCERPT));
        let log = result.plugin_log;
        assert_eq!((log.lines.len(), log.dropped), (EXCERPT, 87));
        assert_eq!(log.levels.values().sum::<u64>(), 100);
    }

    #[cfg(feature = "wasm")]
    #[test]
    fn a_module_says_what_it_is() {
        let module = crate::module::tests::module(
            r#"(module
                (func (export "proxy_abi_version_0_2_1"))
                (@custom "chunkwise" "version=0.1.0\narena=64KiB\n"))"#,
        );
        let plugin = PluginInfo::of_module(&module);
        assert_eq!((plugin.path.as_str(), plugin.abi.as_deref()), ("plugin.wasm", Some("0.2.1")));
        assert_eq!(plugin.bytes, Some(module.bytes.len() as u64));
        let sdk = plugin.sdk.unwrap();
        assert_eq!((sdk.name.as_str(), sdk.version.as_deref()), ("chunkwise", Some("0.1.0")));
        assert_eq!(sdk.settings["arena"], "64KiB");
    }
}
