//! A native plugin in the middle of a host call.

use std::cell::Cell;
use std::convert::Infallible;
use std::ptr;
use std::rc::Rc;
use std::slice;

use chunkwise::abi::Guest as Exports;

use crate::host::calls::{Answer, Caller, Refusal};
use crate::host::{Host, Status};

/// The VM whose callback runs on this thread.
pub(super) struct Active {
    pub host: Box<Host>,
    pub exports: Rc<dyn Exports>,
}

thread_local! {
    static ACTIVE: Cell<Option<Active>> = const { Cell::new(None) };
}

/// Runs a callback with a VM in place for its host calls.
pub(super) fn enter<R>(active: Active, callback: impl FnOnce() -> R) -> (R, Active) {
    let outer = ACTIVE.replace(Some(active));
    let result = callback();
    let active = ACTIVE.replace(outer).expect("host calls put the VM back, see `host_call`");
    (result, active)
}

/// Makes a host call of the VM whose callback runs on this thread.
pub(super) fn host_call(name: &str, call: impl FnOnce(&mut Active) -> Answer<Active>) -> u32 {
    let Some(mut active) = ACTIVE.take() else {
        // A plugin's code that runs outside of any callback has no host.
        return Status::InternalFailure as u32;
    };
    let place = active.host.ledger.import(name);
    active.host.ledger.host_call(place);
    let status = match call(&mut active) {
        Ok(()) => Status::Ok,
        Err(Refusal::Status(status)) => status,
        Err(Refusal::Trap(never)) => match never {},
    };
    ACTIVE.set(Some(active));
    status as u32
}

impl Caller for Active {
    type Trap = Infallible;

    fn host(&mut self) -> &mut Host {
        &mut self.host
    }

    fn read<R>(
        &mut self,
        at: u64,
        len: u64,
        read: impl FnOnce(&mut Host, &[u8]) -> R,
    ) -> Result<R, Status> {
        let len = usize::try_from(len).map_err(|_| Status::InvalidMemoryAccess)?;
        if len == 0 {
            return Ok(read(&mut self.host, &[]));
        }
        let start = ptr::with_exposed_provenance(address(at)?);
        // SAFETY: the plugin is Rust code of this process that passes the pointer and length of a
        // live slice of its own (the contract of every symbol in `symbols`).
        let bytes = unsafe { slice::from_raw_parts(start, len) };
        Ok(read(&mut self.host, bytes))
    }

    fn write(
        &mut self,
        at: u64,
        len: usize,
        write: impl FnOnce(&mut Host, &mut [u8]),
    ) -> Result<(), Status> {
        let start = ptr::with_exposed_provenance_mut(address(at)?);
        // SAFETY: as for `read`, and out pointers and allocations are the plugin's to be written
        // to while it waits for the call.
        let bytes = unsafe { slice::from_raw_parts_mut(start, len) };
        write(&mut self.host, bytes);
        Ok(())
    }

    fn write_word(&mut self, at: u64, word: u64) -> Result<(), Status> {
        let word = usize::try_from(word).map_err(|_| Status::InvalidMemoryAccess)?;
        self.write(at, size_of::<usize>(), |_, to| to.copy_from_slice(&word.to_ne_bytes()))
    }

    fn allocate(&mut self, size: usize) -> Result<u64, Refusal<Infallible>> {
        let start = self.exports.allocate(size);
        if start.is_null() {
            return Err(Status::InvalidMemoryAccess.into());
        }
        Ok(start.expose_provenance() as u64)
    }
}

fn address(at: u64) -> Result<usize, Status> {
    usize::try_from(at).ok().filter(|at| *at != 0).ok_or(Status::InvalidMemoryAccess)
}
