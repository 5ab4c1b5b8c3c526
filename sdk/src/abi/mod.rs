//! The boundary: raw host calls, their numbers and wire formats, and the exports that hosts call.

#![expect(unsafe_code, reason = "host calls take pointers")]

mod exports;
pub(crate) mod host;
pub mod pairs;
mod raw;
mod types;

pub use exports::Guest;
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub use exports::initialize;
#[doc(hidden)]
pub use exports::{section, section_bytes};
pub use types::{Buffer, Direction, Map, Status};
