//! Heap profiles of the SDK: what is profiled, and the baselines that it is held to.
//!
//! Each program in `src/bin` profiles the module here that has its name, and the test in `tests`
//! of the same name holds that to `baselines`.

mod baseline;
pub mod replace;

pub use baseline::{Totals, baseline_path, profile_path};
