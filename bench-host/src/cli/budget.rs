//! `bench-host limits`: what fits a budget. Options that stop a plugin are in `limits.rs`.

use std::fs;
use std::io::IsTerminal as _;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use bytes::Bytes;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::Failure;
use super::host::{HostArguments, variable};
use super::limits::LimitArguments;
use super::replay::{prepare, read, size, workers};
use crate::budget::{BudgetFile, Kind, Load, Question, csv, sweep, text};
use crate::engine::wasm::{WASMTIME_VERSION, WasmPlugin};
use crate::host::{Measure, Profile, Settings};
use crate::module::Module;
use crate::replay::Options;
use crate::report::{HostInfo, PluginInfo, cpu};
use crate::units::{format_bytes, parse_size};

/// Find the largest buffer limit and the most streams at once that fit a budget of memory.
///
/// Sweeps body size, buffer limit and streams at once, and reads linear memory at each point. The
/// budget is for the VMs of all workers; what the proxy itself holds comes on top.
#[derive(Debug, Args)]
#[command(after_help = "Example: cargo bench-host limits plugin.wasm --budget 64MiB --workers 4 \
                        --kind json --path /v1/chat/completions --config config.json")]
pub(super) struct Arguments {
    /// The module.
    plugin: PathBuf,
    /// Linear memory that the VMs of all workers may have together.
    #[arg(long, value_name = "SIZE", value_parser = budget)]
    budget: u64,
    /// Workers, each with a VM; one is measured.
    #[arg(long, value_name = "N", default_value = "1", value_parser = workers)]
    workers: NonZeroUsize,
    /// The kind of requests.
    #[arg(long, value_name = "KIND", default_value = "echo")]
    kind: Kind,
    /// The path of the requests, instead of that of their kind.
    #[arg(long, value_name = "PATH")]
    path: Option<String>,
    /// A header of the requests; may be given several times.
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    header: Vec<(String, String)>,
    /// The plugin's configuration, passed as it is.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Which host to be.
    #[arg(long, value_name = "HOST", default_value = "envoy")]
    host: Profile,
    /// The buffer limit for which the most streams are wanted [default: 1MiB for envoy, 32KiB for
    /// higress].
    #[arg(long, value_name = "SIZE", value_parser = size)]
    buffer_limit: Option<NonZeroUsize>,
    /// The largest buffer limit that is tried.
    #[arg(long, value_name = "SIZE", default_value = "16MiB", value_parser = size)]
    most_limit: NonZeroUsize,
    /// The most streams at once that are tried.
    #[arg(long, value_name = "N", default_value = "64")]
    most_streams: NonZeroUsize,
    /// The longest chunk of bodies.
    #[arg(long, value_name = "SIZE", default_value = "16KiB", value_parser = size)]
    chunk: NonZeroUsize,
    /// Write the result as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write every point that was measured as CSV.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    #[command(flatten)]
    around: HostArguments,
    #[command(flatten)]
    limits: LimitArguments,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let module = Module::read(&arguments.plugin)?;
    let mut options = Options::new(Settings::new(arguments.host));
    options.configuration = arguments.config.as_deref().map_or(Ok(Bytes::new()), read)?;
    options.chunk = arguments.chunk;
    options.measure = Measure { time: false, usage: true };
    arguments.around.apply(&mut options)?;
    arguments.limits.apply(&mut options.settings);
    prepare(&module, &mut options)?;
    options.settings.buffer_limit = arguments.buffer_limit.map(NonZeroUsize::get);
    let usual = options.settings.http1_buffer_limit() as u64;
    let question = Question {
        budget: arguments.budget,
        workers: arguments.workers,
        most_limit: (arguments.most_limit.get() as u64).max(usual),
        most_streams: arguments.most_streams,
        usual_limit: usual,
    };
    let lower = |(name, value): &(String, String)| (name.to_ascii_lowercase(), value.clone());
    let load = Load {
        kind: arguments.kind,
        path: arguments.path.clone(),
        headers: arguments.header.iter().map(lower).collect(),
    };
    // Before the plugin is compiled: a body of this kind and length may not exist.
    load.traffic(question.most_limit.min(16 * 1024), 1)?;
    let plugin = WasmPlugin::compile(&module.bytes, arguments.limits.limits())?;
    let bar = progress();
    let swept = sweep(&plugin, &options, &load, &question, &|streams, limit| {
        bar.set_message(format!("streams {streams}, buffer limit {}", format_bytes(limit)));
        bar.inc(1);
    })?;
    bar.finish_and_clear();
    let host = HostInfo::new(arguments.host.name(), ("wasmtime", WASMTIME_VERSION), &cpu());
    let file = BudgetFile::new((PluginInfo::of_module(&module), host), &load, &question, swept);
    if let Some(path) = &arguments.json {
        fs::write(path, file.to_json()).map_err(|error| Failure::file("write", path, &error))?;
    }
    if let Some(path) = &arguments.csv {
        let points = csv(&file.points);
        fs::write(path, points).map_err(|error| Failure::file("write", path, &error))?;
    }
    super::print(&text(&file))?;
    for point in &file.points {
        if let Some(crash) = &point.crash {
            let (path, body) = (module.path.display(), format_bytes(point.body_bytes));
            return Err(Failure::Plugin(format!("{path}: with bodies of {body}: {crash}")));
        }
    }
    if file.fits() {
        return Ok(());
    }
    let budget = format_bytes(file.budget_bytes);
    Err(Failure::Gate(format!("the budget of {budget} is passed over by the least of all limits")))
}

fn budget(text: &str) -> Result<u64, String> {
    match parse_size(text).map_err(|error| error.to_string())? {
        0 => Err("must not be zero".to_owned()),
        budget => Ok(budget),
    }
}

fn progress() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} point {pos}: {msg} {elapsed}");
    ProgressBar::new_spinner()
        .with_style(style.expect("the template is a constant that the tests draw"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_progress_template_is_valid() {
        let template = "{spinner} point {pos}: {msg} {elapsed}";
        assert!(indicatif::ProgressStyle::with_template(template).is_ok());
    }

    #[test]
    fn budgets_are_sizes() {
        assert_eq!(super::budget("64MiB"), Ok(64 << 20));
        assert!(super::budget("0").is_err() && super::budget("much").is_err());
    }
}
