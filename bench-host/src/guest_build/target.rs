//! Sees to it that the guest target is installed.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::GuestBuildError;
use super::cargo::clean;

/// Adds the target with rustup where its standard library is missing, and says so.
pub(super) fn ensure(target: &str, folder: &Path) -> Result<(), GuestBuildError> {
    let library = library(target, folder)?;
    if is_installed(&library) {
        return Ok(());
    }
    // Losing this line is no reason not to build.
    let _ = writeln!(io::stderr(), "adding the guest target: rustup target add {target}");
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", target]).current_dir(folder);
    let added = clean(&mut rustup).stdin(Stdio::null()).stdout(io::stderr()).status();
    // Another process may have added it at the same time, and rustup may fail for that.
    if is_installed(&library) {
        return Ok(());
    }
    let reason = match added {
        Ok(status) if status.success() => {
            format!("it added the target to another toolchain than that of {}", library.display())
        }
        Ok(status) => status.to_string(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => "there is no rustup".to_owned(),
        Err(error) => error.to_string(),
    };
    Err(GuestBuildError::TargetMissing { target: target.to_owned(), reason })
}

/// Where rustc looks for the target's standard library.
fn library(target: &str, folder: &Path) -> Result<PathBuf, GuestBuildError> {
    let rustc = env::var_os("RUSTC").filter(|rustc| !rustc.is_empty());
    let rustc = rustc.unwrap_or_else(|| OsString::from("rustc"));
    let mut command = Command::new(&rustc);
    command.args(["--print", "target-libdir", "--target", target]).current_dir(folder);
    let output = clean(&mut command).stdin(Stdio::null()).output().map_err(|reason| {
        GuestBuildError::NoToolchain { program: rustc.to_string_lossy().into_owned(), reason }
    })?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr);
        let reason = reason.lines().next().unwrap_or("it does not say why").to_owned();
        return Err(GuestBuildError::UnknownTarget { target: target.to_owned(), reason });
    }
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}

fn is_installed(library: &Path) -> bool {
    let names: Vec<_> = fs::read_dir(library)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    ["libcore-", "libstd-"].iter().all(|library| {
        names.iter().any(|name| name.starts_with(library) && name.ends_with(".rlib"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_installed_with_both_of_its_libraries() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str| fs::write(folder.path().join(name), "").unwrap();
        assert!(!is_installed(&folder.path().join("nothing")));
        assert!(!is_installed(folder.path()));
        write("libstd-0123.so");
        write("libcore-0123.rlib");
        assert!(!is_installed(folder.path()));
        write("libstd-0123.rlib");
        assert!(is_installed(folder.path()));
    }

    #[test]
    fn rustc_refuses_a_target_that_it_does_not_know() {
        let error = ensure("wasm33-nowhere", Path::new(".")).unwrap_err();
        assert!(matches!(error, GuestBuildError::UnknownTarget { .. }), "{error}");
    }
}
