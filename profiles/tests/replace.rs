//! Find and replace allocates no more than its baseline, and nothing for a chunk.
//!
//! The only test of its process: the profiler counts for all threads.

use std::time::Duration;
use std::{env, fs, thread};

use chunkwise_profiles::replace::{Bodies, CHUNKS, Replacing};
use chunkwise_profiles::{Totals, baseline_path, profile_path};
use dhat::{HeapStats, Profiler};

#[global_allocator]
static ALLOC: dhat::Alloc = dhat::Alloc;

const ACCEPT: &str = "UPDATE_BASELINES=1 cargo test -p chunkwise-profiles";

#[test]
fn replacing_stays_within_its_baseline() {
    let (profile, path) = (profile_path("replace"), baseline_path("replace"));
    fs::create_dir_all(profile.parent().unwrap()).unwrap();
    let accept = env::var_os("UPDATE_BASELINES").is_some_and(|value| value == "1");
    let baseline = if accept { None } else { Some(read(&path)) };
    let bodies = Bodies::new();
    // The harness's own thread allocates a little when it begins to wait for this one.
    thread::sleep(Duration::from_millis(100));

    let _profiler = Profiler::builder().testing().file_name(&profile).build();
    let mut replacing = Replacing::start(&bodies);
    replacing.warm_up();
    let warm = HeapStats::get();
    replacing.run(CHUNKS);
    let stats = HeapStats::get();

    // Not a matter of the baseline: there is none to accept here.
    let blocks = stats.total_blocks - warm.total_blocks;
    dhat::assert!(
        blocks == 0,
        "{blocks} allocations for {CHUNKS} chunks in steady state; there must be none. \
         See who made them: {}",
        profile.display(),
    );

    let totals = Totals::from(stats);
    let Some(baseline) = baseline else {
        totals.write(&path).unwrap();
        return;
    };
    let view = "sort by \"Total (blocks)\" or \"At t-gmax (bytes)\" in \
                https://nnethercote.github.io/dh_view/dh_view.html";
    dhat::assert!(
        totals.is_within(&baseline),
        "past the baseline {}:\n{}profile: {} ({view})\nto accept it: {ACCEPT}",
        path.display(),
        totals.differences(&baseline),
        profile.display(),
    );
    if totals != baseline {
        println!(
            "better than the baseline:\n{}to keep it: {ACCEPT}",
            totals.differences(&baseline)
        );
    }
}

fn read(path: &std::path::Path) -> Totals {
    match Totals::read(path) {
        Ok(baseline) => baseline,
        Err(error) => {
            panic!("cannot read the baseline {}: {error}; to make it: {ACCEPT}", path.display())
        }
    }
}
