//! The behaviour of the examples in wasm: the same tests that run natively beside each of them.

mod ext_auth;
mod fallback;
mod leader;
mod leaky;
mod model_router;
mod moderate;
mod per_domain;
mod prompt_guard;
mod quota;
mod rebuild;
mod rewrite;
mod ticks;
mod token_count;
mod upload_scan;
