//! What a run of a suite prints and writes.

#[cfg(feature = "cli")]
mod benches;
mod diff;
mod json;
mod junit;
mod terminal;

#[cfg(feature = "cli")]
pub use benches::benches;
pub use json::json;
pub use junit::junit;
pub use terminal::{Paint, failures, headline, line, verdict};
