//! The plugin's own books, laid out so that a host can read them without a call.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counters that the accounting allocator and the arena keep, in bytes and blocks.
///
/// The layout is part of the contract with the bench host: the export `chunkwise_books` returns
/// its address, [`Books::VERSION`] is the first word, and fields are only ever added at the end.
///
/// # Cost
/// A plugin has one thread, so each counter is a plain load and store there.
#[derive(Debug)]
#[repr(C)]
pub struct Books {
    version: AtomicU64,
    allocations: AtomicU64,
    allocated_bytes: AtomicU64,
    live_bytes: AtomicU64,
    live_peak: AtomicU64,
    arena_bytes: AtomicU64,
    ending: AtomicU64,
}

/// The books of this module.
pub(crate) static BOOKS: Books = Books {
    version: AtomicU64::new(Books::VERSION),
    allocations: AtomicU64::new(0),
    allocated_bytes: AtomicU64::new(0),
    live_bytes: AtomicU64::new(0),
    live_peak: AtomicU64::new(0),
    arena_bytes: AtomicU64::new(0),
    ending: AtomicU64::new(0),
};

impl Books {
    /// First word of the layout.
    pub const VERSION: u64 = 1;

    /// Last word of the layout once the VM is about to end itself for a fresh one: a trap that
    /// follows is no failure. Books that do not have the word have no such value behind them.
    pub const ENDING: u64 = u64::from_le_bytes(*b"rebuild!");

    #[cfg(target_arch = "wasm32")]
    pub(crate) fn end(&self) {
        self.ending.store(Self::ENDING, Relaxed);
    }

    pub(crate) fn allocated(&self, bytes: usize) {
        bump(&self.allocations, 1);
        bump(&self.allocated_bytes, bytes as u64);
        let live = bump(&self.live_bytes, bytes as u64);
        if live > self.live_peak.load(Relaxed) {
            self.live_peak.store(live, Relaxed);
        }
    }

    pub(crate) fn freed(&self, bytes: usize) {
        let live = self.live_bytes.load(Relaxed);
        self.live_bytes.store(live.saturating_sub(bytes as u64), Relaxed);
    }

    pub(crate) fn arena_grew(&self, bytes: usize) {
        bump(&self.arena_bytes, bytes as u64);
    }

    pub(crate) fn arena_shrank(&self, bytes: usize) {
        let reserved = self.arena_bytes.load(Relaxed);
        self.arena_bytes.store(reserved.saturating_sub(bytes as u64), Relaxed);
    }
}

/// A load and a store instead of an atomic addition: a plugin has one thread, and natively, where
/// tests run on many, the books are not read.
fn bump(counter: &AtomicU64, by: u64) -> u64 {
    let sum = counter.load(Relaxed).wrapping_add(by);
    counter.store(sum, Relaxed);
    sum
}
