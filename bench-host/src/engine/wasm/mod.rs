//! Plugins as wasm modules, run by wasmtime.

mod books;
mod caller;
mod exports;
mod fault;
mod guest;
mod heap;
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

use wasmtime::{Config, Engine, ExternType, Module, OptLevel};

pub use guest::WasmGuest;
pub use limits::Limits;
use ticker::Ticker;

use crate::engine::{Guest, Plugin, StartError};
use crate::heap::{Instrumented, Recording};
use crate::host::Host;
use heap::{Watch, Watched};

/// The version of wasmtime that results name; a test keeps it equal to the lock file's.
pub const WASMTIME_VERSION: &str = "48.0.8";

/// A compiled plugin; VMs are made of it.
#[derive(Clone, Debug)]
pub struct WasmPlugin {
    engine: Engine,
    module: Module,
    limits: Limits,
    watch: Option<Watch>,
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
        Ok(Self { engine, module, limits, watch: None, _ticker: ticker.map(Arc::new) })
    }

    /// Compiles a module that was rewritten to tell about its heap; its VMs are recorded, but for
    /// the first one, in which a replay only tries the configuration.
    ///
    /// Have instructions counted (`limits.fuel`): they are the recording's clock, which stands still
    /// otherwise.
    ///
    /// # Cost
    /// A backtrace for each allocation; freeing costs a host call.
    ///
    /// # Errors
    /// As [`compile`](Self::compile).
    pub fn recording(
        module: Instrumented,
        limits: Limits,
        recording: &Recording,
    ) -> Result<Self, StartError> {
        let plugin = Self::compile(&module.bytes, limits)?;
        let watch = Watch { map: Arc::new(module.map), recording: recording.clone() };
        Ok(Self { watch: Some(watch), ..plugin })
    }

    /// What a VM that is about to be made tells about its heap, if it is recorded.
    fn watched(&self) -> Option<Watched> {
        let Watch { map, recording } = self.watch.as_ref()?;
        let pages = match self.module.get_export("memory") {
            Some(ExternType::Memory(memory)) => memory.minimum(),
            _ => 0,
        };
        Some(Watched { map: Arc::clone(map), vm: recording.vm(pages) })
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
