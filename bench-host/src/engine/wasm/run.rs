//! Running a function of a guest within its limits.

use wasmtime::{Memory, Store, TypedFunc, WasmParams, WasmResults};

use super::caller::State;
use super::fault::fault;
use super::limits::Limits;
use super::ticker::epochs;
use crate::engine::Fault;

/// A guest's store, and what its calls have used so far.
pub(super) struct Runner {
    pub store: Store<State>,
    pub limits: Limits,
    pub fuel_used: u64,
    /// The guest's memory, once there is one.
    pub memory: Option<Memory>,
}

impl Runner {
    pub fn new(mut store: Store<State>, limits: Limits) -> Self {
        refuel(&mut store, limits, 0);
        Self { store, limits, fuel_used: 0, memory: None }
    }

    /// Calls a function; beyond what it allocates itself, only a fault does.
    pub fn run<P: WasmParams, R: WasmResults>(
        &mut self,
        name: &'static str,
        function: &TypedFunc<P, R>,
        params: P,
    ) -> Result<R, Fault> {
        refuel(&mut self.store, self.limits, self.fuel_used);
        if let Some(memory) = self.memory {
            let bytes = memory.data_size(&self.store) as u64;
            self.store.data_mut().host.memory_bytes = bytes;
        }
        let result = function.call(&mut self.store, params);
        if let Some(budget) = self.limits.fuel {
            self.fuel_used += budget - self.store.get_fuel().unwrap_or(budget);
        }
        if let Some(watched) = &mut self.store.data_mut().watched {
            watched.vm.end(self.fuel_used);
        }
        result.map_err(|error| fault(&mut self.store, self.limits, name, &error))
    }
}

fn refuel(store: &mut Store<State>, limits: Limits, used: u64) {
    store.data_mut().begin();
    if let Some(watched) = &mut store.data_mut().watched {
        watched.vm.begin(used, limits.fuel.unwrap_or(0));
    }
    if let Some(deadline) = limits.deadline {
        store.set_epoch_deadline(epochs(deadline));
    }
    if let Some(budget) = limits.fuel {
        store
            .set_fuel(budget)
            .expect("the engine was set up to count exactly when there is a budget");
    }
}
