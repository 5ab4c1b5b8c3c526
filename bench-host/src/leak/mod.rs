//! Whether a plugin's memory grows from request to request.
//!
//! [`check`] takes the timeline of a run and answers [`Verdict::Flat`], [`Verdict::Grows`] or
//! [`Verdict::CannotTell`]. It rather cannot tell than be wrong: a cache that fills up, a table
//! that doubles and memory that wanders are no leaks, and pages alone do not show a mild one.
//! `docs/leaks.md` says how to read it.

mod blocks;
mod check;
mod theil_sen;
mod trend;

pub use check::{LeakCheck, Point, Verdict, check};
pub use theil_sen::{Slope, theil_sen};
