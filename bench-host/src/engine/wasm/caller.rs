//! A guest in the middle of a host call.

use wasmtime::{Caller, Memory, StoreLimits, TypedFunc};

use crate::host::calls::{self, Refusal};
use crate::host::{Host, Status};

/// What the store of a guest holds.
pub(super) struct State {
    pub host: Host,
    pub limits: StoreLimits,
    pub memory: Option<Memory>,
    pub allocate: Option<TypedFunc<u32, u32>>,
}

/// A wasm guest that makes a host call.
pub(super) struct WasmCaller<'a>(pub Caller<'a, State>);

impl WasmCaller<'_> {
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
        let allocate = self.0.data().allocate.clone().ok_or(Status::InvalidMemoryAccess)?;
        match allocate.call(&mut self.0, size).map_err(Refusal::Trap)? {
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
