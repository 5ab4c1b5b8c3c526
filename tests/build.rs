//! Writes the plugins of `docs/patterns.md` into files, which `tests/patterns` includes and runs.

use std::path::Path;
use std::{env, fs, io};

#[path = "src/markdown.rs"]
mod markdown;

fn main() -> io::Result<()> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/patterns.md");
    println!("cargo::rerun-if-changed={}", page.display());
    println!("cargo::rerun-if-changed=src/markdown.rs");
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo sets OUT_DIR"))?;
    for (heading, code) in markdown::plugins(&fs::read_to_string(page)?) {
        fs::write(Path::new(&out).join(markdown::slug(heading)).with_extension("rs"), code)?;
    }
    Ok(())
}
