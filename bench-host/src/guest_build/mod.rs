//! Builds a plugin for the guest target: `cargo bench-host build <example>`.
//!
//! Cargo does the work; this finds the package, sees to it that the target is installed, and tells
//! which file came out. Everything that cargo and rustup print goes to stderr, so that stdout stays
//! free for results.

mod artefact;
mod cargo;
mod error;
mod package;
mod target;

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

pub use error::GuestBuildError;

/// The target that guests are built for unless the arguments name another.
pub const TARGET: &str = "wasm32-wasip1";

/// The profile that guests are built with unless the arguments name another.
pub const PROFILE: &str = "guest";

/// Builds the plugin `example` and returns the path of its module.
///
/// `example` names a folder in the `examples/` of the enclosing workspace; with a path separator
/// in it, or where no example has that name, it is the path of any folder with a `Cargo.toml`.
/// `cargo_args` go to `cargo build` as they are. A `--target`, `--profile` or `--release` among
/// them replaces the default. A package whose workspace has no profile `guest` gets one like ours, and one that no
/// `.cargo/config.toml` gives flags for the target gets those of ours.
///
/// # Cost
/// That of the build; when everything is fresh, some tenths of a second. Calls at the same time
/// wait for each other in cargo's own lock.
///
/// # Errors
/// When there is no such package, when the target or cargo is missing, when the build fails, and
/// when it brings no module. What cargo had to say is on stderr by then.
pub fn build(example: &str, cargo_args: &[OsString]) -> Result<PathBuf, GuestBuildError> {
    let from = env::current_dir().map_err(GuestBuildError::NoWorkingDirectory)?;
    let module = build_from(&from, example, cargo_args)?;
    // Short to read, and the same in results from any machine.
    Ok(module.strip_prefix(&from).map(Path::to_owned).unwrap_or(module))
}

/// The same as [`build`], seen from the folder `from` instead of the working directory.
///
/// # Errors
/// As [`build`].
pub fn build_from(
    from: &Path,
    example: &str,
    cargo_args: &[OsString],
) -> Result<PathBuf, GuestBuildError> {
    let place = package::find(from, example)?;
    let target = option(cargo_args, &["--target"]);
    target::ensure(target.as_deref().unwrap_or(TARGET), &place.folder)?;
    let package = cargo::package(&place)?;

    let mut arguments: Vec<OsString> = vec!["--package".into(), package.name.clone().into()];
    if target.is_none() {
        if !package::has_flags(&place.folder, TARGET) {
            arguments.extend(cargo::flag_settings(TARGET));
        }
        arguments.extend(["--target".into(), TARGET.into()]);
    }
    let release = cargo_args.iter().any(|argument| argument == "--release" || argument == "-r");
    if !release && option(cargo_args, &["--profile"]).is_none() {
        if !package::has_profile(&package.workspace_root, PROFILE) {
            arguments.extend(cargo::profile_settings());
        }
        arguments.extend(["--profile".into(), PROFILE.into()]);
    }
    arguments.extend(cargo_args.iter().cloned());
    cargo::build(&place, &package, &arguments)
}

/// The value of the last `--name value` or `--name=value` among cargo's arguments.
fn option(arguments: &[OsString], names: &[&str]) -> Option<String> {
    let mut value = None;
    let mut arguments = arguments.iter().map(|argument| argument.to_string_lossy());
    while let Some(argument) = arguments.next() {
        for name in names {
            match argument.strip_prefix(name) {
                Some("") => value = arguments.next().map(String::from),
                Some(rest) => value = rest.strip_prefix('=').map(String::from).or(value),
                None => {}
            }
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(arguments: &[&str]) -> Option<String> {
        let arguments: Vec<_> = arguments.iter().map(OsString::from).collect();
        option(&arguments, &["--target"])
    }

    #[test]
    fn options_are_found_in_both_spellings() {
        assert_eq!(target(&[]), None);
        assert_eq!(target(&["--target", "x"]).as_deref(), Some("x"));
        assert_eq!(target(&["--target=x"]).as_deref(), Some("x"));
        assert_eq!(target(&["-v", "--target=x", "--target", "y"]).as_deref(), Some("y"));
        assert_eq!(target(&["--target-dir", "x", "--target-dir=y"]), None);
        assert_eq!(target(&["--target"]), None);
    }

    #[test]
    fn an_unknown_example_is_refused_before_anything_runs() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("Cargo.toml"), "[workspace]\n").unwrap();
        let error = build_from(folder.path(), "nothing", &[]).unwrap_err();
        assert!(matches!(error, GuestBuildError::NoSuchExample { .. }), "{error}");
    }
}
