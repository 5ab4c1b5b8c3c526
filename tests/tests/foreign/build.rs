//! Builds the plugins of `tests/foreign`, each once for all tests.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::SystemTime;

use bench_host::engine::wasm::{Limits, WasmPlugin};
use bench_host::guest_build::build_from;
use bench_host::module::Module;
use chunkwise_tests::root;
use chunkwise_tests::toolchains::{Missing, home, or_skip};

use crate::languages::{Compiler, Language, MODULE};

/// A plugin, ready to run.
pub struct Built {
    pub module: Module,
    pub plugin: WasmPlugin,
    /// Name and version of the compiler.
    pub compiler: String,
}

/// The plugin of a language; `None`, with a message, where its compiler is not there.
pub fn built(language: &'static Language) -> Option<Arc<Built>> {
    type Slot = Arc<OnceLock<Option<Arc<Built>>>>;
    static BUILT: Mutex<BTreeMap<&str, Slot>> = Mutex::new(BTreeMap::new());
    let slot = {
        let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(built.entry(language.name).or_default())
    };
    slot.get_or_init(|| or_skip(build(language)).map(Arc::new)).clone()
}

fn build(language: &Language) -> Result<Built, Missing> {
    let (path, compiler) = match &language.compiler {
        Compiler::Cargo => (with_cargo(language.sources), None),
        Compiler::Tool { tool, variables, arguments } => {
            let mut command = tool.command()?;
            command.envs(variables.iter().copied());
            (with_command(language, command, arguments), Some(tool.version()?))
        }
    };
    let module = Module::read(&path).unwrap();
    let plugin = WasmPlugin::compile(&module.bytes, Limits::COUNTED).unwrap();
    let compiler = compiler.unwrap_or_else(|| rustc(&module));
    Ok(Built { module, plugin, compiler })
}

/// Panics carry the paths of sources; none of them may say whose machine it was.
fn with_cargo(folder: &str) -> PathBuf {
    let registry = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let registry = registry.or_else(|| Some(std::env::home_dir()?.join(".cargo"))).unwrap();
    let remap = format!("--remap-path-prefix={}=cargo", registry.display());
    let flags = format!("target.wasm32-wasip1.rustflags=[{remap:?}]");
    // A folder of its own, because other guests are built with other flags.
    let target = root().join("target/foreign/rust").into_os_string();
    let arguments: Vec<OsString> =
        vec!["--config".into(), flags.into(), "--target-dir".into(), target];
    build_from(&root(), &sources(folder).display().to_string(), &arguments).unwrap()
}

/// Runs a compiler in the folder of the sources, unless what it made last time is newer.
fn with_command(language: &Language, mut command: Command, arguments: &[&str]) -> PathBuf {
    let sources = sources(language.sources);
    let folder = root().join("target/foreign").join(language.name);
    fs::create_dir_all(&folder).unwrap();
    let unfinished = folder.canonicalize().unwrap().join("unfinished.wasm");
    let place = unfinished.to_str().unwrap();
    command.args(arguments.iter().map(|argument| argument.replace(MODULE, place)));
    command.current_dir(&sources);

    let (module, made_by) = (folder.join("plugin.wasm"), folder.join("command.txt"));
    let line = format!("{command:?}");
    let same = fs::read_to_string(&made_by).is_ok_and(|made_by| made_by == line);
    if same && newer(&module, &sources).unwrap() {
        return module;
    }
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{line}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    fs::rename(&unfinished, &module).unwrap();
    fs::write(&made_by, line).unwrap();
    module
}

/// Whether a module is newer than all its sources, and than what was installed last.
fn newer(module: &Path, sources: &Path) -> io::Result<bool> {
    let Ok(made) = changed(module) else { return Ok(false) };
    let mut files: Vec<_> =
        fs::read_dir(sources)?.map(|file| Ok(file?.path())).collect::<io::Result<_>>()?;
    files.extend(["npm.installed", "python.installed"].map(|name| home().join(name)));
    Ok(files.iter().filter_map(|file| changed(file).ok()).all(|source| source < made))
}

fn changed(path: &Path) -> io::Result<SystemTime> {
    fs::metadata(path)?.modified()
}

fn sources(folder: &str) -> PathBuf {
    root().join("tests/foreign").join(folder)
}

/// Rust notes its version in the module.
fn rustc(module: &Module) -> String {
    let rustc = module.facts.producers.iter().find(|producer| producer.name == "rustc").unwrap();
    format!("rustc {}", rustc.version.split(' ').next().unwrap_or_default())
}
