//! What the tests that cross crates share.

pub mod costs;
pub mod guest;
pub mod markdown;
pub mod results;
pub mod toolchains;

use std::path::{Path, PathBuf};

use std::sync::Mutex;

use bench_host::guest_build;
use bench_host::testing::TestModule;

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

/// The module of an example with these cargo features, ready to be started.
///
/// # Panics
/// When it cannot be built or is no plugin.
pub fn test_module(example: &str, features: &str) -> TestModule {
    /// Modules of one example have one file, whatever their features.
    static FILE: Mutex<()> = Mutex::new(());

    let _file = FILE.lock();
    let arguments = ["--features".into(), features.into()];
    let module = guest_build::build_from(&root(), example, &arguments)
        .unwrap_or_else(|error| panic!("cannot build examples/{example}: {error}"));
    TestModule::read(&module).unwrap_or_else(|error| panic!("examples/{example}: {error}"))
}

/// The root of the checkout.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
