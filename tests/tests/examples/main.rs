//! The behaviour of the examples in wasm: the same tests that run natively beside each.

mod ext_auth;
mod moderate;
mod per_domain;
mod token_count;
