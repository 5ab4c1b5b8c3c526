//! The boundary: raw host calls, their numbers and wire formats, and the exports that hosts call.

mod exports;
pub(crate) mod host;
pub mod pairs;
mod raw;
mod types;

#[doc(hidden)]
pub use exports::section_bytes;
pub use exports::{ABI_VERSION, Guest, SECTION};
pub use types::{Buffer, Direction, Map, Status};
