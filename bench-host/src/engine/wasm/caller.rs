//! A guest in the middle of a host call.

use std::mem;
use std::sync::Arc;

use wasmtime::{Caller, Memory, TypedFunc};

use super::heap::Watched;
use super::limits::Limits;
use super::restriction::{Import, Restriction};
use crate::host::calls::{self, Refusal};
use crate::host::{Host, Profile, Status};

/// What the store of a guest holds.
pub(super) struct State {
    pub host: Host,
    pub memory: Option<Memory>,
    /// The guest's allocator; behind a pointer, since the type of a function is dear to clone.
    pub allocate: Option<Arc<TypedFunc<u32, u32>>>,
    /// What the guest may call at the moment.
    pub restriction: Restriction,
    /// Bytes that linear memory may have.
    pub most_memory: usize,
    /// Set when memory did not grow in the current callback: what it cannot grow past.
    pub memory_refused: Option<usize>,
    /// Names of the imports, by their places in the ledger.
    pub imports: Vec<String>,
    /// Where the guest's heap is recorded.
    pub watched: Option<Watched>,
    /// The import called last, by its place.
    place: usize,
    /// The host call whose request for memory failed, by its place.
    failed_in: Option<usize>,
    /// Requests for memory that are under way, one inside the other.
    allocating: usize,
}

/// How deep allocations may lie in one another: an allocator that makes host calls which hand it
/// something is legal, one that never stops doing so is not.
const MOST_ALLOCATING: usize = 64;

impl State {
    pub fn new(host: Host, limits: Limits) -> Self {
        Self {
            host,
            memory: None,
            allocate: None,
            restriction: Restriction::None,
            most_memory: limits.memory,
            memory_refused: None,
            imports: Vec::new(),
            watched: None,
            place: 0,
            failed_in: None,
            allocating: 0,
        }
    }

    /// A callback begins.
    pub fn begin(&mut self) {
        self.memory_refused = None;
        self.failed_in = None;
        self.allocating = 0;
    }

    /// The host call that asked for memory when the guest failed.
    pub fn failed_host_call(&self) -> Option<String> {
        self.imports.get(self.failed_in?).cloned()
    }

    /// The place of an import, under which the ledger counts its calls.
    pub fn import(&mut self, name: &str) -> usize {
        let place = self.host.ledger.import(name);
        if self.imports.len() <= place {
            self.imports.resize(place + 1, String::new());
            self.imports[place] = name.to_owned();
        }
        place
    }
}

/// A wasm guest that makes a host call.
pub(super) struct WasmCaller<'a>(pub Caller<'a, State>);

impl WasmCaller<'_> {
    /// Every host call begins here: it is counted, and refused where it may not be made.
    pub fn enter(&mut self, import: Import) -> wasmtime::Result<()> {
        let state = self.0.data_mut();
        state.host.ledger.host_call(import.place);
        state.place = import.place;
        if import.allowed.during(state.restriction) {
            return Ok(());
        }
        Err(state.restriction.refuse(state.imports.get(import.place).map_or("", String::as_str)))
    }

    fn memory(&mut self) -> Result<(&mut [u8], &mut Host), Status> {
        let memory = self.0.data().memory.ok_or(Status::InvalidMemoryAccess)?;
        let (bytes, state) = memory.data_and_store_mut(&mut self.0);
        Ok((bytes, &mut state.host))
    }
}

impl calls::Caller for WasmCaller<'_> {
    type Trap = wasmtime::Error;

    fn host(&mut self) -> &mut Host {
        &mut self.0.data_mut().host
    }

    fn read<R>(
        &mut self,
        at: u64,
        len: u64,
        read: impl FnOnce(&mut Host, &[u8]) -> R,
    ) -> Result<R, Status> {
        let (memory, host) = self.memory()?;
        let range = range(at, len)?;
        let bytes = memory.get(range).ok_or(Status::InvalidMemoryAccess)?;
        Ok(read(host, bytes))
    }

    fn write(
        &mut self,
        at: u64,
        len: usize,
        write: impl FnOnce(&mut Host, &mut [u8]),
    ) -> Result<(), Status> {
        let (memory, host) = self.memory()?;
        let range = range(at, len as u64)?;
        let bytes = memory.get_mut(range).ok_or(Status::InvalidMemoryAccess)?;
        write(host, bytes);
        Ok(())
    }

    fn write_word(&mut self, at: u64, word: u64) -> Result<(), Status> {
        let word = u32::try_from(word).map_err(|_| Status::InvalidMemoryAccess)?;
        self.write(at, 4, |_, memory| memory.copy_from_slice(&word.to_le_bytes()))
    }

    fn allocate(&mut self, size: usize) -> Result<u64, Refusal<wasmtime::Error>> {
        let size = u32::try_from(size).map_err(|_| Status::InvalidMemoryAccess)?;
        let state = self.0.data_mut();
        let allocate = state.allocate.clone().ok_or(Status::InvalidMemoryAccess)?;
        let place = state.place;
        if state.allocating == MOST_ALLOCATING {
            state.failed_in = Some(place);
            return Err(Refusal::Trap(wasmtime::Error::msg(format!(
                "its allocator makes host calls that allocate in turn, {MOST_ALLOCATING} deep"
            ))));
        }
        state.allocating += 1;
        let within = match state.host.settings.profile {
            Profile::Envoy => Restriction::Allocating,
            // Its host lets Go's collector, which runs inside the allocator, ask for the time.
            Profile::Higress => state.restriction,
        };
        let around = mem::replace(&mut state.restriction, within);
        let result = allocate.call(&mut self.0, size);
        let state = self.0.data_mut();
        state.restriction = around;
        state.allocating -= 1;
        if result.is_err() {
            // Of calls inside each other, the innermost failed first.
            state.failed_in.get_or_insert(place);
        }
        state.place = place;
        match result.map_err(Refusal::Trap)? {
            0 => Err(Status::InvalidMemoryAccess.into()),
            at => Ok(at.into()),
        }
    }
}

fn range(at: u64, len: u64) -> Result<std::ops::Range<usize>, Status> {
    let end = at.checked_add(len).ok_or(Status::InvalidMemoryAccess)?;
    let start = usize::try_from(at).map_err(|_| Status::InvalidMemoryAccess)?;
    let end = usize::try_from(end).map_err(|_| Status::InvalidMemoryAccess)?;
    Ok(start..end)
}
