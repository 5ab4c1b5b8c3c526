//! `examples/moderate`, and `examples/moderate-higress` with it.

#[path = "../../../examples/moderate/tests/behaviour/mod.rs"]
mod behaviour;

use bench_host::engine::StartError;
use bench_host::testing::{Setup, TestHost};

use crate::{Lazy, module};

static MODULE: Lazy = Lazy::new(|| module("moderate"));
static HIGRESS: Lazy = Lazy::new(|| module("moderate-higress"));

fn start(setup: &Setup, configuration: &str) -> Result<TestHost, StartError> {
    setup.module(&MODULE, configuration)
}

fn start_higress(setup: &Setup, configuration: &str) -> Result<TestHost, StartError> {
    setup.module(&HIGRESS, configuration)
}

behaviour::tests!(start, start_higress);

#[test]
fn only_the_module_for_higress_asks_for_its_abi() {
    assert!(!MODULE.declares_higress() && HIGRESS.declares_higress());
}
