//! `bench-host replay`

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use clap::{Args, ValueEnum};

use super::Failure;
use super::host::HostArguments;
use super::limits::LimitArguments;
use super::passes::Passes;
use crate::engine::wasm::WASMTIME_VERSION;
use crate::host::{Level, Profile, Settings};
use crate::module::{AbiVersion, Module};
use crate::replay::{Options, Run};
use crate::report::{Context, PluginInfo, ResultFile, cpu, table};
use crate::traffic::{SYNTH_HELP, Traffic};
use crate::units::parse_size;

/// Replay traffic through a plugin, and print what every phase cost.
///
/// The traffic is replayed twice: once counting instructions, host calls, bytes, allocations and
/// pages, which are the same in every run on every machine, and once taking time.
#[derive(Debug, Args)]
#[command(after_help = "Example: cargo bench-host replay plugin.wasm --traffic site.har \
                        --config config.json --chunk 16KiB --json result.json")]
pub(super) struct Arguments {
    /// The module.
    plugin: PathBuf,
    #[command(flatten)]
    traffic: TrafficArguments,
    /// The plugin's configuration, passed as it is.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Which host to be.
    #[arg(long, value_name = "HOST", default_value = "envoy")]
    host: Profile,
    /// Bytes that each direction of a stream may hold [default: 1MiB for envoy, 32KiB for higress,
    /// where HTTP/2 has 64KiB].
    #[arg(long, value_name = "SIZE", value_parser = size)]
    buffer_limit: Option<NonZeroUsize>,
    /// VMs, each on a thread of its own.
    #[arg(long, value_name = "N", default_value = "1", value_parser = workers)]
    workers: NonZeroUsize,
    /// Requests a second, instead of as fast as it goes; latency counts from when a request was
    /// due.
    #[arg(long, value_name = "R", value_parser = rate)]
    rate: Option<f64>,
    /// The least level of plugin log lines that are kept.
    #[arg(long, value_name = "LEVEL", default_value = "warn")]
    log_level: LogLevel,
    /// Skip the pass that counts instructions.
    #[arg(long)]
    no_fuel: bool,
    /// Skip the pass that takes time.
    #[arg(long)]
    no_wall: bool,
    /// Write what upstream and downstream would have received: one file for each request and
    /// direction, and an index.
    #[arg(long, value_name = "DIR")]
    outputs: Option<PathBuf>,
    /// Write the result as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    #[command(flatten)]
    around: HostArguments,
    #[command(flatten)]
    limits: LimitArguments,
}

/// What is replayed and how it is cut.
#[derive(Debug, Args)]
pub(super) struct TrafficArguments {
    /// Traffic: HAR 1.2, Envoy's tap output or JSON lines, by content, or a generator (synth:…).
    #[arg(long = "traffic", value_name = "FILE", long_help = TRAFFIC_HELP.as_str())]
    pub source: String,
    /// The longest chunk of bodies whose chunks were not recorded.
    #[arg(long, value_name = "SIZE", default_value = "16KiB", value_parser = size)]
    pub chunk: NonZeroUsize,
    /// Streams that are open at once in a VM; their callbacks alternate.
    #[arg(long, value_name = "N", default_value = "1")]
    pub streams: NonZeroUsize,
    /// Repetitions of the whole trace in the same VM.
    #[arg(long, value_name = "N", default_value = "1")]
    pub repeat: NonZeroUsize,
}

static TRAFFIC_HELP: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| {
    format!(
        "Traffic: HAR 1.2, output of Envoy's tap filter (a file, or a folder of them) or JSON \
         lines, by content, or a generator.\n\n{SYNTH_HELP}"
    )
});

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum LogLevel {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Critical,
}

