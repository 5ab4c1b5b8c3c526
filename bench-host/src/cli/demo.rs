//! `bench-host demo`

use bytes::Bytes;
use clap::Args;

use super::Failure;
use super::passes::Passes;
use super::replay::measured;
use crate::engine::wasm::Limits;
use crate::guest_build;
use crate::host::{Profile, Settings};
use crate::module::Module;
use crate::replay::Options;
use crate::report::table;
use crate::traffic::Traffic;

/// Build the example `replace`, replay the embedded trace through it, print the table.
#[derive(Debug, Args)]
#[command(after_help = "Example: cargo bench-host demo")]
pub(super) struct Arguments {}

const CONFIGURATION: &str = include_str!("../../../examples/replace/config.json");

pub(super) fn run(_: &Arguments) -> Result<(), Failure> {
    eprintln!("building examples/replace for {}", guest_build::TARGET);
    let module = Module::read(&guest_build::build("replace", &[])?)?;
    let mut options = Options::new(Settings::new(Profile::Envoy));
    options.configuration = Bytes::from_static(CONFIGURATION.as_bytes());
    let passes = Passes { fuel: true, wall: true, limits: Limits::COUNTED };
    let (result, crash) = measured(&module, &Traffic::demo(), options, passes)?;
    super::print(&table::text(&result))?;
    crash.map_or(Ok(()), Err)
}
