//! The global allocator of a plugin on the crate `proxy-wasm`: it lends the arena's memory.
//!
//! That crate answers the host's request for memory with a vector, which comes from the global
//! allocator. So while a host call of ours is on its way, the allocation that looks like this
//! vector (bytes without alignment, of the size that is awaited) is served from the arena, and the
//! host writes into memory that is used again for every chunk.
//!
//! Nothing but the crate allocates during such a call, unless a host calls back in the middle of
//! it. Even then no memory has two owners: a piece that was handed out and did not come back with
//! the answer is left to whoever has it, with its whole block.

use std::alloc::{GlobalAlloc, Layout, dealloc};
use std::cell::Cell;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::Accounting;
use super::arena::{Answer, Arena, Aside};

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

/// Natively other threads allocate as well, and nobody installs this allocator.
const LENDS: bool = cfg!(any(target_arch = "wasm32", test));

/// Memory of bytes.
#[derive(Clone, Copy, Debug)]
struct Piece {
    start: NonNull<u8>,
    size: usize,
}

/// What an allocation may be served with.
#[derive(Clone, Copy, Debug)]
struct Offer {
    piece: Piece,
    /// For an allocation of just this size, not for shorter ones.
    exact: bool,
}

/// What is known of the host call that is on its way.
///
/// The allocator looks at this and never at the arena, which allocates itself.
#[derive(Debug)]
struct Window {
    open: Cell<bool>,
    /// What the arena has set aside for it.
    aside: Cell<Option<Aside>>,
    offer: Cell<Option<Offer>>,
    /// What the offer was taken for.
    lent: Cell<Option<Piece>>,
    /// The last allocation that could have been the host's, and was not served from the arena.
    other: Cell<Option<Piece>>,
    /// An allocation came by while a window was open.
    seen: Cell<bool>,
}

thread_local! {
    static WINDOW: Window = const {
        Window {
            open: Cell::new(false),
            aside: Cell::new(None),
            offer: Cell::new(None),
            lent: Cell::new(None),
            other: Cell::new(None),
            seen: Cell::new(false),
        }
    };
}

impl Window {
    /// Serves an allocation from the arena, if it is the one that is awaited.
    fn serve(&self, layout: Layout) -> Option<NonNull<u8>> {
        self.seen.set(true);
        let Offer { piece, exact } = self.offer.get()?;
        let fits = if exact { layout.size() == piece.size } else { layout.size() <= piece.size };
        if layout.align() != 1 || !fits {
            return None;
        }
        self.offer.set(None);
        self.lent.set(Some(Piece { size: layout.size(), ..piece }));
        Some(piece.start)
    }

    /// Remembers an allocation that was served from elsewhere.
    fn note(&self, block: *mut u8, layout: Layout) {
        if let Some(start) = NonNull::new(block)
            && layout.align() == 1
        {
            self.other.set(Some(Piece { start, size: layout.size() }));
        }
    }

    /// Whether this block was lent and is not back yet.
    fn has_lent(&self, block: *mut u8) -> bool {
        self.lent.get().is_some_and(|lent| lent.start.as_ptr() == block)
    }

    /// Forgets a block that is not the one it was any more.
    fn forget(&self, block: *mut u8) {
        for piece in [&self.lent, &self.other] {
            if piece.get().is_some_and(|piece| piece.start.as_ptr() == block) {
                piece.set(None);
            }
        }
    }
}

/// Whether the module's global allocator is [`Lending`]. Known after the first fetch.
pub(crate) fn is_installed() -> bool {
    WINDOW.with(|window| window.seen.get())
}

/// Gets ready for a host call that returns data, for as many bytes as are known to come.
///
/// False for a call in the middle of another one, which must not be made.
pub(super) fn begin(arena: &Arena, wanted: Option<usize>) -> bool {
    WINDOW.with(|window| {
        if window.open.replace(true) {
            return false;
        }
        let aside = if LENDS && !LOST.is_full() { arena.set_aside(wanted) } else { None };
        window.aside.set(aside);
        window.offer.set(aside.map(|aside| Offer {
            piece: Piece { start: aside.start, size: aside.size },
            exact: wanted.is_some(),
        }));
        true
    })
}

