//! Streams that go wrong in a real Envoy: upstreams that answer too early, break off or say nothing,
//! clients that go away, services that fail or answer when nobody waits any more.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

mod asking;
mod expected;
mod plugins;
mod server;
#[expect(dead_code, reason = "other tests need more of it")]
#[path = "../stock/stage.rs"]
mod stage;
mod steps;
mod storm;
