//! Traffic that is written down beside these tests, in the bench host's JSON lines.

use std::path::{Path, PathBuf};

use bench_host::traffic::{Exchange, Traffic};

/// The exchanges of a file.
pub fn traffic(name: &str) -> Vec<Exchange> {
    read(&path(&format!("{name}.jsonl")))
}

/// The script of services that lies beside it.
pub fn script(name: &str) -> String {
    std::fs::read_to_string(path(&format!("{name}.toml"))).expect("a script of this corpus")
}

/// The exchanges of any trace.
pub fn read(path: &Path) -> Vec<Exchange> {
    let name = path.display().to_string();
    let traffic = Traffic::open(&name).unwrap_or_else(|error| panic!("{error}"));
    let exchanges = traffic.exchanges().collect::<Result<_, _>>();
    exchanges.unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity/corpus").join(file)
}
