//! The global allocator of a plugin on the crate `proxy-wasm`: it lends the arena's memory.
//!
//! That crate answers the host's request for memory with a vector, which comes from the global
//! allocator. So while a host call of ours is on its way, the allocation that looks like this
//! vector (bytes without alignment, of the size that is awaited) is served from the arena, and the
//! host writes into memory that is used again for every chunk.
//!
//! Nothing but the crate allocates during such a call, unless a host calls back in the middle of
//! it. Even then no memory has two owners: a piece that was handed out and did not come back with
//! the answer is left to whoever has it, with its whole block. What is trusted is that a host names
//! no memory in its answer but what it asked for; the crate trusts it with as much.

mod fetch;
mod lost;
#[cfg(test)]
mod tests;
mod window;

use std::alloc::{GlobalAlloc, Layout};
use std::ptr;

use super::Accounting;
pub(super) use fetch::{begin, end};
use lost::LOST;
use window::WINDOW;
pub(crate) use window::is_installed;

/// [`Accounting`], which also lends the arena's memory to the host while a chunk is fetched.
///
/// [`interop!`](crate::interop!) installs it.
///
/// # Cost
/// That of [`Accounting`], and a load for each allocation.
#[derive(Debug, Default)]
pub struct Lending {
    books: Accounting,
}

impl Lending {
    /// An allocator that writes into the module's books.
    pub const fn new() -> Self {
        Self { books: Accounting::new() }
    }
}

/// Whether a block came from the arena, and so is none of the allocator's.
fn is_of_the_arena(block: *mut u8) -> bool {
    WINDOW.with(|window| window.has_lent(block)) || LOST.has(block)
}

/// Whether a block could have come from the arena at all.
#[inline]
fn is_suspect() -> bool {
    WINDOW.with(|window| window.is_open()) || LOST.is_any()
}

// SAFETY: what does not come from the arena is handed on to `Accounting`, which keeps the contract,
// and so is what comes back of it. A piece of the arena is live (its scope is open, and its block
// stays when the piece does not come back), of the size that was asked for and not aligned by less;
// what is done with it does not unwind.
unsafe impl GlobalAlloc for Lending {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let open = WINDOW.with(|window| window.is_open());
        if open && let Some(piece) = WINDOW.with(|window| window.serve(layout)) {
            return piece.as_ptr();
        }
        // SAFETY: the caller keeps `alloc`'s contract.
        let block = unsafe { self.books.alloc(layout) };
        if open {
            WINDOW.with(|window| window.note(block, layout));
        }
        block
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps `alloc_zeroed`'s contract.
        unsafe { self.books.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if is_suspect() {
            let is_of_the_arena = is_of_the_arena(block);
            WINDOW.with(|window| window.forget(block));
            if is_of_the_arena {
                return;
            }
        }
        // SAFETY: the caller gives a block that this allocator returned for the same layout, and as
        // it is not of the arena, `Accounting` did.
        unsafe { self.books.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if is_suspect() {
            if is_of_the_arena(block) {
                // SAFETY: the caller keeps `realloc`'s contract.
                return unsafe { self.move_out(block, layout, size) };
            }
            WINDOW.with(|window| window.forget(block));
        }
        // SAFETY: as for `dealloc`, and the caller keeps `realloc`'s contract for the size.
        unsafe { self.books.realloc(block, layout, size) }
    }
}

impl Lending {
    /// `realloc` for a piece of the arena.
    ///
    /// # Safety
    /// As for [`GlobalAlloc::realloc`].
    #[cold]
    unsafe fn move_out(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let Ok(layout_after) = Layout::from_size_align(size, layout.align()) else {
            return ptr::null_mut();
        };
        // SAFETY: the caller gives a size that is not zero.
        let moved = unsafe { self.books.alloc(layout_after) };
        if !moved.is_null() {
            // SAFETY: both are live and at least this long, and the new one was free until now.
            unsafe { ptr::copy_nonoverlapping(block, moved, layout.size().min(size)) };
            WINDOW.with(|window| window.forget(block));
        }
        moved
    }
}
