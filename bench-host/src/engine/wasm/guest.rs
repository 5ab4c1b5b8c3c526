//! One VM.

use std::fmt;

use wasmtime::{Instance, Memory, Store, StoreLimitsBuilder, Trap, TypedFunc, WasmParams};

use super::caller::State;
use super::fault::fault;
use super::ticker::epochs;
use super::{Limits, WasmPlugin, imports};
use crate::engine::{Callback, Fault, Guest, Heap, HeapBooks, StartError};
use crate::host::Host;
use crate::measure::{Allocations, Gauge};

/// A plugin in a wasmtime instance.
pub struct WasmGuest {
    store: Store<State>,
    memory: Memory,
    limits: Limits,
    fuel_used: u64,
    /// Address of the guest's books, where it keeps any.
    books: Option<usize>,
    exports: Exports,
}

impl fmt::Debug for WasmGuest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WasmGuest").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// The callbacks that the module has.
struct Exports {
    context_create: Option<TypedFunc<(u32, u32), ()>>,
    vm_start: Option<TypedFunc<(u32, u32), u32>>,
    configure: Option<TypedFunc<(u32, u32), u32>>,
    request_headers: Option<HeadersCallback>,
    request_body: Option<TypedFunc<(u32, u32, u32), u32>>,
    request_trailers: Option<TypedFunc<(u32, u32), u32>>,
    response_headers: Option<HeadersCallback>,
    response_body: Option<TypedFunc<(u32, u32, u32), u32>>,
    response_trailers: Option<TypedFunc<(u32, u32), u32>>,
    log: Option<TypedFunc<u32, ()>>,
    done: Option<TypedFunc<u32, u32>>,
    delete: Option<TypedFunc<u32, ()>>,
}

/// ABI 0.1.0 does not say whether headers end the stream.
enum HeadersCallback {
    WithEnd(TypedFunc<(u32, u32, u32), u32>),
    WithoutEnd(TypedFunc<(u32, u32), u32>),
}

/// First word of the books (`chunkwise::memory::Books`), and how many words follow that are read.
const BOOKS_VERSION: u64 = 1;
const BOOKS_WORDS: usize = 5;

/// Entries of a table, and tables of a module: far beyond any program, and little for the host.
const TABLE_ELEMENTS: usize = 1_000_000;
const TABLES: usize = 16;

impl WasmPlugin {
    /// Makes a VM and runs what the module runs before its first callback.
    ///
    /// # Errors
    /// [`StartError::Module`] when an import cannot be given or the memory is not exported;
    /// [`StartError::Fault`] when the start traps.
    pub fn instantiate(&self, host: Host) -> Result<WasmGuest, StartError> {
        // A limit is that of one memory or table, so their number needs one too.
        let limits = StoreLimitsBuilder::new()
            .memory_size(self.limits.memory)
            .memories(1)
            .table_elements(TABLE_ELEMENTS)
            .tables(TABLES)
            .build();
        let state = State { host, limits, memory: None, allocate: None };
        let mut store = Store::new(&self.engine, state);
        store.limiter(|state| &mut state.limits);
        refuel(&mut store, self.limits);

        let given = imports::all(&mut store, &self.module)?;
        let instance = Instance::new(&mut store, &self.module, &given)
            .map_err(|error| not_instantiated(&error))?;
        let memory = instance.get_memory(&mut store, "memory").ok_or_else(|| {
            StartError::Module { what: "load", reason: "it exports no memory".to_owned() }
        })?;
        store.data_mut().memory = Some(memory);
        let allocate = ["malloc", "proxy_on_memory_allocate"]
            .into_iter()
            .find_map(|name| instance.get_typed_func(&mut store, name).ok());
        store.data_mut().allocate = allocate;
        let exports = Exports::of(&mut store, &instance);
        let limits = self.limits;
        let mut guest = WasmGuest { store, memory, limits, fuel_used: 0, books: None, exports };
        guest.initialize(&instance)?;
        guest.find_books(&instance);
        Ok(guest)
    }
}

/// A start function that trapped, or more than a module may have.
fn not_instantiated(error: &wasmtime::Error) -> StartError {
    if error.is::<Trap>() {
        fault("the start function", error).into()
    } else {
        StartError::Module { what: "load", reason: format!("{error:#}") }
    }
}

impl WasmGuest {
    /// `_initialize` and `main`, or `_start`: what the proxy-wasm C++ host runs.
    fn initialize(&mut self, instance: &Instance) -> Result<(), StartError> {
        if let Ok(initialize) = instance.get_typed_func::<(), ()>(&mut self.store, "_initialize") {
            self.run("_initialize", &initialize, ())?;
            if let Ok(main) = instance.get_typed_func::<(u32, u32), u32>(&mut self.store, "main") {
                self.run("main", &main, (0, 0))?;
            }
        } else if let Ok(start) = instance.get_typed_func::<(), ()>(&mut self.store, "_start") {
            self.run("_start", &start, ())?;
        }
        Ok(())
    }

    fn find_books(&mut self, instance: &Instance) {
        let Ok(books) = instance.get_typed_func::<(), u32>(&mut self.store, "chunkwise_books")
        else {
            return;
        };
        let at =
            self.run("chunkwise_books", &books, ()).ok().and_then(|at| usize::try_from(at).ok());
        self.books = at.filter(|at| self.word(*at) == Some(BOOKS_VERSION));
    }

    fn word(&self, at: usize) -> Option<u64> {
        let bytes = self.memory.data(&self.store).get(at..)?.first_chunk()?;
        Some(u64::from_le_bytes(*bytes))
    }

