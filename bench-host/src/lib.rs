//! A native host for proxy-wasm plugins that says what every chunk costs.
//!
//! The host core needs no wasm engine: with `default-features = false` a plugin is linked natively
//! and unit-tested with plain `cargo test` (see [`testing`]). The feature `wasm` adds wasmtime and
//! everything about modules, `cli` the command line.

#[cfg(feature = "cli")]
pub mod budget;
#[cfg(feature = "cli")]
pub mod cli;
pub mod engine;
#[cfg(feature = "wasm")]
pub mod guest_build;
#[cfg(feature = "wasm")]
pub mod heap;
pub mod host;
pub mod leak;
pub mod measure;
#[cfg(feature = "wasm")]
pub mod module;
#[cfg(feature = "cli")]
pub mod package;
#[cfg(feature = "record")]
pub mod record;
pub mod replay;
pub mod report;
#[cfg(feature = "suite")]
pub mod suite;
pub mod testing;
pub mod traffic;
pub mod units;
pub mod upstream;
