//! The source of `examples/adopt/before` with the SDK's allocator and books, and nothing else.

#![cfg(target_arch = "wasm32")]

#[path = "../../../examples/adopt/before/src/lib.rs"]
mod before;

chunkwise::interop!();