    fn books(&self) -> Option<[u64; BOOKS_WORDS]> {
        let at = self.books?;
        let bytes = self.memory.data(&self.store).get(at + 8..at + 8 + BOOKS_WORDS * 8)?;
        let mut words = [0; BOOKS_WORDS];
        for (word, bytes) in words.iter_mut().zip(bytes.as_chunks().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        Some(words)
    }

    fn run<P: WasmParams, R: wasmtime::WasmResults>(
        &mut self,
        name: &'static str,
        function: &TypedFunc<P, R>,
        params: P,
    ) -> Result<R, Fault> {
        run(&mut self.store, &mut self.fuel_used, self.limits, name, function, params)
    }
}

impl Guest for WasmGuest {
    fn call(&mut self, callback: Callback) -> Result<Option<u32>, Fault> {
        let Self { store, fuel_used, limits, exports, .. } = self;
        let name = callback.export();
        // Each arm is one export with the arguments of its own type.
        macro_rules! call {
            ($export:ident, $params:expr) => {
                match &exports.$export {
                    Some(function) => {
                        run(store, fuel_used, *limits, name, function, $params).map(Answer::number)
                    }
                    None => Ok(None),
                }
            };
        }
        macro_rules! call_headers {
            ($export:ident, $context:expr, $count:expr, $end:expr) => {
                match &exports.$export {
                    Some(HeadersCallback::WithEnd(function)) => {
                        let params = ($context, $count, u32::from($end));
                        run(store, fuel_used, *limits, name, function, params).map(Answer::number)
                    }
                    Some(HeadersCallback::WithoutEnd(function)) => {
                        run(store, fuel_used, *limits, name, function, ($context, $count))
                            .map(Answer::number)
                    }
                    None => Ok(None),
                }
            };
        }
        match callback {
            Callback::ContextCreate { context, parent } => call!(context_create, (context, parent)),
            Callback::VmStart { context, size } => call!(vm_start, (context, size)),
            Callback::Configure { context, size } => call!(configure, (context, size)),
            Callback::RequestHeaders { context, count, end } => {
                call_headers!(request_headers, context, count, end)
            }
            Callback::RequestBody { context, size, end } => {
                call!(request_body, (context, size, u32::from(end)))
            }
            Callback::RequestTrailers { context, count } => {
                call!(request_trailers, (context, count))
            }
            Callback::ResponseHeaders { context, count, end } => {
                call_headers!(response_headers, context, count, end)
            }
            Callback::ResponseBody { context, size, end } => {
                call!(response_body, (context, size, u32::from(end)))
            }
            Callback::ResponseTrailers { context, count } => {
                call!(response_trailers, (context, count))
            }
            Callback::Log { context } => call!(log, context),
            Callback::Done { context } => call!(done, context),
            Callback::Delete { context } => call!(delete, context),
            _ => Ok(None),
        }
    }

    fn gauge(&mut self) -> Gauge {
        let books = self.books();
        Gauge {
            fuel: self.limits.fuel.map(|_| self.fuel_used),
            pages: self.memory.size(&self.store),
            allocations: books.map(|[count, bytes, ..]| Allocations { count, bytes }),
        }
    }

    fn heap(&mut self) -> Heap {
        let books = self.books().map(|[count, bytes, live, peak, arena]| HeapBooks {
            allocations: Allocations { count, bytes },
            live,
            peak,
            arena,
        });
        Heap { pages: self.memory.size(&self.store), books }
    }

    fn host(&mut self) -> &mut Host {
        &mut self.store.data_mut().host
    }

    fn into_host(self: Box<Self>) -> Host {
        self.store.into_data().host
    }
}

impl Exports {
    fn of(store: &mut Store<State>, instance: &Instance) -> Self {
        // An export of another type than the ABI's is as good as none.
        macro_rules! typed {
            ($name:literal) => {
                instance.get_typed_func(&mut *store, $name).ok()
            };
        }
        macro_rules! headers {
            ($name:literal) => {
                typed!($name)
                    .map(HeadersCallback::WithEnd)
                    .or_else(|| typed!($name).map(HeadersCallback::WithoutEnd))
            };
        }
        Self {
            context_create: typed!("proxy_on_context_create"),
            vm_start: typed!("proxy_on_vm_start"),
            configure: typed!("proxy_on_configure"),
            request_headers: headers!("proxy_on_request_headers"),
            request_body: typed!("proxy_on_request_body"),
            request_trailers: typed!("proxy_on_request_trailers"),
            response_headers: headers!("proxy_on_response_headers"),
            response_body: typed!("proxy_on_response_body"),
            response_trailers: typed!("proxy_on_response_trailers"),
            log: typed!("proxy_on_log"),
            done: typed!("proxy_on_done"),
            delete: typed!("proxy_on_delete"),
        }
    }
}

/// What an export returns, as the number that the host acts on.
trait Answer {
    fn number(self) -> Option<u32>;
}

impl Answer for u32 {
    fn number(self) -> Option<u32> {
        Some(self)
    }
}

impl Answer for () {
    fn number(self) -> Option<u32> {
        Some(1)
    }
}

fn run<P: WasmParams, R: wasmtime::WasmResults>(
    store: &mut Store<State>,
    fuel_used: &mut u64,
    limits: Limits,
    name: &'static str,
    function: &TypedFunc<P, R>,
    params: P,
) -> Result<R, Fault> {
    refuel(store, limits);
    let result = function.call(&mut *store, params);
    if let Some(budget) = limits.fuel {
        *fuel_used += budget - store.get_fuel().unwrap_or(budget);
    }
    result.map_err(|error| fault(name, &error))
}

fn refuel(store: &mut Store<State>, limits: Limits) {
    if let Some(deadline) = limits.deadline {
        store.set_epoch_deadline(epochs(deadline));
    }
    if let Some(budget) = limits.fuel {
        store
            .set_fuel(budget)
            .expect("the engine was set up to count exactly when there is a budget");
    }
}
