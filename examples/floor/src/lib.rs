//! Replaces a text in streamed bodies, by hand on the raw ABI 0.2.1.
//!
//! This is the yardstick for the same thing written with an SDK: no SDK, no allocator, no standard
//! library, one static buffer. What decides anything is safe code that is tested natively; the
//! calls to the host and the exports exist in the module only.

#![deny(missing_docs)]
#![cfg_attr(all(target_arch = "wasm32", not(test)), no_std)]
#![cfg_attr(not(target_arch = "wasm32"), forbid(unsafe_code))]

#[cfg(target_arch = "wasm32")]
mod abi;
pub mod carries;
pub mod config;
#[cfg(target_arch = "wasm32")]
mod exports;
pub mod memory;
pub mod rewrite;
pub mod rule;
#[cfg(all(target_arch = "wasm32", not(test)))]
mod runtime;
