//! The global allocator of a plugin: the standard one, with books.

use std::alloc::{GlobalAlloc, Layout, System};

use super::books::BOOKS;

/// Counts what the plugin allocates and frees, and passes it on to the standard allocator.
///
/// [`plugin!`](crate::plugin) installs it. The bench host reads the counters after every callback,
/// so "this phase allocates nothing" is a number and not a hope.
///
/// # Cost
/// A few plain additions for each allocation; below the noise of a wall clock.
#[derive(Debug, Default)]
pub struct Accounting;

impl Accounting {
    /// An allocator that writes into the module's books.
    pub const fn new() -> Self {
        Self
    }
}

// SAFETY: every method hands its arguments on to `System` unchanged and returns what `System`
// returned, so `System` keeps the whole contract of `GlobalAlloc`.
unsafe impl GlobalAlloc for Accounting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps `alloc`'s contract (a layout of non-zero size).
        let block = unsafe { System.alloc(layout) };
        if !block.is_null() {
            BOOKS.allocated(layout.size());
        }
        block
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps `alloc_zeroed`'s contract (a layout of non-zero size).
        let block = unsafe { System.alloc_zeroed(layout) };
        if !block.is_null() {
            BOOKS.allocated(layout.size());
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        BOOKS.freed(layout.size());
        // SAFETY: the caller gives a block that this allocator, hence `System`, returned for
        // the same layout.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as for `dealloc`, and the caller gives a non-zero size.
        let moved = unsafe { System.realloc(block, layout, size) };
        if !moved.is_null() {
            BOOKS.freed(layout.size());
            BOOKS.allocated(size);
        }
        moved
    }
}
