//! Why a suite cannot be run.

use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;

use super::place::Problem;

/// Why a suite cannot be run. It is the fault of whoever wrote or named it.
#[derive(Debug, thiserror::Error)]
pub enum SuiteError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not text.
    #[error("{} is not a suite: it is not UTF-8 text", .0.display())]
    NotText(PathBuf),
    /// The name of the file does not say which format it has.
    #[error(
        "{} is not a suite: name it .toml, or .textpb, .textproto or .prototxt for the format of \
         Google's service-extensions tests",
        .0.display()
    )]
    UnknownFormat(PathBuf),
    /// The file is not what its format asks for.
    #[error("{}", listed(.path, .problems))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Everything that is wrong with it, as far as it could be read.
        problems: Vec<Problem>,
    },
}

/// A line for each problem, as compilers write them.
fn listed(path: &std::path::Path, problems: &[Problem]) -> String {
    let mut text = String::new();
    for (at, problem) in problems.iter().enumerate() {
        let line = if at == 0 { "" } else { "\n" };
        let _ = write!(text, "{line}{}:{}: {}", path.display(), problem.at, problem.what);
    }
    text
}
