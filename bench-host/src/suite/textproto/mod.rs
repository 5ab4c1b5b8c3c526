//! Suites in the format of Google's service-extensions plugin tests.
//!
//! Phase by phase, as their runner does it: every phase is one callback (a body: one for each
//! chunk), nothing is held back, and what the plugin answers is compared instead of obeyed.

mod bench;
mod check;
mod chunks;
mod decode;
mod http1;
mod input;
mod message;
mod model;
mod run;

pub(super) use bench::Repeated;
pub(super) use input::Inputs;
pub(super) use model::{Env, Test, TestSuite};
pub(super) use run::run;

use super::place::Problem;
use super::text_format::parse;

/// Reads a suite.
///
/// # Errors
/// Everything that is wrong with it, or the first place that is not in the text format.
pub(super) fn read(text: &str) -> Result<TestSuite, Vec<Problem>> {
    parse(text).map_err(|problem| vec![problem]).and_then(decode::suite)
}
