//! The memory that the host writes into.
//!
//! A host hands data to a plugin by calling its allocator and copying into what it gets. The arena
//! answers that call with memory that it already owns, so the slice that an author sees is the
//! very memory that the host wrote, and nothing is allocated for it.
//!
//! ```text
//!   block 0                      block 1 (only after an overflow)
//!   ┌────────────┬───────┬────┐  ┌─────────────────────┐
//!   │ outer scope│ inner │free│  │ …                   │
//!   └────────────┴───────┴────┘  └─────────────────────┘
//!                ▲ mark of the inner scope: where its drop goes back to
//! ```

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::slice;

use super::books::BOOKS;

#[cfg(feature = "proxy-wasm")]
mod aside;
#[cfg(feature = "proxy-wasm")]
pub(super) use aside::Aside;

/// Alignment of every piece: what the widest vector load likes.
const ALIGN: usize = 16;

/// A bump allocator whose memory is used again for every callback.
///
/// # Cost
/// Nothing is allocated while a callback's data fits into the memory of an earlier callback. What
/// does not fit gets a block of its own; when that callback ends, one block takes the place of all,
/// so that the next one like it allocates nothing.
#[derive(Debug, Default)]
pub struct Arena {
    blocks: RefCell<Vec<Block>>,
    /// How many blocks there are, and which part of the last one is not used: what every callback
    /// needs, without looking into the list.
    count: Cell<usize>,
    last: Cell<Option<NonNull<u8>>>,
    capacity: Cell<usize>,
    used: Cell<usize>,
    /// Scopes that are open.
    depth: Cell<usize>,
    /// Scopes were not used as a stack; nothing is freed until the last of them ends.
    disorder: Cell<bool>,
    /// The piece that the host asked for last and that nobody has claimed yet.
    granted: Cell<Option<Grant>>,
    /// A buffer that the host's next request gets instead of a piece.
    loan: RefCell<Loan>,
    /// Whether there is one: what every request looks at.
    lending: Cell<bool>,
    /// The host asks another allocator than this arena, see `aside`.
    #[cfg(feature = "proxy-wasm")]
    lends: bool,
}

/// What becomes of a buffer that [`Arena::lend`] was given.
#[derive(Debug, Default)]
enum Loan {
    #[default]
    Nothing,
    Offered(Vec<u8>),
    Taken(Vec<u8>),
}

#[derive(Debug)]
struct Block {
    start: NonNull<u8>,
    layout: Layout,
}

#[derive(Clone, Copy, Debug)]
struct Grant {
    start: NonNull<u8>,
    size: usize,
}

impl Arena {
    /// An arena without memory.
    pub const fn new() -> Self {
        Self {
            blocks: RefCell::new(Vec::new()),
            count: Cell::new(0),
            last: Cell::new(None),
            capacity: Cell::new(0),
            used: Cell::new(0),
            depth: Cell::new(0),
            disorder: Cell::new(false),
            granted: Cell::new(None),
            loan: RefCell::new(Loan::Nothing),
            lending: Cell::new(false),
            #[cfg(feature = "proxy-wasm")]
            lends: false,
        }
    }

    /// Makes sure that one piece of `bytes` can be granted without allocating.
    pub fn reserve(&self, bytes: usize) {
        if self.count.get() == 0 {
            // Not having it is no failure here: the host's own request will say so.
            let _ = self.add_block(bytes);
        }
    }

    /// Bytes held, used or not.
    pub fn reserved(&self) -> usize {
        self.blocks.borrow().iter().map(|block| block.layout.size()).sum()
    }

    /// Answers the host's allocation; null when there is no memory.
    pub fn grant(&self, size: usize) -> *mut u8 {
        if self.lending.get() {
            return self.grant_loan(size);
        }
        match self.take(size) {
            Some(start) => {
                self.granted.set(Some(Grant { start, size }));
                start.as_ptr()
            }
            None => ptr::null_mut(),
        }
    }

