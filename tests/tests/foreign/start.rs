//! What a runtime does before the first callback.

use bench_host::engine::Plugin as _;
use bench_host::host::{Host, Profile, Settings, World};
use bench_host::measure::{Gauge, Phase};

use crate::build::{Built, built};
use crate::languages::Language;

/// Functions that the proxy-wasm C++ host answers while `_initialize`, `main` or `_start` runs;
/// any other call is the end of the plugin. Those of its list that a runtime could start with.
const ALLOWED: [&str; 13] = [
    "args_get",
    "args_sizes_get",
    "clock_res_get",
    "clock_time_get",
    "environ_get",
    "environ_sizes_get",
    "fd_fdstat_get",
    "fd_fdstat_set_flags",
    "fd_prestat_dir_name",
    "fd_prestat_get",
    "fd_write",
    "proxy_log",
    "random_get",
];

/// Runs the start alone; returns what it took and which imports it called.
pub fn start(built: &Built) -> (Gauge, Vec<String>) {
    let host = Host::new(Settings::new(Profile::Envoy), &World::default());
    let mut guest = built.plugin.guest(host).unwrap();
    let calls = guest.host().ledger.host_calls(Phase::VmStart).into_keys().collect();
    (guest.gauge(), calls)
}

/// Nothing that a proxy forbids while a plugin starts.
pub fn allowed(language: &'static Language) {
    let Some(built) = built(language) else { return };
    let (_, calls) = start(&built);
    let forbidden: Vec<_> = calls.iter().filter(|name| !ALLOWED.contains(&&***name)).collect();
    assert!(forbidden.is_empty(), "{forbidden:?}");
}
