//! The behaviour of the examples in wasm: the same tests that run natively beside each of them.

mod fallback;
mod model_router;
mod per_domain;
mod prompt_guard;
mod upload_scan;
