//! How much a store takes.

use crate::host::abi::Status;

/// How many bytes and entries a [`Shared`](super::Shared) store takes.
///
/// Real proxies have no limit here. A run of plugins of unknown origin has one, so that it ends
/// with a status instead of without memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    bytes: u64,
    entries: u64,
}

impl Default for Budget {
    /// 64 MiB in a million entries.
    fn default() -> Self {
        Self::new(64 * 1024 * 1024, 1_000_000)
    }
}

impl Budget {
    /// So many bytes, in so many entries: keys, queues, queued items, and notifications that wait.
    pub const fn new(bytes: u64, entries: u64) -> Self {
        Self { bytes, entries }
    }

    /// Takes room for `entries` entries that hold `bytes` bytes, or nothing.
    pub(super) fn take(&mut self, entries: u64, bytes: usize) -> Result<(), Status> {
        let bytes = self.bytes.checked_sub(bytes as u64).ok_or(Status::InternalFailure)?;
        let entries = self.entries.checked_sub(entries).ok_or(Status::InternalFailure)?;
        *self = Self { bytes, entries };
        Ok(())
    }

    /// Gives room back.
    pub(super) fn give_back(&mut self, entries: u64, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes as u64);
        self.entries = self.entries.saturating_add(entries);
    }
}