impl From<LogLevel> for Level {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Trace => Self::Trace,
            LogLevel::Debug => Self::Debug,
            LogLevel::Info => Self::Info,
            LogLevel::Warn => Self::Warn,
            LogLevel::Error => Self::Error,
            LogLevel::Critical => Self::Critical,
        }
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let module = Module::read(&arguments.plugin)?;
    let configuration = match &arguments.config {
        Some(path) => read(path)?,
        None => Bytes::new(),
    };
    let traffic = Traffic::open(&arguments.traffic.source)?;
    let mut options = Options::new(Settings::new(arguments.host));
    if let Some(limit) = arguments.buffer_limit {
        options.settings.buffer_limit = Some(limit.get());
    }
    options.settings.log_level = arguments.log_level.into();
    options.configuration = configuration;
    arguments.around.apply(&mut options)?;
    options.workers = arguments.workers;
    options.rate = arguments.rate;
    options.outputs.clone_from(&arguments.outputs);
    options.chunk = arguments.traffic.chunk;
    options.streams = arguments.traffic.streams;
    options.repeat = arguments.traffic.repeat;
    arguments.limits.apply(&mut options.settings);
    let passes = Passes {
        fuel: !arguments.no_fuel,
        wall: !arguments.no_wall,
        limits: arguments.limits.limits(),
    };
    let (result, crash) = measured(&module, &traffic, options, passes).map_err(|failure| {
        match (failure, &arguments.config) {
            // Whoever wrote the file wants to know which one it was.
            (Failure::Configuration(message), Some(path)) => {
                Failure::Configuration(format!("{}: {message}", path.display()))
            }
            (Failure::Configuration(message), None) => {
                Failure::Configuration(format!("{message} (there is no --config)"))
            }
            (failure, _) => failure,
        }
    })?;
    if let Some(path) = &arguments.json {
        let json = result.to_json();
        fs::write(path, json).map_err(|error| Failure::file("write", path, &error))?;
    }
    super::print(&table::text(&result))?;
    crash.map_or(Ok(()), Err)
}

/// Checks that the proxy takes the module, and lets its settings follow from what that declares.
pub(super) fn prepare(module: &Module, options: &mut Options) -> Result<(), Failure> {
    module
        .facts
        .loadable()
        .map_err(|error| Failure::Input(format!("{}: {error}", module.path.display())))?;
    let settings = &mut options.settings;
    if module.facts.abi == Some(AbiVersion::V0_2_100) && settings.profile == Profile::Envoy {
        return Err(Failure::Input(format!(
            "{}: it declares ABI 0.2.100, which a stock Envoy does not load; \
             use --host higress, or build the plugin without that ABI",
            module.path.display()
        )));
    }
    settings.adapt_to(&module.facts);
    Ok(())
}

/// Replays, and makes the result of it; the failure beside it is that of a plugin that crashed.
pub(super) fn measured(
    module: &Module,
    traffic: &Traffic,
    mut options: Options,
    passes: Passes,
) -> Result<(ResultFile, Option<Failure>), Failure> {
    prepare(module, &mut options)?;
    // With several plugins about, it matters which one failed.
    let named = |failure| match failure {
        Failure::Plugin(message) => {
            Failure::Plugin(format!("{}: {message}", module.path.display()))
        }
        failure => failure,
    };
    let run = passes.run(module, traffic, &options).map_err(named)?;
    let context = Context {
        plugin: PluginInfo::of_module(module),
        engine: "wasmtime",
        engine_version: WASMTIME_VERSION,
        cpu: &cpu(),
        traffic,
        options: &options,
    };
    Ok((ResultFile::new(context, &run), crashed(&run).map(named)))
}

pub(super) fn crashed(run: &Run) -> Option<Failure> {
    let crash = run.crashes.first()?;
    let times = match run.crashes.len() {
        1 => String::new(),
        times => format!("\n({times} crashes in all)"),
    };
    let request = crash.request.map_or_else(String::new, |n| format!("request {n}: "));
    Some(Failure::Plugin(format!("{request}{}{times}", crash.fault)))
}

pub(super) fn read(path: &Path) -> Result<Bytes, Failure> {
    fs::read(path).map(Bytes::from).map_err(|error| Failure::file("read", path, &error))
}

pub(super) fn size(text: &str) -> Result<NonZeroUsize, String> {
    let size = parse_size(text).map_err(|error| error.to_string())?;
    let size = usize::try_from(size).map_err(|_| "too large for this machine".to_owned())?;
    NonZeroUsize::new(size).ok_or_else(|| "must not be zero".to_owned())
}

pub(super) fn workers(text: &str) -> Result<NonZeroUsize, String> {
    /// More threads than any proxy has.
    const MOST: usize = 1_024;
    let workers: NonZeroUsize = text.parse().map_err(|_| "not a number above zero".to_owned())?;
    if workers.get() <= MOST { Ok(workers) } else { Err(format!("must be at most {MOST}")) }
}

fn rate(text: &str) -> Result<f64, String> {
    /// One request in a quarter of an hour.
    const LEAST: f64 = 0.001;
    let rate: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if rate.is_finite() && rate >= LEAST {
        Ok(rate)
    } else {
        Err(format!("must be a number from {LEAST} on"))
    }
}
