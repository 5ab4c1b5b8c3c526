//! `bench-host inspect`

use std::path::PathBuf;

use clap::Args;

use super::Failure;
use crate::module::{Module, report};

/// Say what a module is, without running it.
///
/// ABI, imports, exports, sections, initial memory, SDK and its settings.
#[derive(Debug, Args)]
#[command(after_help = "Example: cargo bench-host inspect plugin.wasm")]
pub(super) struct Arguments {
    /// The module.
    plugin: PathBuf,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let module = Module::read(&arguments.plugin)?;
    if arguments.json {
        let json = serde_json::to_string_pretty(&module.facts);
        let json = json.map_err(|error| Failure::Own(error.to_string()))?;
        super::print(&format!("{json}\n"))
    } else {
        super::print(&report::text(&module))
    }
}
