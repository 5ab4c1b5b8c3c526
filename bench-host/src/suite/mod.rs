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
mod run;
mod session;
mod text_format;
mod textproto;
mod toml;

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
use crate::host::{Level, Profile, Settings};

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
    Toml(toml::File),
}

/// Reads a text in one of the formats.
type Read = fn(&str) -> Result<Format, Vec<Problem>>;

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
    /// `StopIteration` of header callbacks is what it says, whatever the ABI and the suite.
    pub allow_stop_iteration: bool,
    /// Iterations of a benchmark; else as many as half a second has, and at least 100.
    pub iterations: Option<NonZeroU64>,
    /// Whether the plugin declares ABI 0.2.100, which only Higress has.
    pub abi_0_2_100: bool,
    /// Whether `StopIteration` of the plugin's header callbacks is what it says.
    pub stop_is_single: bool,
    /// Whether no header is missing for the plugin, as under ABI 0.1.0.
    pub absent_header_is_empty: bool,
}

impl RunOptions {
    fn adapt(&self, settings: &mut Settings) {
        settings.stop_is_stop_all = !self.stop_is_single;
        settings.allow_stop_iteration = self.allow_stop_iteration;
        settings.absent_header_is_empty = self.absent_header_is_empty;
    }
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
        let read = Self::format(path)?;
        let bytes =
            fs::read(path).map_err(|source| SuiteError::Read { path: path.to_owned(), source })?;
        Self::of(path, bytes, read)
    }

    /// Reads a suite that is in memory; `path` names it in messages and says in which format it is.
    /// Files that it names are looked for beside it.
    ///
    /// # Errors
    /// [`SuiteError`], with every place at which something is wrong.
    pub fn parse(path: &Path, bytes: Vec<u8>) -> Result<Self, SuiteError> {
        Self::of(path, bytes, Self::format(path)?)
    }

    /// What reads files of such a name.
    fn format(path: &Path) -> Result<Read, SuiteError> {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("toml") => Ok(|text| toml::read(text).map(Format::Toml)),
            Some("textpb" | "textproto" | "prototxt" | "pbtxt" | "txtpb") => {
                Ok(|text| textproto::read(text).map(Format::Textproto))
            }
            _ => Err(SuiteError::UnknownFormat(path.to_owned())),
        }
    }

    fn of(path: &Path, bytes: Vec<u8>, read: Read) -> Result<Self, SuiteError> {
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
        match &self.format {
            Format::Textproto(suite) => named(&suite.env.wasm_path),
            Format::Toml(file) => file.plugin.clone(),
        }
    }

    /// The file of the plugin's configuration that the suite names, as it does.
    pub fn configuration(&self) -> Option<PathBuf> {
        match &self.format {
            Format::Textproto(suite) => named(&suite.env.config_path),
            // Each case reads its own.
            Format::Toml(_) => None,
        }
    }

    /// A file that the suite names: from its own folder, or from the current one.
    pub fn find(&self, name: &Path) -> PathBuf {
        let beside = self.folder.join(name);
        if beside.exists() { beside } else { name.to_owned() }
    }

    /// The cases in order.
    pub fn cases(&self) -> Vec<Case<'_>> {
        match &self.format {
            Format::Textproto(suite) => suite
                .tests
                .iter()
                .map(|test| Case { name: &test.name, at: test.at, benchmark: test.benchmark })
                .collect(),
            Format::Toml(file) => file
                .cases
                .iter()
                .map(|case| Case { name: &case.name, at: case.at, benchmark: case.benchmark })
                .collect(),
        }
    }
}

fn named(path: &str) -> Option<PathBuf> {
    (!path.is_empty()).then(|| PathBuf::from(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The blocks of a document that are in a language.
    fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
        let fence = format!("```{language}\n");
        text.split(&fence).skip(1).filter_map(|rest| Some(rest.split_once("\n```")?.0)).collect()
    }

    #[test]
    fn the_examples_of_the_documentation_are_suites() {
        let text = include_str!("../../../docs/suites.md");
        let (ours, google) = (blocks(text, "toml"), blocks(text, "textproto"));
        assert_eq!((ours.len(), google.len()), (1, 1));
        assert_eq!(toml::read(ours[0]).unwrap().cases.len(), 1);
        assert_eq!(textproto::read(google[0]).unwrap().tests.len(), 1);
        let suite = Suite::parse(Path::new("a/b.toml"), ours[0].into()).unwrap();
        assert_eq!((suite.cases().len(), suite.folder), (1, PathBuf::from("a")));
    }
}
