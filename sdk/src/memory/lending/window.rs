//! What the allocator and a fetch know of each other.

use std::alloc::Layout;
use std::cell::Cell;
use std::ptr::NonNull;

use crate::memory::arena::Aside;

/// Memory of bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    pub start: NonNull<u8>,
    pub size: usize,
}

/// What an allocation may be served with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offer {
    pub piece: Piece,
    /// For an allocation of just this size, not for shorter ones.
    pub exact: bool,
}

/// What is known of the host call that is on its way.
///
/// The allocator looks at this and never at the arena, which allocates itself.
#[derive(Debug)]
pub(super) struct Window {
    pub open: Cell<bool>,
    /// What the arena has set aside for it.
    pub aside: Cell<Option<Aside>>,
    pub offer: Cell<Option<Offer>>,
    /// What the offer was taken for.
    pub lent: Cell<Option<Piece>>,
    /// The last allocation that could have been the host's, and was not served from the arena.
    pub other: Cell<Option<Piece>>,
    /// An allocation came by while a window was open.
    seen: Cell<bool>,
}

thread_local! {
    pub(super) static WINDOW: Window = const {
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
    /// Whether a host call is on its way.
    #[inline]
    pub fn is_open(&self) -> bool {
        self.open.get()
    }

    /// Serves an allocation from the arena, if it is the one that is awaited.
    pub fn serve(&self, layout: Layout) -> Option<NonNull<u8>> {
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
    pub fn note(&self, block: *mut u8, layout: Layout) {
        if let Some(start) = NonNull::new(block)
            && layout.align() == 1
        {
            self.other.set(Some(Piece { start, size: layout.size() }));
        }
    }

    /// Whether this block was lent and is not back yet.
    pub fn has_lent(&self, block: *mut u8) -> bool {
        self.lent.get().is_some_and(|lent| lent.start.as_ptr() == block)
    }

    /// Forgets a block that is not the one it was any more.
    pub fn forget(&self, block: *mut u8) {
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
