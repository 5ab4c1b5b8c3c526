//! `bench-host build`

use std::ffi::OsString;

use clap::Args;

use super::Failure;
use crate::guest_build;

/// Build an example, or any plugin's folder, for the guest target.
///
/// The last line of stdout is the path of the module. The guest target is added when it is missing.
#[derive(Debug, Args)]
#[command(after_help = "Example: cargo bench-host build replace -- --verbose")]
pub(super) struct Arguments {
    /// Name of a folder in examples/, or path of a folder with a Cargo.toml.
    example: String,
    /// Arguments for cargo build.
    #[arg(last = true)]
    cargo: Vec<OsString>,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let module = guest_build::build(&arguments.example, &arguments.cargo)?;
    super::print(&format!("{}\n", module.display()))
}
