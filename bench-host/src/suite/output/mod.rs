//! What a run of a suite prints and writes.

mod benches;
mod diff;
mod json;
mod junit;
mod terminal;

pub use benches::benches;
pub use json::json;
pub use junit::junit;
pub use terminal::{Paint, failures, headline, line, verdict};
