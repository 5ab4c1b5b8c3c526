//! Where a plugin's bytes live, and the books about them.

#![expect(unsafe_code, reason = "an allocator, and memory that the host writes into")]

mod accounting;
mod arena;
mod books;
mod scratch;

pub use accounting::Accounting;
pub use arena::{Arena, Scope};
pub use books::Books;
pub(crate) use scratch::{reserve_scratch, with_scratch};

/// The address of the module's books, for the export that the bench host reads.
#[doc(hidden)]
pub fn books() -> *const Books {
    &raw const books::BOOKS
}
