//! Why a guest was not built.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why a guest was not built.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum GuestBuildError {
    /// The process has no working directory to start from.
    #[error("the working directory cannot be told: {0}")]
    NoWorkingDirectory(io::Error),
    /// The name is no example's and no folder's.
    #[error("there is no example {example:?} in {}: {}", .examples.display(), listed(.known))]
    NoSuchExample {
        /// The name as given.
        example: String,
        /// Where examples are looked for.
        examples: PathBuf,
        /// The ones that are there.
        known: Vec<String>,
    },
    /// The name is no path and there is no workspace to look in.
    #[error(
        "{example:?} is no folder with a Cargo.toml, and no Cargo.toml with [workspace] in {} or \
         above it has examples: run this in a clone for its examples, or give the path of a \
         plugin's folder",
        .from.display()
    )]
    NoWorkspace {
        /// The name as given.
        example: String,
        /// Where the search began.
        from: PathBuf,
    },
    /// The path is no package's.
    #[error("{} holds no Cargo.toml: give the folder of a plugin's package", .folder.display())]
    NoManifest {
        /// The folder as found.
        folder: PathBuf,
    },
    /// There is a manifest, without a package in it or outside of its workspace's members.
    #[error("cargo knows no package in {}: a plugin needs a [package] of its own", .folder.display())]
    NoPackage {
        /// The folder as found.
        folder: PathBuf,
    },
    /// Cargo or rustc is not there, or may not run.
    #[error(
        "cannot run {program}: {reason}; building a plugin needs Rust's cargo and rustc, see \
         https://rustup.rs, or name cargo in the variable CARGO"
    )]
    NoToolchain {
        /// What was to be run.
        program: String,
        /// What the operating system says.
        reason: io::Error,
    },
    /// Rustc does not know the target at all.
    #[error("rustc knows no target {target}: {reason}")]
    UnknownTarget {
        /// The target as asked for.
        target: String,
        /// What rustc says.
        reason: String,
    },
    /// The target's standard library is missing and could not be added.
    #[error(
        "the guest target {target} is not installed, and `rustup target add {target}` failed \
         ({reason}): run it by hand when online, or install the target's standard library with \
         the package manager that brought rustc"
    )]
    TargetMissing {
        /// The target.
        target: String,
        /// What kept rustup from adding it.
        reason: String,
    },
    /// Cargo cannot read the package's manifest.
    #[error("cargo cannot read {}: see its message above", .manifest.display())]
    BadManifest {
        /// The package's `Cargo.toml`.
        manifest: PathBuf,
    },
    /// Cargo ran and failed.
    #[error("{package} does not build ({status}): see cargo's messages above")]
    Failed {
        /// The package.
        package: String,
        /// How cargo ended.
        status: String,
    },
    /// Cargo ran and built something else.
    #[error(
        "building {package} brought no .wasm file: put `crate-type = [\"cdylib\"]` under [lib] in {}",
        .manifest.display()
    )]
    NoModule {
        /// The package.
        package: String,
        /// Its `Cargo.toml`.
        manifest: PathBuf,
    },
    /// What cargo printed could not be read.
    #[error("cargo's output cannot be read: {0}")]
    Output(io::Error),
}

fn listed(known: &[String]) -> String {
    if known.is_empty() { "it has none".to_owned() } else { format!("it has {}", known.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_says_what_to_do() {
        let manifest = || PathBuf::from("examples/hello/Cargo.toml");
        let errors = [
            GuestBuildError::NoSuchExample {
                example: "helo".into(),
                examples: "examples".into(),
                known: vec!["hello".into(), "mask".into()],
            },
            GuestBuildError::NoSuchExample {
                example: "helo".into(),
                examples: "examples".into(),
                known: vec![],
            },
            GuestBuildError::NoWorkspace { example: "hello".into(), from: "/home".into() },
            GuestBuildError::NoManifest { folder: "plugins/hello".into() },
            GuestBuildError::NoPackage { folder: "plugins/hello".into() },
            GuestBuildError::NoToolchain {
                program: "cargo".into(),
                reason: io::ErrorKind::NotFound.into(),
            },
            GuestBuildError::UnknownTarget {
                target: "wasm33".into(),
                reason: "error: could not find specification for target \"wasm33\"".into(),
            },
            GuestBuildError::TargetMissing {
                target: "wasm32-wasip1".into(),
                reason: "there is no rustup here".into(),
            },
            GuestBuildError::BadManifest { manifest: manifest() },
            GuestBuildError::Failed { package: "hello".into(), status: "exit status: 101".into() },
            GuestBuildError::NoModule { package: "hello".into(), manifest: manifest() },
        ];
        let messages: Vec<_> = errors.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(messages.join("\n"), @r#"
        there is no example "helo" in examples: it has hello, mask
        there is no example "helo" in examples: it has none
        "hello" is no folder with a Cargo.toml, and no Cargo.toml with [workspace] in /home or above it has examples: run this in a clone for its examples, or give the path of a plugin's folder
        plugins/hello holds no Cargo.toml: give the folder of a plugin's package
        cargo knows no package in plugins/hello: a plugin needs a [package] of its own
        cannot run cargo: entity not found; building a plugin needs Rust's cargo and rustc, see https://rustup.rs, or name cargo in the variable CARGO
        rustc knows no target wasm33: error: could not find specification for target "wasm33"
        the guest target wasm32-wasip1 is not installed, and `rustup target add wasm32-wasip1` failed (there is no rustup here): run it by hand when online, or install the target's standard library with the package manager that brought rustc
        cargo cannot read examples/hello/Cargo.toml: see its message above
        hello does not build (exit status: 101): see cargo's messages above
        building hello brought no .wasm file: put `crate-type = ["cdylib"]` under [lib] in examples/hello/Cargo.toml
        "#);
    }
}
