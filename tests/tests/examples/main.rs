//! The behaviour of the examples in wasm: the same tests that run natively beside each.

mod per_domain;
