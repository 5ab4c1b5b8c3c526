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

/// Ends the VM with a trap that the books tell from a failure. Natively a panic of its own kind
/// stands for it, about which no panic hook says anything.
#[cold]
pub(crate) fn end_vm() -> ! {
    #[cfg(target_arch = "wasm32")]
    {
        books::BOOKS.end();
        core::arch::wasm32::unreachable()
    }
    #[cfg(not(target_arch = "wasm32"))]
    std::panic::resume_unwind(Box::new(Ending))
}

/// What a plugin that runs natively panics with when it ends its VM for a fresh one.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Ending;

/// The address of the module's books, for the export that the bench host reads.
#[doc(hidden)]
pub fn books() -> *const Books {
    &raw const books::BOOKS
}
