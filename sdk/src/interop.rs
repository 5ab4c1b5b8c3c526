//! Chunks, arena and books inside a plugin that keeps the crate `proxy-wasm`.
//!
//! Such a plugin keeps its traits and its dispatcher, and none of this crate's exports is in its
//! module. In return for a few lines its body callbacks work on [`Chunk`](crate::Chunk)s: nothing
//! crosses the boundary before they look, nothing is allocated for a chunk, nothing that did not
//! change is written back, and [`ReplaceBody`](crate::http::ReplaceBody) and its kin work as they do
//! anywhere.
//!
//! ```
//! # mod proxy_wasm { pub mod types { #[derive(Clone, Copy)] pub enum Action { Continue, Pause } } }
//! # pub trait HttpContext {
//! #     fn on_http_response_body(&mut self, body_size: usize, end_of_stream: bool) -> Action;
//! # }
//! use chunkwise::{http::BodyAction, interop::Stream};
//! use proxy_wasm::types::Action;
//!
//! chunkwise::interop!();
//!
//! struct Shout {
//!     stream: Stream<Action>, // Stream::new(Action::Continue, Action::Pause)
//! }
//!
//! impl HttpContext for Shout {
//!     fn on_http_response_body(&mut self, body_size: usize, end_of_stream: bool) -> Action {
//!         self.stream.response_body(body_size, end_of_stream, |chunk| {
//!             chunk.bytes_mut()?.make_ascii_uppercase();
//!             Ok(BodyAction::Pass)
//!         })
//!     }
//! }
//! # fn main() {}
//! ```
//!
//! This crate does not depend on the other one, so any version of it will do, and so will its
//! forks.
//!
//! Natively, in tests, the other crate's allocations are copied and freed: a plugin does the same
//! there, but allocates for each chunk.

mod replace;
mod section;
mod stream;

pub use replace::{Replace, ReplaceStream};
pub use section::SECTION;
#[doc(hidden)]
pub use section::section_bytes;
pub use stream::Stream;

/// Makes a plugin on the crate `proxy-wasm` use this crate's allocator, and keep its books.
///
/// Call it once, in the crate that becomes the module. It brings the global allocator
/// ([`Lending`](crate::memory::Lending)), the export `chunkwise_books` and the custom section
/// `chunkwise`, and no callback: those are the other crate's. A plugin that has a global allocator
/// of its own cannot use it. On other targets than wasm it does nothing.
#[macro_export]
macro_rules! interop {
    () => {
        #[cfg(target_arch = "wasm32")]
        #[expect(unsafe_code, reason = "exports need their names unmangled")]
        mod chunkwise_interop {
            #[global_allocator]
            static ALLOCATOR: $crate::memory::Lending = $crate::memory::Lending::new();

            #[used]
            #[unsafe(link_section = "chunkwise")]
            static SECTION: [u8; $crate::interop::SECTION.len()] = $crate::interop::section_bytes();

            #[unsafe(no_mangle)]
            extern "C" fn chunkwise_books() -> *const $crate::memory::Books {
                $crate::memory::books()
            }
        }
    };
}
