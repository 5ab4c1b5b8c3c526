//! A plugin that does what the request header `x-do` says: it answers any callback with any number
//! and makes any host call in it, and logs what it was told and how each call was answered.
//!
//! It is written on the raw ABI 0.2.1, since an SDK rules out just what is worth comparing. Each
//! callback of a stream logs one line that begins with `@KEY`, where the key is the request's
//! `x-exchange`.

#![cfg_attr(not(target_arch = "wasm32"), forbid(unsafe_code))]

#[cfg(target_arch = "wasm32")]
mod abi;
#[cfg(target_arch = "wasm32")]
mod exports;
pub mod host;
pub mod script;
pub mod streams;
