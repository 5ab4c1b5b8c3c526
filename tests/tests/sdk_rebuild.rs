//! When a plugin has its VM made anew, and what hosts are told that cannot.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use std::time::Duration;

use bench_host::measure::Phase;
use bench_host::testing::{Call, Setup, TestHost};
use chunkwise::{Config, ConfigError, Plugin, Rebuild, Result};

/// Wants a fresh VM after three requests.
struct Third;

impl Plugin for Third {
    type Filter = ();

    const REBUILD: Rebuild = Rebuild::NEVER.after_requests(3);

    fn configure(_: &Config<'_>) -> Result<Self, ConfigError> {
        Ok(Self)
    }

    fn filter(&self) {}
}

fn send(host: &mut TestHost, requests: usize) {
    for _ in 0..requests {
        host.send(Call::get("/")).unwrap();
    }
}

#[test]
fn higress_makes_a_fresh_vm_within_a_second() {
    let mut host = Setup::new().higress().native::<Third>("").unwrap();
    send(&mut host, 2);
    host.run_for(Duration::from_secs(2)).unwrap();
    assert_eq!((host.slot().vms(), host.slot().rebuilds()), (1, 0));
    send(&mut host, 1);
    host.run_for(Duration::from_secs(2)).unwrap();
    assert_eq!((host.slot().vms(), host.slot().rebuilds()), (2, 1));
    // The new one counts anew.
    send(&mut host, 2);
    host.run_for(Duration::from_secs(2)).unwrap();
    assert_eq!(host.slot().rebuilds(), 1);
    assert_eq!(host.log(), []);
}

#[test]
fn a_host_that_makes_none_is_asked_once_and_the_log_says_so() {
    let mut host = Setup::new().native::<Third>("").unwrap();
    send(&mut host, 8);
    let outcome = host.send(Call::get("/")).unwrap();
    assert!(outcome.filter_state.is_empty(), "nothing is left for the access log");
    host.run_for(Duration::from_secs(9)).unwrap();
    assert_eq!((host.slot().vms(), host.slot().rebuilds()), (1, 0));
    let [line] = host.log() else { panic!("{:?}", host.log()) };
    assert_eq!(
        line.message,
        "no fresh VM although it is time for one: this host is not Higress, and the VM's configuration \
         does not say {\"failure_policy\":\"FAIL_RELOAD\"}"
    );
    // Which host it is, the level of the log, and the line.
    assert_eq!(host.ledger().host_calls(Phase::RequestHeaders).values().sum::<u64>(), 3);
}
