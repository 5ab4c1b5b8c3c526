//! Memory that is set aside before the host asks another allocator for it.
//!
//! In a plugin on the crate `proxy-wasm` the host asks that crate for memory, and the crate asks
//! the global allocator. So a piece is ready before the host call, and the allocator
//! ([`Lending`](crate::memory::Lending)) hands it out.

use std::mem;
use std::ptr::NonNull;

use super::{ALIGN, Arena, Grant};

/// What is set aside at least where nobody knows how much will come.
const LEAST: usize = 1024;

/// A piece that is set aside.
#[derive(Clone, Copy, Debug)]
pub(in crate::memory) struct Aside {
    pub start: NonNull<u8>,
    pub size: usize,
    /// How many blocks there were with its own, and where in that one it begins and ends.
    blocks: usize,
    from: usize,
    to: usize,
}

impl Arena {
    /// An arena whose memory reaches the host by way of another allocator.
    pub(crate) fn lending() -> Self {
        let mut arena = Self::new();
        arena.lends = true;
        arena
    }

    /// Whether the host asks another allocator.
    pub(crate) fn is_lending(&self) -> bool {
        self.lends
    }

    /// Sets memory aside: `wanted` bytes, or else whatever the last block has left.
    pub(in crate::memory) fn set_aside(&self, wanted: Option<usize>) -> Option<Aside> {
        let rest = (self.capacity.get() - self.used.get()) / ALIGN * ALIGN;
        let size = wanted.unwrap_or(rest.max(LEAST));
        let start = self.take(size)?;
        let to = self.used.get();
        let from = to - size.next_multiple_of(ALIGN);
        Some(Aside { start, size, blocks: self.count.get(), from, to })
    }

    /// Makes the first `size` bytes of a piece the grant that is claimed next; the others are free.
    pub(in crate::memory) fn settle(&self, aside: &Aside, size: usize) {
        let size = size.min(aside.size);
        if self.count.get() == aside.blocks && self.used.get() == aside.to {
            self.used.set(aside.from + size.next_multiple_of(ALIGN));
        }
        self.granted.set((size > 0).then_some(Grant { start: aside.start, size }));
    }

    /// Gives a piece's whole block away for good, and tells where it lies and how long it is.
    #[cold]
    pub(in crate::memory) fn abandon(&self, aside: &Aside) -> Option<(NonNull<u8>, usize)> {
        self.granted.set(None);
        // Marks of the scopes that are open count blocks, so none of them frees anything any more.
        self.disorder.set(true);
        let mut blocks = self.blocks.borrow_mut();
        let at = blocks.iter().position(|block| {
            let offset = aside.start.addr().get().checked_sub(block.start.addr().get());
            offset.is_some_and(|offset| offset < block.layout.size())
        })?;
        let block = blocks.remove(at);
        let whole = (block.start, block.layout.size());
        // Whoever has the piece keeps it: the memory must never be used again.
        mem::forget(block);
        let last = blocks.last();
        let capacity = last.map_or(0, |block| block.layout.size());
        self.count.set(blocks.len());
        self.last.set(last.map(|block| block.start));
        self.capacity.set(capacity);
        self.used.set(capacity);
        Some(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_needed_of_a_piece_is_free_again() {
        let arena = Arena::lending();
        arena.reserve(64 * 1024);
        let scope = arena.scope();
        let aside = arena.set_aside(None).unwrap();
        assert_eq!(aside.size, 64 * 1024, "all there is");
        arena.settle(&aside, 5);
        assert_eq!(scope.claim(aside.start.as_ptr(), 5).unwrap().len(), 5);
        let next = arena.set_aside(Some(7)).unwrap();
        assert_eq!(next.start.addr().get(), aside.start.addr().get() + ALIGN);
        arena.settle(&next, 0);
        assert!(scope.claim(next.start.as_ptr(), 7).is_none(), "nobody has asked for it");
        assert_eq!(arena.reserved(), 64 * 1024);
    }

    #[test]
    fn a_block_that_is_abandoned_is_not_used_again() {
        let arena = Arena::lending();
        arena.reserve(256);
        let outer = arena.scope();
        let kept = arena.set_aside(Some(8)).unwrap();
        arena.settle(&kept, 8);
        let kept = outer.claim(kept.start.as_ptr(), 8).unwrap();
        kept.copy_from_slice(b"borrowed");
        let lost = {
            let _inner = arena.scope();
            let aside = arena.set_aside(Some(16)).unwrap();
            arena.abandon(&aside).unwrap()
        };
        let (start, size) = (lost.0.addr().get(), lost.1);
        assert_eq!(size, 256);
        for _ in 0..20 {
            let scope = arena.scope();
            let aside = arena.set_aside(Some(100)).unwrap();
            assert!(!(start..start + size).contains(&aside.start.addr().get()));
            arena.settle(&aside, 100);
            scope.claim(aside.start.as_ptr(), 100).unwrap().fill(0);
        }
        assert_eq!(kept, b"borrowed");
        drop(outer);
        assert!(arena.set_aside(Some(usize::MAX)).is_none(), "no such memory");
    }
}
