//! `bench-host heap`

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use clap::Args;

use super::Failure;
use super::host::HostArguments;
use super::limits::LimitArguments;
use super::passes::progress;
use super::replay::{TrafficArguments, crashed, prepare, read, size};
use crate::engine::wasm::WasmPlugin;
use crate::heap::{self, Recording};
use crate::host::{Measure, Profile, Settings};
use crate::module::Module;
use crate::replay::{Options, replay};
use crate::traffic::Traffic;

/// Replay traffic through a plugin, and write down which call stack allocated what.
///
/// Writes two files in the format of DHAT, for valgrind's dh_view.html: the heap, and beside it
/// (dhat.growth.json) who made linear memory grow. The module is rewritten so that its allocator
/// tells the host, and does otherwise what it always does; names of functions are needed for that.
/// Time is in instructions, and the files are the same in every run.
#[derive(Debug, Args)]
#[command(after_help = "Example: cargo bench-host heap plugin.wasm --traffic site.har \
                        --config config.json --out dhat.json")]
pub(super) struct Arguments {
    /// The module, with names of functions.
    plugin: PathBuf,
    #[command(flatten)]
    traffic: TrafficArguments,
    /// Where the profile of the heap goes; that of memory's growth is <FILE>.growth.json.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The plugin's configuration, passed as it is.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Which host to be.
    #[arg(long, value_name = "HOST", default_value = "envoy")]
    host: Profile,
    /// Bytes that each direction of a stream may hold [default: 1MiB for envoy, 32KiB for higress,
    /// where HTTP/2 has 64KiB].
    #[arg(long, value_name = "SIZE", value_parser = size)]
    buffer_limit: Option<NonZeroUsize>,
    /// Call stacks in each table.
    #[arg(long, value_name = "N", default_value = "5")]
    top: usize,
    /// Write what upstream and downstream would have received: one file for each request and
    /// direction, and an index.
    #[arg(long, value_name = "DIR")]
    outputs: Option<PathBuf>,
    #[command(flatten)]
    around: HostArguments,
    #[command(flatten)]
    limits: LimitArguments,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let module = Module::read(&arguments.plugin)?;
    let configuration = match &arguments.config {
        Some(path) => read(path)?,
        None => Bytes::new(),
    };
    let traffic = Traffic::open(&arguments.traffic.source)?;
    let mut options = Options::new(Settings::new(arguments.host));
    if let Some(limit) = arguments.buffer_limit {
        options.settings.buffer_limit = Some(limit.get());
    }
    options.configuration = configuration;
    arguments.around.apply(&mut options)?;
    options.outputs.clone_from(&arguments.outputs);
    options.chunk = arguments.traffic.chunk;
    options.streams = arguments.traffic.streams;
    options.repeat = arguments.traffic.repeat;
    options.measure = Measure { time: false, usage: false };
    arguments.limits.apply(&mut options.settings);
    prepare(&module, &mut options)?;
    profile(arguments, &module, &traffic, &options)
}

fn profile(
    arguments: &Arguments,
    module: &Module,
    traffic: &Traffic,
    options: &Options,
) -> Result<(), Failure> {
    let named = |failure: Failure| failure.of_plugin(&module.path, arguments.config.as_deref());
    let instrumented = heap::instrument(&module.bytes)
        .map_err(|error| Failure::Input(format!("{}: {error}", module.path.display())))?;
    let allocator = instrumented.allocator.clone();
    let recording = Recording::default();
    let plugin = WasmPlugin::recording(instrumented, arguments.limits.limits(), &recording)
        .map_err(|error| named(error.into()))?;
    let requests = traffic.requests().saturating_mul(options.repeat.get() as u64);
    let bar = progress(requests);
    let run = replay(&plugin, traffic, options, &|_| bar.inc(1));
    bar.finish_and_clear();
    let run = run.map_err(|error| named(error.into()))?;
    let profile = recording.finish();

    let lives = allocator.as_ref().is_ok_and(|allocator| allocator.frees);
    let mode = match &allocator {
        Ok(_) => "wasm-heap".to_owned(),
        Err(reason) => format!("wasm-heap (nothing is known of it: {reason})"),
    };
    let command =
        format!("bench-host heap {} --traffic {}", module.path.display(), arguments.traffic.source);
    let growth = beside(&arguments.out);
    write(&arguments.out, &heap::heap_json(&profile, lives, &mode, &command))?;
    write(&growth, &heap::growth_json(&profile, &command))?;

    let mut text = match &allocator {
        Ok(allocator) if lives => format!("Heap of {}, by {allocator}\n\n", module.path.display()),
        Ok(allocator) => format!(
            "Heap of {}, by {allocator}, whose freeing is not seen: only totals are known\n\n",
            module.path.display()
        ),
        Err(_) => String::new(),
    };
    text.push_str(&heap::text(&profile, allocator.is_ok(), lives, arguments.top));
    text.push_str(&format!(
        "\nFiles for DHAT's viewer (dh_view.html): {}, {}\n",
        arguments.out.display(),
        growth.display()
    ));
    super::print(&text)?;
    if let Err(reason) = &allocator {
        eprintln!(
            "warning: {}: the allocator cannot be found, so only growth of memory is known: \
             {reason}",
            module.path.display()
        );
    }
    crashed(&run).map_or(Ok(()), |failure| Err(named(failure)))
}

/// `dhat.json` has `dhat.growth.json` beside it.
fn beside(out: &Path) -> PathBuf {
    out.with_extension("growth.json")
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text).map_err(|error| Failure::file("write", path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_file_is_beside_the_first() {
        assert_eq!(beside(Path::new("a/dhat.json")), Path::new("a/dhat.growth.json"));
        assert_eq!(beside(Path::new("dhat")), Path::new("dhat.growth.json"));
        assert_eq!(beside(Path::new("dhat.out.json")), Path::new("dhat.out.growth.json"));
    }
}
