//! The compilers of other languages: where they are, and what it means that one is not there.

use std::env;
use std::fmt;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::Command;

use crate::root;

/// A compiler that `.ci/toolchains` installs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// `asc`, the compiler of AssemblyScript.
    AssemblyScript,
    /// `go`.
    Go,
    /// `zig`, which is a compiler of C++ besides.
    Zig,
}

/// A compiler that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{}` is neither in target/toolchains nor on the PATH: run `.ci/toolchains`, which installs it \
     in the former",
    .0.program()
)]
pub struct Missing(pub Tool);

impl Tool {
    /// The command that runs it, which writes nothing outside of `target/`.
    ///
    /// # Errors
    /// [`Missing`] when it is neither where `.ci/toolchains` installs it nor on the `PATH`.
    pub fn command(self) -> Result<Command, Missing> {
        let home = home();
        let (installed, arguments): (_, &[&str]) = match self {
            Self::AssemblyScript => (home.join("node_modules/.bin/asc"), &[]),
            Self::Go => (home.join("venv/bin/go"), &[]),
            Self::Zig if home.join("python.installed").is_file() => {
                (home.join("venv/bin/python"), &["-m", "ziglang"])
            }
            Self::Zig => (home.join("zig"), &[]),
        };
        let mut command = if installed.is_file() {
            let mut command = Command::new(installed);
            command.args(arguments);
            command
        } else {
            Command::new(on_path(self.program()).ok_or(Missing(self))?)
        };
        let cache = home.join("cache");
        match self {
            Self::AssemblyScript => {}
            Self::Go => {
                command
                    .env("GOCACHE", cache.join("go"))
                    .env("GOPATH", cache.join("gopath"))
                    .env("GOENV", "off")
                    .env("GOFLAGS", "")
                    .env("GOPROXY", "off")
                    .env("GOTELEMETRY", "off")
                    .env("GOTELEMETRYDIR", cache.join("telemetry"))
                    .env("GOTOOLCHAIN", "local");
            }
            Self::Zig => {
                command
                    .env("ZIG_GLOBAL_CACHE_DIR", cache.join("zig"))
                    .env("ZIG_LOCAL_CACHE_DIR", cache.join("zig-local"));
            }
        }
        Ok(command)
    }

    /// Its name and version, such as `go 1.27.3`.
    ///
    /// # Errors
    /// [`Missing`] when it is not there.
    pub fn version(self) -> Result<String, Missing> {
        let argument = if self == Self::AssemblyScript { "--version" } else { "version" };
        let output = self.command()?.arg(argument).output().map_err(|_| Missing(self))?;
        let output = String::from_utf8_lossy(&output.stdout);
        let mut words = output.split_whitespace().map(|word| word.trim_start_matches("go"));
        let number = words.find(|word| word.starts_with(|first: char| first.is_ascii_digit()));
        Ok(format!("{self} {}", number.unwrap_or("of unknown version")))
    }

    const fn program(self) -> &'static str {
        match self {
            Self::AssemblyScript => "asc",
            Self::Go => "go",
            Self::Zig => "zig",
        }
    }
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::AssemblyScript => "assemblyscript",
            Self::Go => "go",
            Self::Zig => "zig",
        })
    }
}

/// Lets a test pass without what it needs, but not silently, and not in CI.
///
/// # Panics
/// When it is missing where toolchains are required.
pub fn or_skip<T>(found: Result<T, Missing>) -> Option<T> {
    match found {
        Ok(found) => Some(found),
        Err(missing) if required(|name| env::var(name).ok()) => panic!("{missing}"),
        Err(missing) => {
            // Past the test harness, which shows nothing that a passing test prints.
            let _ = writeln!(io::stderr(), "skipped: {missing}");
            None
        }
    }
}

/// Whether a missing toolchain is a failure: in CI, or where `CHUNKWISE_REQUIRE_TOOLCHAINS=1`.
fn required(variable: impl Fn(&str) -> Option<String>) -> bool {
    variable("CHUNKWISE_REQUIRE_TOOLCHAINS").is_some_and(|value| value == "1")
        || variable("CI").is_some_and(|value| !value.is_empty() && value != "false")
}

/// Where `.ci/toolchains` installs.
pub fn home() -> PathBuf {
    root().join("target/toolchains")
}

fn on_path(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn toolchains_are_required_in_ci_and_on_demand() {
        let when = |name: &'static str, value: &'static str| {
            required(|asked| (asked == name).then(|| value.to_owned()))
        };
        assert!(when("CI", "true"));
        assert!(when("CI", "1"));
        assert!(when("CHUNKWISE_REQUIRE_TOOLCHAINS", "1"));
        assert!(!when("CI", ""));
        assert!(!when("CI", "false"));
        assert!(!when("CHUNKWISE_REQUIRE_TOOLCHAINS", "0"));
        assert!(!when("PATH", "/bin"));
    }

    #[test]
    fn what_is_missing_says_what_to_do() {
        let message = Missing(Tool::AssemblyScript).to_string();
        assert!(message.starts_with("`asc` is neither in target/toolchains nor on the PATH"));
        assert!(message.contains("run `.ci/toolchains`"), "{message}");
    }
}
