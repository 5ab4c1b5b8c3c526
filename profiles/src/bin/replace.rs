//! Where does find and replace allocate, and how much?
//!
//! Writes a profile for DHAT's viewer, and prints what it adds up to.
//!
//! ```sh
//! cargo run --release -p chunkwise-profiles --bin replace [PROFILE.json]
//! ```

use std::env;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chunkwise_profiles::replace::{Bodies, Replacing, STREAMS};
use chunkwise_profiles::{Totals, profile_path, replace};
use dhat::{HeapStats, Profiler};

#[global_allocator]
static ALLOC: dhat::Alloc = dhat::Alloc;

fn main() -> ExitCode {
    let path = env::args_os().nth(1).map_or_else(|| profile_path("replace"), PathBuf::from);
    // The profiler writes at its end, and would only print that it could not.
    if let Err(error) = create(&path) {
        eprintln!("cannot write the profile {}: {error}", path.display());
        return ExitCode::FAILURE;
    }

    let bodies = Bodies::new();
    let profiler = Profiler::builder().file_name(&path).build();
    let mut replacing = Replacing::start(&bodies);
    let warm_up = replacing.warm_up();
    let warm = Totals::from(HeapStats::get());
    let work = replacing.run(replace::CHUNKS);
    let totals = Totals::from(HeapStats::get());
    drop(replacing);
    drop(profiler);

    let line = |what: &str, chunks, blocks, bytes| {
        println!("{what:<13} {chunks:>6} chunks  {blocks:>6} blocks  {bytes:>8} bytes");
    };
    line("set-up", warm_up.chunks, warm.total_blocks, warm.total_bytes);
    let blocks = totals.total_blocks - warm.total_blocks;
    line("steady state", work.chunks, blocks, totals.total_bytes - warm.total_bytes);
    println!("peak          {} bytes, {STREAMS} streams at once", totals.peak_bytes);
    println!("profile       {}", path.display());
    ExitCode::SUCCESS
}

fn create(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    File::create(path).map(drop)
}