/// Ends a host call that returned data, and tells where these can be claimed from `arena` now.
pub(super) fn end(arena: &Arena, answer: Answer) -> *mut u8 {
    let (aside, lent, other) = WINDOW.with(|window| {
        window.open.set(false);
        window.offer.set(None);
        (window.aside.take(), window.lent.take(), window.other.take())
    });
    match (&aside, lent) {
        (Some(aside), Some(lent)) if ptr::eq(answer.data, lent.start.as_ptr()) => {
            arena.settle(aside, lent.size);
            return answer.data;
        }
        (Some(aside), Some(_)) => LOST.add(arena.abandon(aside)),
        (Some(aside), None) => arena.settle(aside, 0),
        (None, _) => {}
    }
    let Some(other) = other.filter(|other| ptr::eq(answer.data, other.start.as_ptr())) else {
        return natively(arena, answer);
    };
    match Layout::from_size_align(other.size, 1) {
        Ok(layout) if answer.size <= other.size => {
            let data = copied(arena, other.start, answer.size);
            // SAFETY: `Lending` had this piece from `Accounting` during the call, for this layout,
            // and did not see it freed. The crate forgot it, and the host's answer is the only one
            // that names it.
            unsafe { Accounting::new().dealloc(other.start.as_ptr(), layout) };
            data
        }
        // More than it had asked for.
        _ => answer.data,
    }
}

/// Takes an answer over natively, where [`Lending`] is not installed and sees nothing.
fn natively(arena: &Arena, answer: Answer) -> *mut u8 {
    let is_elsewhere = cfg!(any(target_arch = "wasm32", test));
    match (NonNull::new(answer.data), Layout::from_size_align(answer.size, 1)) {
        (Some(start), Ok(layout)) if !is_elsewhere && answer.status == 0 && answer.size > 0 => {
            let data = copied(arena, start, answer.size);
            // SAFETY: natively the host is the native engine, which answers with what the plugin's
            // `proxy_on_memory_allocate` gave it for this many bytes: in the crate a boxed slice,
            // which it forgot.
            unsafe { dealloc(answer.data, layout) };
            data
        }
        _ => answer.data,
    }
}

/// Copies an answer into the arena; null when there is no memory.
#[cold]
fn copied(arena: &Arena, from: NonNull<u8>, size: usize) -> *mut u8 {
    let to = arena.grant(size);
    if !to.is_null() {
        // SAFETY: both callers give a live piece of at least `size` bytes, so is the grant, and the
        // grant was free until now.
        unsafe { ptr::copy_nonoverlapping(from.as_ptr(), to, size) };
    }
    to
}

/// Blocks of the arena that somebody else has a piece of.
struct Lost {
    count: AtomicUsize,
    ranges: [(AtomicUsize, AtomicUsize); Self::MOST],
}

static LOST: Lost = Lost {
    count: AtomicUsize::new(0),
    ranges: [const { (AtomicUsize::new(0), AtomicUsize::new(0)) }; Lost::MOST],
};

impl Lost {
    /// A host that makes this many is given nothing of the arena any more.
    const MOST: usize = 8;

    fn add(&self, block: Option<(NonNull<u8>, usize)>) {
        let count = self.count.load(Relaxed);
        if let (Some((start, size)), Some((from, to))) = (block, self.ranges.get(count)) {
            from.store(start.addr().get(), Relaxed);
            to.store(start.addr().get() + size, Relaxed);
            self.count.store(count + 1, Relaxed);
        }
    }

    fn is_full(&self) -> bool {
        self.count.load(Relaxed) == Self::MOST
    }

    fn has(&self, block: *mut u8) -> bool {
        let ranges = self.ranges.iter().take(self.count.load(Relaxed));
        ranges
            .into_iter()
            .any(|(from, to)| (from.load(Relaxed)..to.load(Relaxed)).contains(&block.addr()))
    }
}

/// Whether a block came from the arena, and so is none of the allocator's.
fn is_of_the_arena(block: *mut u8) -> bool {
    WINDOW.with(|window| window.has_lent(block)) || LOST.has(block)
}

/// Whether a block could have come from the arena at all.
#[inline]
fn is_suspect() -> bool {
    WINDOW.with(|window| window.open.get()) || LOST.count.load(Relaxed) > 0
}

// SAFETY: what does not come from the arena is handed on to `Accounting`, which keeps the contract,
// and so is what comes back of it. A piece of the arena is live (its scope is open, and its block
// stays when the piece does not come back), of the size that was asked for and not aligned by less;
// what is done with it does not unwind.
unsafe impl GlobalAlloc for Lending {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let open = WINDOW.with(|window| window.open.get());
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

#[cfg(test)]
mod tests;
