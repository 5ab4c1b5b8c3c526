//! Replaces texts in bodies chunk by chunk, on the `proxy-wasm` crate.
//!
//! This is the plugin that one writes today from that crate's documentation and examples. It is
//! here to be measured against, and so neither tuned nor slowed down.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

#[cfg(target_arch = "wasm32")]
mod plugin;
pub mod rules;
