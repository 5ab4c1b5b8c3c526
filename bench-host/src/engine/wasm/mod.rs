//! Plugins as wasm modules, run by wasmtime.

mod caller;
mod fault;
mod guest;
mod imports;
mod stub;
mod ticker;
mod wasi;

use std::sync::Arc;
use std::time::Duration;

use wasmtime::{Config, Engine, Module, OptLevel};

pub use guest::WasmGuest;
use ticker::Ticker;

use crate::engine::{Guest, Plugin, StartError};
use crate::host::Host;

/// The version of wasmtime that results name; a test keeps it equal to the lock file's.
pub const WASMTIME_VERSION: &str = "48.0.8";

/// A compiled plugin; VMs are made of it.
#[derive(Clone, Debug)]
pub struct WasmPlugin {
    engine: Engine,
    module: Module,
    limits: Limits,
    _ticker: Option<Arc<Ticker>>,
}

/// What a guest may use before it is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Instructions in one callback; `None` counts none (and costs no time for counting).
    pub fuel: Option<u64>,
    /// Time for one callback; `None` sets no limit (and costs no time for looking).
    pub deadline: Option<Duration>,
    /// Bytes of linear memory.
    pub memory: usize,
}

impl Limits {
    /// Seconds of work for any machine, and still the end of an endless loop.
    pub const FUEL: u64 = 10_000_000_000;

    /// What the proxy-wasm C++ host allows: `PROXY_WASM_HOST_MAX_WASM_MEMORY_SIZE_BYTES`.
    pub const MEMORY: usize = 1024 * 1024 * 1024;

    /// Counts instructions, so that costs are exact.
    pub const COUNTED: Self =
        Self { fuel: Some(Self::FUEL), deadline: Some(Self::DEADLINE), memory: Self::MEMORY };

    /// Counts nothing, so that time is what it is in a proxy. For traffic that the plugin has been
    /// through before: nothing stops it.
    pub const UNCOUNTED: Self = Self { fuel: None, deadline: None, memory: Self::MEMORY };

    /// Counts nothing, and stops what does not end.
    pub const STOPPED: Self =
        Self { fuel: None, deadline: Some(Self::DEADLINE), memory: Self::MEMORY };

    /// Fuel does not count what host calls do for a guest, so time is limited besides: longer than
    /// any callback that a proxy would bear.
    pub const DEADLINE: Duration = Duration::from_secs(10);
}

impl WasmPlugin {
    /// Compiles a module.
    ///
    /// # Errors
    /// [`StartError::Module`] when it is not valid or uses what wasmtime does not have.
    pub fn compile(bytes: &[u8], limits: Limits) -> Result<Self, StartError> {
        let mut config = Config::new();
        config
            .consume_fuel(limits.fuel.is_some())
            .epoch_interruption(limits.deadline.is_some())
            .cranelift_opt_level(OptLevel::Speed);
        let fail = |error: wasmtime::Error| StartError::Module {
            what: "compile",
            reason: format!("{error:#}"),
        };
        let engine = Engine::new(&config).map_err(fail)?;
        let module = Module::from_binary(&engine, bytes).map_err(fail)?;
        let ticker = limits.deadline.map(|_| Arc::new(Ticker::start(&engine)));
        Ok(Self { engine, module, limits, _ticker: ticker })
    }
}

impl Plugin for WasmPlugin {
    fn guest(&self, host: Host) -> Result<Box<dyn Guest>, StartError> {
        Ok(Box::new(self.instantiate(host)?))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_version_in_results_is_the_locked_one() {
        let lock = include_str!("../../../../Cargo.lock");
        let entry = format!("name = \"wasmtime\"\nversion = \"{}\"", super::WASMTIME_VERSION);
        assert!(lock.contains(&entry));
    }
}
