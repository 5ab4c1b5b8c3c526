//! `examples/ext-auth`.

#[path = "../../../examples/ext-auth/tests/behaviour/mod.rs"]
mod behaviour;

use bench_host::engine::StartError;
use bench_host::testing::{Setup, TestHost};

use crate::{Lazy, module};

static MODULE: Lazy = Lazy::new(|| module("ext-auth"));

fn start(setup: &Setup, configuration: &str) -> Result<TestHost, StartError> {
    setup.module(&MODULE, configuration)
}

behaviour::tests!(start);
