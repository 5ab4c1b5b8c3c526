//! Host calls: what each does, whatever engine the guest runs on.
//!
//! Addresses are the guest's. Every function checks them through [`Caller`], and nothing that a
//! guest passes can do more than get a status back.

mod buffers;
mod callouts;
mod foreign;
mod headers;
mod properties;
mod shared;
mod streams;
mod system;

pub use buffers::*;
pub use callouts::*;
pub use foreign::*;
pub use headers::*;
pub use properties::*;
pub use shared::*;
pub use streams::*;
pub use system::*;

use super::abi::Status;
use super::headers::decode_pairs;
use super::{Host, Pairs, Profile};

/// The guest that is making a host call: its memory, and the host behind it.
pub trait Caller {
    /// What ends the guest when its allocator does not return.
    type Trap;

    /// The host.
    fn host(&mut self) -> &mut Host;

    /// Reads guest memory.
    fn read<R>(
        &mut self,
        at: u64,
        len: u64,
        read: impl FnOnce(&mut Host, &[u8]) -> R,
    ) -> Result<R, Status>;

    /// Writes guest memory.
    fn write(
        &mut self,
        at: u64,
        len: usize,
        write: impl FnOnce(&mut Host, &mut [u8]),
    ) -> Result<(), Status>;

    /// Writes a pointer or a size, as wide as the guest's.
    fn write_word(&mut self, at: u64, word: u64) -> Result<(), Status>;

    /// Asks the guest for memory.
    fn allocate(&mut self, size: usize) -> Result<u64, Refusal<Self::Trap>>;
}

/// Why a host call did not do what it says.
#[derive(Debug)]
pub enum Refusal<T> {
    /// The guest gets this status.
    Status(Status),
    /// The guest is over.
    Trap(T),
}

impl<T> From<Status> for Refusal<T> {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

/// What a host call comes to.
pub type Answer<C> = Result<(), Refusal<<C as Caller>::Trap>>;

/// A piece of guest memory: address and length.
#[derive(Clone, Copy, Debug)]
pub struct Span(pub u64, pub u64);

/// Where a guest wants a pointer and a length written.
#[derive(Clone, Copy, Debug)]
pub struct Out(pub u64, pub u64);

fn take<C: Caller>(c: &mut C, span: Span) -> Result<Vec<u8>, Status> {
    c.read(span.0, span.1, |host, bytes| {
        host.ledger.bytes_out(bytes.len() as u64);
        bytes.to_vec()
    })
}

/// Hands `len` bytes over: the guest's allocator, one copy, pointer and length.
fn give<C: Caller>(
    c: &mut C,
    out: Out,
    len: usize,
    fill: impl FnOnce(&mut Host, &mut [u8]),
) -> Answer<C> {
    let at = if len == 0 {
        0
    } else {
        let at = c.allocate(len)?;
        c.write(at, len, |host, memory| {
            fill(host, memory);
            host.ledger.bytes_in(len as u64);
        })?;
        at
    };
    c.write_word(out.0, at)?;
    c.write_word(out.1, len as u64)?;
    Ok(())
}

fn give_bytes<C: Caller>(c: &mut C, out: Out, bytes: &[u8]) -> Answer<C> {
    give(c, out, bytes.len(), |_, memory| memory.copy_from_slice(bytes))
}

/// Writes a number of 32 bits.
fn put_u32<C: Caller>(c: &mut C, at: u64, number: u32) -> Result<(), Status> {
    c.write(at, 4, |_, memory| memory.copy_from_slice(&number.to_le_bytes()))
}

/// Writes a number of 64 bits.
fn put_u64<C: Caller>(c: &mut C, at: u64, number: u64) -> Result<(), Status> {
    c.write(at, 8, |_, memory| memory.copy_from_slice(&number.to_le_bytes()))
}

/// Reads pairs, with names in lower case.
fn take_pairs<C: Caller>(c: &mut C, span: Span) -> Result<Pairs, Status> {
    let wire = bytes::Bytes::from(take(c, span)?);
    let pairs = decode_pairs(&wire).into_iter();
    let part = |part: &[u8]| wire.slice_ref(part);
    Ok(pairs.map(|(name, value)| (lower(part(name)), part(value))).collect())
}

fn lower(name: bytes::Bytes) -> bytes::Bytes {
    if name.iter().any(u8::is_ascii_uppercase) { name.to_ascii_lowercase().into() } else { name }
}

/// Refuses a call that only Higress has, and counts it.
fn only_higress<C: Caller>(c: &mut C, import: &str) -> Result<(), Status> {
    let host = c.host();
    if host.settings.profile == Profile::Higress {
        return Ok(());
    }
    host.not_emulated(import);
    Err(Status::Unimplemented)
}
