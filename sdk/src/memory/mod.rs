//! Where a plugin's bytes live, and the books about them.

#![expect(unsafe_code, reason = "an allocator, and memory that the host writes into")]

mod accounting;
mod arena;
mod books;
#[cfg(feature = "proxy-wasm")]
mod lending;
mod scratch;

pub use accounting::Accounting;
pub use arena::{Arena, Scope};
pub use books::Books;
#[cfg(feature = "proxy-wasm")]
pub use lending::Lending;
#[cfg(feature = "proxy-wasm")]
pub(crate) use lending::is_installed;
pub(crate) use scratch::{reserve_scratch, with_scratch};

/// The address of the module's books, for the export that the bench host reads.
#[doc(hidden)]
pub fn books() -> *const Books {
    &raw const books::BOOKS
}
