//! The wasm engine and the proxy around it, with guests written as text.
//!
//! What is expected here is what Envoy's filter manager and the proxy-wasm C++ host do.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

mod allocator;
mod bodies;
mod callbacks;
mod failure;
mod faults;
mod fixtures;
mod fixtures_limits;
mod fixtures_numbers;
mod guest;
mod headers;
mod hostile;
mod imports;
mod limits;
mod loading;
mod order;
mod pointers;
mod replies;
mod resume;
mod shared_state;
mod starting;
mod trailers;
