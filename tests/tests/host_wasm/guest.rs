//! Guests as text, shared with other tests.

pub use chunkwise_tests::guest::*;