    /// Has the host write into `buffer` during `call`, for bytes that outlive the callback.
    ///
    /// `call` makes one host call and gives the pointer and size that the host returned. The answer
    /// is `None` when that is not the buffer. It is copied once, by the host; it is allocated only
    /// when its capacity does not do.
    pub fn lend(
        &self,
        mut buffer: Vec<u8>,
        call: impl FnOnce() -> (*mut u8, usize),
    ) -> Option<Vec<u8>> {
        buffer.clear();
        self.loan.replace(Loan::Offered(buffer));
        self.lending.set(true);
        let (start, size) = call();
        self.lending.set(false);
        match self.loan.take() {
            Loan::Taken(mut buffer) if ptr::eq(buffer.as_ptr(), start) && size <= buffer.len() => {
                buffer.truncate(size);
                Some(buffer)
            }
            // A host has nothing to write for empty data.
            Loan::Offered(buffer) if size == 0 => Some(buffer),
            _ => None,
        }
    }

    /// Opens a scope: what is claimed through it is free again when it is dropped.
    #[inline]
    pub fn scope(&self) -> Scope<'_> {
        let depth = self.depth.get() + 1;
        self.depth.set(depth);
        if depth == 1 && self.used.get() > 0 {
            // Whatever a host was granted outside of any callback has no owner: use it again.
            self.rewind(Mark::START);
        }
        let mark = Mark { block: self.count.get(), used: self.used.get() };
        Scope { arena: self, depth, mark, not_sync: PhantomData }
    }

    #[cold]
    fn grant_loan(&self, size: usize) -> *mut u8 {
        self.lending.set(false);
        let Loan::Offered(mut buffer) = self.loan.take() else { return ptr::null_mut() };
        if buffer.try_reserve_exact(size).is_err() {
            return ptr::null_mut();
        }
        // Whatever the host does not write is zero, and not what the buffer had before.
        buffer.resize(size, 0);
        let start = buffer.as_mut_ptr();
        self.loan.replace(Loan::Taken(buffer));
        start
    }

    fn take(&self, size: usize) -> Option<NonNull<u8>> {
        let size = size.checked_add(ALIGN - 1)? & !(ALIGN - 1);
        let (start, at) = match self.last.get() {
            Some(start) if size <= self.capacity.get() - self.used.get() => {
                (start, self.used.get())
            }
            _ => (self.add_block(size.max(self.reserved()))?, 0),
        };
        self.used.set(at + size);
        // SAFETY: `at + size` is at most the block's size (checked above, or the block was made
        // for it), so the offset stays inside of the block's one allocation.
        Some(unsafe { start.add(at) })
    }

    #[cold]
    fn add_block(&self, size: usize) -> Option<NonNull<u8>> {
        let layout = Layout::from_size_align(size.max(ALIGN), ALIGN).ok()?;
        // Zeroed once, so that a slice over memory that a host did not write is still defined.
        // SAFETY: the layout's size is at least `ALIGN`, hence not zero.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) })?;
        BOOKS.arena_grew(layout.size());
        let mut blocks = self.blocks.borrow_mut();
        blocks.push(Block { start, layout });
        self.count.set(blocks.len());
        self.last.set(Some(start));
        self.capacity.set(layout.size());
        self.used.set(0);
        Some(start)
    }

    #[inline]
    fn rewind(&self, mark: Mark) {
        // A grant that nobody claimed must not be claimed once its memory is free again.
        self.granted.set(None);
        if mark.block == 0 {
            self.used.set(0);
            if self.count.get() > 1 {
                self.merge();
            }
        } else if mark.block == self.count.get() {
            self.used.set(mark.used);
        }
        // Otherwise a block was added inside of the scope; it serves the scopes around it, and
        // its bytes are free again with the outermost one.
    }

    /// Puts one block in the place of all of them, none of which is used any more.
    #[cold]
    fn merge(&self) {
        let reserved = self.reserved();
        self.blocks.borrow_mut().clear();
        self.count.set(0);
        self.last.set(None);
        // Not having it is no failure here: the next request of the host will say so.
        let _ = self.add_block(reserved);
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        BOOKS.arena_shrank(self.layout.size());
        // SAFETY: `start` came from `alloc_zeroed` with this very layout, and a block is dropped
        // once.
        unsafe { dealloc(self.start.as_ptr(), self.layout) }
    }
}

