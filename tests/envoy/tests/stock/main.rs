//! What a stock Envoy does with plugins, and that the bench host's profile `envoy` does the same.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

mod actions;
mod callouts;
mod calls;
mod held;
mod properties;
mod stage;
mod told;
mod workers;
