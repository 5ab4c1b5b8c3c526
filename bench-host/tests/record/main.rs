//! The command `record` between a client and an upstream of our own, on loopback.

#![cfg(all(feature = "cli", unix))]
#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

mod client;
mod convert;
mod endings;
mod exchanges;
mod losses;
mod raw;
mod recorder;
mod replayed;
mod secrets;
mod streams;
mod upstream;
