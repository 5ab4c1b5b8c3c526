//! The command line as a user or a script meets it: the real binary, in a folder of its own.

#![cfg(feature = "cli")]
#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

mod budget;
mod command;
mod dhat;
mod heap;
mod input_errors;
mod limits;
mod outputs;
mod packages;
mod plugin_errors;
mod plugins;
mod proxy;
mod results;
mod suites;
mod suites_toml;
mod tap;
