//! Suites of expected results, in two formats: ours in TOML, and that of Google's
//! service-extensions plugin tests.
//!
//! `docs/suites.md` describes both. A [`Suite`] is read from a file and runs its cases one by one,
//! each in a fresh VM.

mod bench;
mod case;
mod error;
pub mod output;
mod place;
mod re2;
mod session;
mod text_format;
mod textproto;

use std::fmt;
use std::fs;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use bytes::Bytes;

pub use bench::{Bench, BenchPhase};
pub use case::{CaseResult, Difference, Failure};
pub use error::SuiteError;
pub use place::{Place, Problem};

use crate::engine::Plugin;
use crate::host::{GivenProperties, Level, Profile, Settings};
use session::Setup;

/// Cases, read from a file.
#[derive(Debug)]
pub struct Suite {
    path: PathBuf,
    folder: PathBuf,
    format: Format,
}

#[derive(Debug)]
enum Format {
    Textproto(textproto::TestSuite),
}

/// A case, as far as a list shows it.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// Its name.
    pub name: &'a str,
    /// Where in the suite it stands.
    pub at: Place,
    /// Whether it is a benchmark too.
    pub benchmark: bool,
}

/// How cases are run; each option goes before what the suite says.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// The plugin's configuration.
    pub configuration: Option<Bytes>,
    /// The least level of log lines that are kept.
    pub log_level: Option<Level>,
    /// The proxy to be.
    pub profile: Option<Profile>,
    /// Iterations of a benchmark; else as many as half a second has, and at least 100.
    pub iterations: Option<NonZeroU64>,
    /// Whether the plugin declares ABI 0.2.100, which only Higress has.
    pub abi_0_2_100: bool,
}

/// What runs cases: the plugin in VMs that count instructions and stop what does not end, and for
/// benchmarks in VMs that do neither.
#[derive(Clone, Copy)]
pub struct Plugins<'a> {
    /// For the cases, and for counting.
    pub counted: &'a dyn Plugin,
    /// For taking time; without it there are no benchmarks.
    pub timed: Option<&'a dyn Plugin>,
}

impl fmt::Debug for Plugins<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugins").finish_non_exhaustive()
    }
}

impl Suite {
    /// Reads a suite; the name of the file says in which format it is.
    ///
    /// # Errors
    /// [`SuiteError`], with every place at which something is wrong.
    pub fn read(path: &Path) -> Result<Self, SuiteError> {
        let extension = path.extension().and_then(|extension| extension.to_str());
        let read = match extension {
            Some("textpb" | "textproto" | "prototxt" | "pbtxt" | "txtpb") => {
                |text: &str| textproto::read(text).map(Format::Textproto)
            }
            _ => return Err(SuiteError::UnknownFormat(path.to_owned())),
        };
        let bytes =
            fs::read(path).map_err(|source| SuiteError::Read { path: path.to_owned(), source })?;
        let text = String::from_utf8(bytes).map_err(|_| SuiteError::NotText(path.to_owned()))?;
        let format = read(&text)
            .map_err(|problems| SuiteError::Invalid { path: path.to_owned(), problems })?;
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        Ok(Self { path: path.to_owned(), folder, format })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The plugin that the suite names, as it does.
    pub fn plugin(&self) -> Option<PathBuf> {
        let Format::Textproto(suite) = &self.format;
        named(&suite.env.wasm_path)
    }

    /// The file of the plugin's configuration that the suite names, as it does.
    pub fn configuration(&self) -> Option<PathBuf> {
        let Format::Textproto(suite) = &self.format;
        named(&suite.env.config_path)
    }

    /// A file that the suite names: from its own folder, or from the current one.
    pub fn find(&self, name: &Path) -> PathBuf {
        let beside = self.folder.join(name);
        if beside.exists() { beside } else { name.to_owned() }
    }

    /// The cases in order.
    pub fn cases(&self) -> Vec<Case<'_>> {
        let Format::Textproto(suite) = &self.format;
        let tests = suite.tests.iter();
        tests
            .map(|test| Case { name: &test.name, at: test.at, benchmark: test.benchmark })
            .collect()
    }

    /// Runs a case, by its place in the list; `None` where there is none.
    pub fn run(
        &self,
        number: usize,
        plugins: Plugins<'_>,
        options: &RunOptions,
    ) -> Option<CaseResult> {
        let Format::Textproto(suite) = &self.format;
        let test = suite.tests.get(number)?;
        Some(self.run_test(test, &suite.env, plugins, options))
    }

    fn run_test(
        &self,
        test: &textproto::Test,
        env: &textproto::Env,
        plugins: Plugins<'_>,
        options: &RunOptions,
    ) -> CaseResult {
        let mut setup = textproto_setup(test, env, options);
        let mut result = textproto::run(test, plugins.counted, &setup, &self.folder);
        if let Some(timed) = plugins.timed.filter(|_| test.benchmark && result.passed())
            && let Ok(inputs) = textproto::Inputs::of(test, &self.folder)
        {
            let mut work = textproto::Repeated::new(inputs, env);
            setup.whole_log = false;
            match bench::bench(plugins.counted, timed, &setup, options.iterations, &mut work) {
                Ok(bench) => result.bench = Some(bench),
                Err(error) => result.crash = Some(format!("in the benchmark: {error}")),
            }
        }
        result
    }
}

fn named(path: &str) -> Option<PathBuf> {
    (!path.is_empty()).then(|| PathBuf::from(path))
}

/// The time that plugins see where the suite does not say one: the first millisecond there was,
/// because some language runtimes take 0 for a clock that does not work.
const FIRST_MILLISECOND: u64 = 1_000_000;

fn textproto_setup(test: &textproto::Test, env: &textproto::Env, options: &RunOptions) -> Setup {
    let mut settings = Settings::new(options.profile.unwrap_or(Profile::Envoy));
    settings.stop_is_stop_all = !options.abi_0_2_100;
    let configured = env.log_level.checked_sub(1).and_then(Level::from_abi);
    settings.log_level = options.log_level.or(configured).unwrap_or(Level::Info);
    let frozen = match env.time_secs {
        0 => FIRST_MILLISECOND,
        seconds => seconds.saturating_mul(1_000_000_000),
    };
    let values = test.properties.iter().cloned().collect();
    Setup {
        settings,
        configuration: options.configuration.clone().unwrap_or_default(),
        frozen: Some(frozen),
        properties: Some(GivenProperties { values, only: true }),
        whole_log: true,
    }
}