/// Where a scope began.
#[derive(Clone, Copy, Debug)]
struct Mark {
    /// How many blocks there were.
    block: usize,
    /// How much of the last one was used.
    used: usize,
}

impl Mark {
    const START: Self = Self { block: 0, used: 0 };
}

/// The span of one callback: what the host wrote during it can be borrowed until it ends.
#[derive(Debug)]
pub struct Scope<'arena> {
    arena: &'arena Arena,
    /// How many scopes were open with this one: while it is the innermost, as many as there are.
    depth: usize,
    mark: Mark,
    not_sync: PhantomData<*mut u8>,
}

/// What the host answered to a call that returns data.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    pub status: u32,
    pub data: *mut u8,
    pub size: usize,
}

impl Scope<'_> {
    /// Makes a host call that returns data, in memory that can then be [claimed](Self::claim).
    ///
    /// `wanted` is how many bytes will come, where that is known. `None`: the host made this call
    /// from within another one of the same kind, which has to end first.
    #[inline]
    #[cfg_attr(
        not(feature = "proxy-wasm"),
        expect(unused_variables, reason = "a host that asks the arena itself says how many")
    )]
    pub(crate) fn receive(
        &self,
        wanted: Option<usize>,
        call: impl FnOnce(*mut *mut u8, *mut usize) -> u32,
    ) -> Option<Answer> {
        #[cfg(feature = "proxy-wasm")]
        if self.arena.lends && !super::lending::begin(self.arena, wanted) {
            return None;
        }
        let mut answer = Answer { status: 0, data: ptr::null_mut(), size: 0 };
        answer.status = call(&raw mut answer.data, &raw mut answer.size);
        #[cfg(feature = "proxy-wasm")]
        if self.arena.lends {
            answer.data = super::lending::end(self.arena, answer);
        }
        Some(answer)
    }

    /// Borrows what the host wrote, if it wrote it where it was told to.
    ///
    /// `None` means that the pointer is not the piece granted last, or that more was written than
    /// was asked for: such memory must not be touched.
    #[expect(
        clippy::mut_from_ref,
        reason = "each piece is handed out once; taking the grant makes sure of it"
    )]
    pub fn claim(&self, start: *mut u8, size: usize) -> Option<&mut [u8]> {
        if size == 0 {
            return Some(&mut []);
        }
        let grant = self.arena.granted.take()?;
        if !ptr::eq(grant.start.as_ptr(), start) || size > grant.size {
            return None;
        }
        if self.depth != self.arena.depth.get() {
            // An inner scope is open and must not free this piece when it ends.
            self.arena.disorder.set(true);
        }
        // SAFETY: the grant is a piece of a live block, at least `size` bytes long and initialised
        // (zeroed when the block was made, then written by the host). `Drop` and `disorder` keep
        // the piece from being granted again before this scope ends. It was just taken out of
        // `granted`, so no other slice covers it.
        Some(unsafe { slice::from_raw_parts_mut(grant.start.as_ptr(), size) })
    }
}

