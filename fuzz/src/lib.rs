//! What must hold for everything that comes from outside, one property a module.
//!
//! Each `check` takes bytes by chance and panics where its property does not hold. Fuzz targets
//! feed them from libFuzzer, and `bench-host/tests/corpus.rs`, which includes this file as a
//! module, from the seeds in `corpus/`. So what is here may only depend on what that test can have.

#![forbid(unsafe_code)]

pub mod foreign_functions;
#[cfg(feature = "wasm")]
pub mod host_calls;
mod input;
#[cfg(feature = "wasm")]
pub mod module;
mod native;
pub mod pairs;
pub mod property_path;
pub mod redis;
#[cfg(feature = "suite")]
pub mod suite;
pub mod traffic;
pub mod upstreams;
