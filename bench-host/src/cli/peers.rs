//! `bench-host peers`

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use clap::Args;

use super::Failure;
use super::passes::Passes;
use super::replay::measured;
use crate::engine::wasm::Limits;
use crate::guest_build;
use crate::host::{Profile, Settings};
use crate::measure::Phase;
use crate::module::Module;
use crate::replay::Options;
use crate::report::{ResultFile, comparison};
use crate::traffic::Traffic;

/// Build the same plugin by hand, with the SDK and on the crate proxy-wasm, and compare them.
///
/// Prints one table for each kind of traffic, and writes the tables (peers.md) and their numbers
/// (peers.csv) into a folder. The first plugin, written by hand on the raw ABI, is the yardstick.
/// Times are those of the fastest of seven rounds.
#[derive(Debug, Args)]
#[command(after_help = "Example: cargo bench-host peers")]
pub(super) struct Arguments {
    /// Where the tables and their numbers go.
    #[arg(long, value_name = "DIR", default_value = "results")]
    into: PathBuf,
}

/// Examples that do the same thing; their configurations hold the same rule.
const PEERS: [(&str, &str); 3] = [
    ("floor", include_str!("../../../examples/floor/config.json")),
    ("replace", include_str!("../../../examples/replace/config.json")),
    ("baseline", include_str!("../../../examples/baseline/config.json")),
];

/// What is replayed through each of them: 4 096 chunks.
const WORKLOADS: [(&str, &str); 2] = [
    ("16 KiB chunks, nothing to replace", "synth:upload,size=64MiB,chunk=16KiB"),
    (
        "16 KiB chunks, about one match in each",
        "synth:upload,size=64MiB,chunk=16KiB,needle=http://,every=16KiB",
    ),
];

/// How often each of them is measured.
const ROUNDS: usize = 7;

const CSV_HEAD: &str = "workload,plugin,chunks,fuel_per_chunk,host_calls_per_chunk,\
                        bytes_in_per_chunk,bytes_out_per_chunk,allocations_per_chunk,p50_ns,\
                        mean_ns,pages_final,module_bytes,cpu\n";

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut modules = Vec::new();
    for (example, configuration) in PEERS {
        eprintln!("building examples/{example} for {}", guest_build::TARGET);
        let module = Module::read(&guest_build::build(example, &[])?)?;
        modules.push((example, module, Bytes::from_static(configuration.as_bytes())));
    }
    let mut tables = String::new();
    let mut csv = CSV_HEAD.to_owned();
    for (workload, source) in WORKLOADS {
        let traffic = Traffic::open(source)?;
        // In turns, and the fastest of each: what a machine does beside it comes and goes, and
        // only ever adds time. Everything else is the same in every round.
        let mut results: Vec<(&str, ResultFile)> = Vec::new();
        for _ in 0..ROUNDS {
            for (at, (example, module, configuration)) in modules.iter().enumerate() {
                let result = measure(module, configuration, &traffic)?;
                match results.get_mut(at) {
                    None => results.push((example, result)),
                    Some((_, best)) if mean(&result) < mean(best) => *best = result,
                    Some(_) => {}
                }
            }
        }
        for (example, result) in &results {
            csv.extend(csv_line(workload, example, result));
        }
        let results: Vec<_> = results.iter().map(|(name, result)| (*name, result)).collect();
        // Writing to a string cannot fail.
        let _ = writeln!(tables, "**{workload}** (`{source}`), {}", comparison(&results));
    }
    super::print(&tables)?;
    write(&arguments.into, "peers.md", &tables)?;
    write(&arguments.into, "peers.csv", &csv)
}

fn measure(
    module: &Module,
    configuration: &Bytes,
    traffic: &Traffic,
) -> Result<ResultFile, Failure> {
    let mut options = Options::new(Settings::new(Profile::Envoy));
    options.configuration = configuration.clone();
    let passes = Passes { fuel: true, wall: true, limits: Limits::COUNTED };
    let (result, crash) = measured(module, traffic, options, passes)?;
    crash.map_or(Ok(result), Err)
}

/// Nanoseconds that a chunk took on average.
fn mean(result: &ResultFile) -> f64 {
    let latency = result.phase(Phase::RequestBody).and_then(|costs| costs.latency_ns);
    latency.map_or(f64::INFINITY, |latency| latency.mean)
}

fn csv_line(workload: &str, example: &str, result: &ResultFile) -> Option<String> {
    let costs = result.phase(Phase::RequestBody)?;
    let per_chunk = |total: u64| total as f64 / costs.calls.max(1) as f64;
    let latency = costs.latency_ns.unwrap_or_default();
    Some(format!(
        "\"{workload}\",{example},{},{:.1},{:.4},{:.1},{:.1},{:.4},{},{:.0},{},{},\"{}\"\n",
        costs.calls,
        costs.fuel.map_or(0.0, |fuel| fuel.per_call),
        per_chunk(costs.host_call_count()),
        per_chunk(costs.bytes_in),
        per_chunk(costs.bytes_out),
        per_chunk(costs.guest.map_or(0, |books| books.allocations)),
        latency.p50,
        latency.mean,
        result.heap.pages_final,
        result.plugin.bytes.unwrap_or_default(),
        result.host.cpu,
    ))
}

fn write(folder: &Path, name: &str, text: &str) -> Result<(), Failure> {
    let path = folder.join(name);
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&path, text))
        .map_err(|error| Failure::file("write", &path, &error))
}
