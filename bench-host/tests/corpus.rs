//! What fuzzing has found and what it begins with, run as tests.
//!
//! `fuzz/` holds the targets; a seed is a file in `fuzz/corpus/` and a regression is one more.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use std::fs;
use std::path::Path;

#[path = "../../fuzz/src/lib.rs"]
mod fuzz;

/// Runs every seed of a target. The last name that a failing test prints is that of the seed.
fn seeds(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let mut seeds: Vec<_> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    seeds.sort();
    assert!(!seeds.is_empty(), "{} is empty", folder.display());
    for seed in seeds {
        println!("{}", seed.display());
        check(&fs::read(seed).unwrap());
    }
    check(b"");
}

#[test]
fn foreign_functions() {
    seeds("foreign_functions", fuzz::foreign_functions::check);
}

#[test]
fn har() {
    seeds("har", fuzz::traffic::check);
}

#[test]
fn json_lines() {
    seeds("json_lines", fuzz::traffic::check);
}

#[test]
fn pairs() {
    seeds("pairs", fuzz::pairs::check);
}

#[test]
fn property_path() {
    seeds("property_path", fuzz::property_path::check);
}

#[test]
fn redis() {
    seeds("redis", fuzz::redis::check);
}

#[test]
fn tap() {
    seeds("tap", fuzz::traffic::check);
}

#[test]
fn upstreams() {
    seeds("upstreams", fuzz::upstreams::check);
}

#[cfg(feature = "suite")]
#[test]
fn suite_textproto() {
    seeds("suite_textproto", |data| fuzz::suite::check("seed.textproto", data));
}

#[cfg(feature = "suite")]
#[test]
fn suite_toml() {
    seeds("suite_toml", |data| fuzz::suite::check("seed.toml", data));
}

#[cfg(feature = "wasm")]
#[test]
fn host_calls() {
    seeds("host_calls", fuzz::host_calls::check);
}

#[cfg(feature = "wasm")]
#[test]
fn module() {
    seeds("module", fuzz::module::check);
    fuzz::module::check(&fuzz::host_calls::guest());
}
