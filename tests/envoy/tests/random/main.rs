//! The bench host predicts what Envoy does with traffic and plugins that nobody thought of.
//!
//! `PROPTEST_CASES` sets how many of each, `PROPTEST_RNG_SEED` which ones; without it they are the
//! same in every run. `CHUNKWISE_GO_ON` prints what differs instead of stopping to shrink it.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

mod case;
mod found;
mod run;
mod scripts;
mod traffic;
