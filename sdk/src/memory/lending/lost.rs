//! Memory of the arena that did not come back.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Blocks of the arena that somebody else has a piece of.
pub(super) struct Lost {
    count: AtomicUsize,
    ranges: [(AtomicUsize, AtomicUsize); Self::MOST],
}

pub(super) static LOST: Lost = Lost {
    count: AtomicUsize::new(0),
    ranges: [const { (AtomicUsize::new(0), AtomicUsize::new(0)) }; Lost::MOST],
};

impl Lost {
    /// A host that makes this many is given nothing of the arena any more.
    pub const MOST: usize = 8;

    pub fn add(&self, block: Option<(NonNull<u8>, usize)>) {
        let count = self.count.load(Relaxed);
        if let (Some((start, size)), Some((from, to))) = (block, self.ranges.get(count)) {
            from.store(start.addr().get(), Relaxed);
            to.store(start.addr().get() + size, Relaxed);
            self.count.store(count + 1, Relaxed);
        }
    }

    #[inline]
    pub fn is_any(&self) -> bool {
        self.count.load(Relaxed) > 0
    }

    pub fn is_full(&self) -> bool {
        self.count.load(Relaxed) == Self::MOST
    }

    pub fn has(&self, block: *mut u8) -> bool {
        let ranges = self.ranges.iter().take(self.count.load(Relaxed));
        ranges
            .into_iter()
            .any(|(from, to)| (from.load(Relaxed)..to.load(Relaxed)).contains(&block.addr()))
    }
}

#[cfg(test)]
impl Lost {
    pub fn reset(&self) {
        self.count.store(0, Relaxed);
    }
}
