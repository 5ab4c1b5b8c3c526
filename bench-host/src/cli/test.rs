//! `bench-host test`

use std::fs;
use std::io::IsTerminal as _;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::time::Instant;

use bytes::Bytes;
use clap::Args;

use super::Failure;
use super::limits::LimitArguments;
use super::replay::LogLevel;
use crate::engine::wasm::WasmPlugin;
use crate::host::{Profile, Settings};
use crate::module::{AbiVersion, Module};
use crate::report::numbers::counted;
use crate::suite::output::{self, Paint};
use crate::suite::{CaseResult, Plugins, RunOptions, Suite, SuiteError};

/// Run a suite of expected results against a plugin.
///
/// Each case runs in a fresh VM. The name of the suite says in which format it is: .toml is ours,
/// and .textpb, .textproto and .prototxt are that of Google's service-extensions plugin tests.
#[derive(Debug, Args)]
#[command(after_help = "Example: cargo bench-host test plugin.wasm tests.textpb --config \
                        config.json --junit results.xml\n\n\
                        Exit codes: 0 all passed, 2 bad usage or a bad suite, 3 a case came out \
                        otherwise than expected, 4 the plugin trapped or did not start in a case.")]
pub(super) struct Arguments {
    /// The module; may be left out where the suite names one (`env.wasm_path`).
    #[arg(value_name = "PLUGIN")]
    first: PathBuf,
    /// The suite.
    #[arg(value_name = "SUITE")]
    second: Option<PathBuf>,
    /// The plugin's configuration, passed as it is, instead of what the suite says.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Which host to be, instead of what the suite says [default: envoy].
    #[arg(long, value_name = "HOST")]
    host: Option<Profile>,
    /// StopIteration of header callbacks is what it says up to ABI 0.2.1 too, as with
    /// allow_on_headers_stop_iteration in the plugin's configuration (Envoy 1.35 on); whatever the
    /// suite says.
    #[arg(long)]
    allow_stop_iteration: bool,
    /// Run only cases whose name contains this.
    #[arg(long, value_name = "SUBSTRING")]
    filter: Option<String>,
    /// Print the names of the cases and run none.
    #[arg(long)]
    list: bool,
    /// The least level of plugin log lines that are kept, instead of what the suite says [default:
    /// info].
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<LogLevel>,
    /// Do not run cases as benchmarks.
    #[arg(long)]
    no_bench: bool,
    /// Iterations of each benchmark [default: half a second, and at least 100].
    #[arg(long, value_name = "N")]
    iterations: Option<NonZeroU64>,
    /// Write the results as JUnit XML.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write the results as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    #[command(flatten)]
    limits: LimitArguments,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let (plugin, suite) = match &arguments.second {
        Some(suite) => (Some(&arguments.first), suite),
        None => (None, &arguments.first),
    };
    let suite = Suite::read(suite)?;
    let all = suite.cases();
    let wanted = |name: &str| arguments.filter.as_ref().is_none_or(|part| name.contains(part));
    let chosen: Vec<usize> = (0..all.len()).filter(|at| wanted(all[*at].name)).collect();
    if arguments.list {
        let lines = chosen.iter().map(|at| match all[*at] {
            case if case.benchmark => format!("{}: test, benchmark\n", case.name),
            case => format!("{}: test\n", case.name),
        });
        let total = format!("\n{}\n", counted(chosen.len() as u64, "test", "tests"));
        return super::print(&(lines.collect::<String>() + &total));
    }
    let module = module(plugin, &suite)?;
    let refused = module.facts.not_offered();
    if !refused.is_empty() {
        let names = refused.join(", ");
        eprintln!("warning: imports that no proxy offers, so proxies refuse the module: {names}");
    }
    let options = options(arguments, &suite, &module)?;
    let limits = arguments.limits.limits();
    let counted = WasmPlugin::compile(&module.bytes, limits)?;
    let benchmarks = !arguments.no_bench && chosen.iter().any(|at| all[*at].benchmark);
    let timed = if benchmarks {
        Some(WasmPlugin::compile(&module.bytes, limits.uncounted())?)
    } else {
        None
    };
    let plugins = Plugins { counted: &counted, timed: timed.as_ref().map(|timed| timed as _) };

