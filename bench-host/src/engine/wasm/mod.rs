//! Plugins as wasm modules, run by wasmtime.

mod books;
mod caller;
mod exports;
mod fault;
mod guest;
mod imports;
mod limits;
mod restriction;
mod run;
mod runtime_imports;
mod stub;
mod ticker;
mod wasi;

use std::num::NonZeroUsize;
use std::sync::Arc;

use wasmtime::{Config, Engine, Module, OptLevel};

pub use guest::WasmGuest;
pub use limits::Limits;
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

/// Frames of a stack that are counted: more than fit on the deepest.
const TRACED_FRAMES: NonZeroUsize = NonZeroUsize::new(Limits::MOST_STACK / 16).expect("not zero");

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
            .max_wasm_stack(limits.stack.clamp(1, Limits::MOST_STACK))
            .wasm_backtrace_max_frames(Some(TRACED_FRAMES))
            // Which bits a NaN has is the machine's choice, and counts must not depend on it.
            .cranelift_nan_canonicalization(limits.fuel.is_some())
            // Addresses of the ABI are 32 bits wide.
            .wasm_memory64(false)
            .cranelift_opt_level(OptLevel::Speed);
        let fail = |error: wasmtime::Error| StartError::Module {
            what: "compile",
            // In one line, like any other reason.
            reason: format!("{error:#}").split_whitespace().collect::<Vec<_>>().join(" "),
        };
        let engine = Engine::new(&config).map_err(fail)?;
        let module = Module::from_binary(&engine, bytes).map_err(fail)?;
        let ticker = limits.deadline.map(|_| Ticker::start(&engine)).transpose();
        let ticker = ticker.map_err(|error| StartError::Module {
            what: "load",
            reason: format!("the machine starts no more threads: {error}"),
        })?;
        Ok(Self { engine, module, limits, _ticker: ticker.map(Arc::new) })
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
