//! What the tests that cross crates share.

pub mod guest;
pub mod markdown;
pub mod toolchains;

use std::path::{Path, PathBuf};

use bench_host::guest_build;

/// The module of an example, built if need be.
///
/// # Panics
/// When it cannot be built: a test without its module must not pass.
pub fn module(example: &str) -> PathBuf {
    match guest_build::build_from(&root(), example, &[]) {
        Ok(module) => module,
        Err(error) => panic!("cannot build examples/{example}: {error}"),
    }
}

/// The root of the checkout.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