    let paint = Paint(std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none());
    let start = Instant::now();
    super::print(&format!("\n{}", output::headline(chosen.len())))?;
    let mut results = Vec::new();
    for at in &chosen {
        let Some(result) = suite.run(*at, plugins, &options) else { continue };
        super::print(&output::line(&result, paint))?;
        results.push(result);
    }
    write_files(arguments, suite.path(), &results)?;
    super::print(&output::failures(suite.path(), &results, paint))?;
    super::print(&output::benches(&results))?;
    let left_out = all.len() - chosen.len();
    super::print(&output::verdict(&results, left_out, start.elapsed(), paint))?;
    verdict(&results)
}

/// The module of the command line, or the one that the suite names.
fn module(plugin: Option<&PathBuf>, suite: &Suite) -> Result<Module, Failure> {
    let path = match plugin {
        Some(path) => path.clone(),
        None => suite.find(&suite.plugin().ok_or_else(|| {
            Failure::Input(format!(
                "{} names no plugin: run `bench-host test <plugin.wasm> <suite>`",
                suite.path().display()
            ))
        })?),
    };
    let module = Module::read(&path)?;
    module
        .facts
        .loadable()
        .map_err(|error| Failure::Input(format!("{}: {error}", path.display())))?;
    Ok(module)
}

fn options(arguments: &Arguments, suite: &Suite, module: &Module) -> Result<RunOptions, Failure> {
    let configuration =
        arguments.config.clone().or_else(|| suite.configuration().map(|path| suite.find(&path)));
    let read = |path: PathBuf| {
        fs::read(&path).map(Bytes::from).map_err(|error| Failure::file("read", &path, &error))
    };
    let mut adapted = Settings::new(Profile::Envoy);
    adapted.adapt_to(&module.facts);
    Ok(RunOptions {
        configuration: configuration.map(read).transpose()?,
        log_level: arguments.log_level.map(Into::into),
        profile: arguments.host,
        allow_stop_iteration: arguments.allow_stop_iteration,
        iterations: arguments.iterations,
        abi_0_2_100: module.facts.abi == Some(AbiVersion::V0_2_100),
        stop_is_single: !adapted.stop_is_stop_all,
        absent_header_is_empty: adapted.absent_header_is_empty,
    })
}

fn write_files(arguments: &Arguments, suite: &Path, results: &[CaseResult]) -> Result<(), Failure> {
    let write = |path: &Path, content: String| {
        fs::write(path, content).map_err(|error| Failure::file("write", path, &error))
    };
    if let Some(path) = &arguments.junit {
        write(path, output::junit(suite, results).map_err(Failure::Own)?)?;
    }
    if let Some(path) = &arguments.json {
        write(path, output::json(suite, results))?;
    }
    Ok(())
}

fn verdict(results: &[CaseResult]) -> Result<(), Failure> {
    let crashed = results.iter().filter(|result| result.crash.is_some()).count() as u64;
    let failed = results.iter().filter(|result| !result.passed()).count() as u64;
    match (crashed, failed) {
        (0, 0) => Ok(()),
        (0, failed) => {
            let failed = counted(failed, "case", "cases");
            Err(Failure::Gate(format!("{failed} came out otherwise than expected")))
        }
        (crashed, _) => {
            let crashed = counted(crashed, "case", "cases");
            Err(Failure::Plugin(format!("the plugin failed in {crashed}")))
        }
    }
}

impl From<SuiteError> for Failure {
    fn from(error: SuiteError) -> Self {
        Self::Input(error.to_string())
    }
}
