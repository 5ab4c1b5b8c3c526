//! One VM.

use std::fmt;
use std::sync::Arc;

use wasmtime::{Instance, Memory, Store, Trap};

use super::books::Books;
use super::caller::State;
use super::exports::Exports;
use super::fault::{fault, size};
use super::restriction::Restriction;
use super::run::Runner;
use super::{Limits, WasmPlugin, imports};
use crate::engine::{Callback, Fault, Guest, Heap, HeapBooks, StartError};
use crate::host::Host;
use crate::measure::{Allocations, Gauge};
use crate::module::AbiVersion;

/// A plugin in a wasmtime instance.
pub struct WasmGuest {
    runner: Runner,
    memory: Memory,
    books: Option<Books>,
    exports: Exports,
}

impl fmt::Debug for WasmGuest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WasmGuest").field("limits", &self.runner.limits).finish_non_exhaustive()
    }
}

impl WasmPlugin {
    /// Makes a VM and runs what the module runs before its first callback.
    ///
    /// # Errors
    /// [`StartError::Module`] when an import cannot be given, or when the memory or the allocator
    /// is missing; [`StartError::Fault`] when the start traps.
    pub fn instantiate(&self, host: Host) -> Result<WasmGuest, StartError> {
        let limits = self.limits;
        let mut store = Store::new(&self.engine, State::new(host, limits));
        store.limiter(|state| state);
        store.data_mut().watched = self.watched();
        let mut runner = Runner::new(store, limits);
        let store = &mut runner.store;

        let given = imports::all(store, &self.module)?;
        let instance = match Instance::new(&mut *store, &self.module, &given) {
            Ok(instance) => instance,
            Err(error) => return Err(not_instantiated(store, limits, &error)),
        };
        let missing = |reason: &str| StartError::Module { what: "load", reason: reason.to_owned() };
        let memory = instance
            .get_memory(&mut *store, "memory")
            .ok_or_else(|| missing("it exports no memory"))?;
        let allocate = ["malloc", "proxy_on_memory_allocate"]
            .into_iter()
            .find_map(|name| instance.get_typed_func(&mut *store, name).ok());
        let allocate = allocate.ok_or_else(|| {
            missing("it exports neither malloc nor proxy_on_memory_allocate as (i32) -> i32")
        })?;
        let mut functions = self.module.exports().filter(|export| export.ty().func().is_some());
        let abi = functions.find_map(|export| AbiVersion::from_marker(export.name()));
        let exports = Exports::of(store, &instance, abi)?;
        store.data_mut().memory = Some(memory);
        store.data_mut().allocate = Some(Arc::new(allocate));
        runner.memory = Some(memory);

        initialize(&mut runner, &instance)?;
        let books = Books::find(&mut runner, &instance, memory);
        Ok(WasmGuest { runner, memory, books, exports })
    }
}

/// `_initialize` and `main`, or `_start`: what the proxy-wasm C++ host runs.
fn initialize(runner: &mut Runner, instance: &Instance) -> Result<(), StartError> {
    runner.store.data_mut().restriction = Restriction::Starting;
    if let Ok(initialize) = instance.get_typed_func::<(), ()>(&mut runner.store, "_initialize") {
        runner.run("_initialize", &initialize, ())?;
        if let Ok(main) = instance.get_typed_func::<(u32, u32), u32>(&mut runner.store, "main") {
            runner.run("main", &main, (0, 0))?;
        }
    } else if let Ok(start) = instance.get_typed_func::<(), ()>(&mut runner.store, "_start") {
        runner.run("_start", &start, ())?;
    }
    runner.store.data_mut().restriction = Restriction::None;
    Ok(())
}

/// A start function that trapped, or more than a module may have.
fn not_instantiated(
    store: &mut Store<State>,
    limits: Limits,
    error: &wasmtime::Error,
) -> StartError {
    if error.is::<Trap>() {
        return fault(store, limits, "the start function", error).into();
    }
    let reason = match store.data().memory_refused {
        Some(most) => format!("{error:#}; a plugin may have {}", size(most)),
        None => format!("{error:#}"),
    };
    StartError::Module { what: "load", reason }
}

impl Guest for WasmGuest {
    fn call(&mut self, callback: Callback) -> Result<Option<u32>, Fault> {
        self.exports.call(&mut self.runner, callback).map_err(|fault| {
            let books =
                self.books.filter(|books| books.say_that_it_ends(&self.runner, self.memory));
            if books.is_some() { fault.on_purpose() } else { fault }
        })
    }

    fn gauge(&mut self) -> Gauge {
        let books = self.books.and_then(|books| books.read(&self.runner, self.memory));
        Gauge {
            fuel: self.runner.limits.fuel.map(|_| self.runner.fuel_used),
            pages: self.memory.size(&self.runner.store),
            allocations: books.map(|[count, bytes, ..]| Allocations { count, bytes }),
        }
    }

    fn heap(&mut self) -> Heap {
        let books = self.books.and_then(|books| books.read(&self.runner, self.memory));
        let books = books.map(|[count, bytes, live, peak, arena]| HeapBooks {
            allocations: Allocations { count, bytes },
            live,
            peak,
            arena,
        });
        Heap { pages: self.memory.size(&self.runner.store), books }
    }

    fn host(&mut self) -> &mut Host {
        &mut self.runner.store.data_mut().host
    }

    fn into_host(self: Box<Self>) -> Host {
        self.runner.store.into_data().host
    }
}
