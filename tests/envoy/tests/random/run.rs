//! Random cases, one after the other, and what is left of one that fails.

use std::cell::RefCell;
use std::env;
use std::fmt::Debug;
use std::io::{self, Write as _};

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};

/// Compares so many cases unless the environment says how many. What fails shrinks.
#[track_caller]
pub fn cases<T: Debug>(
    most: u32,
    strategy: impl Strategy<Value = T>,
    mut compare: impl FnMut(T) -> Result<(), String>,
) {
    let mut config = Config { failure_persistence: None, ..Config::default() };
    if env::var_os("PROPTEST_CASES").is_none() {
        config.cases = most;
    }
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(1);
    }
    // A case takes tens of milliseconds.
    config.max_shrink_iters = 400;
    let compare = RefCell::new(&mut compare);
    let goes_on = env::var_os("CHUNKWISE_GO_ON").is_some();
    let compared = TestRunner::new(config).run(&strategy, |case| {
        let compare = &mut *compare.borrow_mut();
        let compared = compare(case);
        if let (Err(difference), true) = (&compared, goes_on) {
            // Past the capture of the test runner.
            let _ = writeln!(io::stderr(), "DIFFERS {difference}");
            return Ok(());
        }
        compared.map_err(TestCaseError::fail)
    });
    if let Err(failure) = compared {
        panic!("{failure}");
    }
}