impl Drop for Scope<'_> {
    #[inline]
    fn drop(&mut self) {
        let arena = self.arena;
        // The driver opens a scope in each callback, and callbacks nest, so scopes are a stack.
        // Where a caller does not keep to that, memory waits for the last of them.
        if self.depth != arena.depth.get() {
            arena.disorder.set(true);
        }
        let open = arena.depth.get() - 1;
        arena.depth.set(open);
        if open == 0 {
            arena.disorder.set(false);
            arena.rewind(Mark::START);
        } else if !arena.disorder.get() {
            arena.rewind(self.mark);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written<'scope>(arena: &Arena, scope: &'scope Scope<'_>, data: &[u8]) -> &'scope mut [u8] {
        let piece = arena.grant(data.len());
        let slice = scope.claim(piece, data.len()).unwrap();
        slice.copy_from_slice(data);
        slice
    }

    #[test]
    fn memory_is_used_again_for_every_callback() {
        let arena = Arena::new();
        arena.reserve(1024);
        let first = {
            let scope = arena.scope();
            written(&arena, &scope, b"one").as_ptr()
        };
        let scope = arena.scope();
        assert_eq!(written(&arena, &scope, b"two").as_ptr(), first);
        assert_eq!(arena.reserved(), 1024);
    }

    #[test]
    fn spikes_end_with_one_block_that_is_enough() {
        let arena = Arena::new();
        for _ in 0..2 {
            let scope = arena.scope();
            for _ in 0..10 {
                written(&arena, &scope, &[7; 1000]);
            }
        }
        assert_eq!(arena.blocks.borrow().len(), 1);
        let reserved = arena.reserved();
        let scope = arena.scope();
        for _ in 0..10 {
            written(&arena, &scope, &[7; 1000]);
        }
        assert_eq!(arena.reserved(), reserved, "another spike fits");
    }

    #[test]
    fn pieces_of_one_scope_do_not_overlap() {
        let arena = Arena::new();
        let scope = arena.scope();
        let pieces: Vec<_> = (0..50u8)
            .map(|n| (n, written(&arena, &scope, &vec![n; usize::from(n) * 7 + 1])))
            .collect();
        for (n, piece) in pieces {
            assert!(piece.iter().all(|byte| *byte == n));
        }
    }

    #[test]
    fn an_inner_callback_frees_its_own_memory_only() {
        let arena = Arena::new();
        arena.reserve(1024);
        let outer = arena.scope();
        let kept = written(&arena, &outer, b"outer");
        for _ in 0..100 {
            let inner = arena.scope();
            written(&arena, &inner, &[1; 500]);
        }
        assert_eq!(kept, b"outer");
        assert_eq!(arena.reserved(), 1024);
    }

    #[test]
    fn an_outer_claim_survives_the_inner_scope_that_was_open() {
        let arena = Arena::new();
        arena.reserve(1024);
        let outer = arena.scope();
        let inner = arena.scope();
        let kept = written(&arena, &outer, b"outer");
        drop(inner);
        let next = arena.scope();
        written(&arena, &next, b"other");
        assert_eq!(kept, b"outer");
    }

    #[test]
    fn an_outer_scope_that_ends_first_frees_nothing_of_the_inner() {
        let arena = Arena::new();
        arena.reserve(1024);
        let outer = arena.scope();
        let inner = arena.scope();
        let kept = written(&arena, &inner, b"inner");
        drop(outer);
        let next = arena.scope();
        written(&arena, &next, b"other");
        assert_eq!(kept, b"inner");
    }

    #[test]
    fn a_grant_that_nobody_claimed_dies_with_its_scope() {
        let arena = Arena::new();
        arena.reserve(64);
        let stale = {
            let _scope = arena.scope();
            arena.grant(8)
        };
        let scope = arena.scope();
        assert!(scope.claim(stale, 8).is_none());
    }

    #[test]
    fn memory_that_was_not_granted_is_refused() {
        let arena = Arena::new();
        let scope = arena.scope();
        let mut foreign = [0u8; 8];
        assert!(scope.claim(foreign.as_mut_ptr(), 8).is_none(), "nothing was granted");
        let piece = arena.grant(8);
        assert!(scope.claim(piece, 9).is_none(), "more than was asked for");
        let piece = arena.grant(8);
        assert!(scope.claim(piece, 8).is_some());
        assert!(scope.claim(piece, 8).is_none(), "a second claim would alias the first");
        assert_eq!(scope.claim(ptr::null_mut(), 0).unwrap(), b"", "an empty answer has no memory");
    }

    #[test]
    fn an_absurd_size_is_answered_with_null() {
        let arena = Arena::new();
        assert!(arena.grant(usize::MAX).is_null());
        assert!(arena.grant(isize::MAX as usize).is_null());
        let scope = arena.scope();
        assert_eq!(written(&arena, &scope, b"still works"), b"still works");
    }
}
