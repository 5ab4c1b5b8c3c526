//! A plugin that ends its VM on purpose, for a fresh one: what `FAIL_RELOAD` of a stock Envoy makes
//! of that.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use std::time::Duration;

use bench_host::host::{Direction, FailurePolicy};
use bench_host::testing::{Call, Setup, TestHost};
use chunkwise::call::{Client, Cluster};
use chunkwise::http::{HeadersAction, RequestHeaders};
use chunkwise::{Config, ConfigError, Filter, Plugin, PluginContext, Rebuild, Result};

/// Wants a fresh VM after three requests.
struct Third(Client);

struct ThirdFilter;

impl Plugin for Third {
    type Filter = ThirdFilter;

    const REBUILD: Rebuild = Rebuild::NEVER.after_requests(3);

    fn configure(config: &Config<'_>) -> Result<Self, ConfigError> {
        Ok(Self(Client::new(config.parse::<Cluster>()?)))
    }

    fn start(&self, context: &PluginContext<Self>) -> Result<()> {
        // A timer that is set again and again is nothing that keeps a VM.
        context.every(Duration::from_secs(7), |_| Ok(()));
        Ok(())
    }

    fn filter(&self) -> ThirdFilter {
        ThirdFilter
    }
}

impl Filter<Third> for ThirdFilter {
    fn request_headers(
        &mut self,
        plugin: &Third,
        headers: &RequestHeaders<'_>,
    ) -> Result<HeadersAction> {
        if headers.get("x-audit")?.is_some() {
            // The stream ends first, and the call is on its way all the same.
            headers.call(plugin.0.get("/").send(), |_| Ok(()));
        }
        Ok(HeadersAction::Continue)
    }
}

const SECOND: Duration = Duration::from_secs(1);
const SAYS_SO: &str = r#"{"failure_policy":"FAIL_RELOAD","of":"others"}"#;
const SLOW: &str = "[[cluster.audit.http]]\nlatency = '300ms'";

fn start(setup: Setup, vm_configuration: &'static str) -> TestHost {
    let setup = setup.upstreams(SLOW).unwrap();
    let setup = setup.with(|settings| settings.vm_configuration = vm_configuration.into());
    setup.native::<Third>(r#"{"type":"target","cluster":"audit","host":"audit"}"#).unwrap()
}

fn reloads() -> Setup {
    Setup::new().failure_policy(FailurePolicy::FailReload)
}

/// Requests that pass.
fn send(host: &mut TestHost, requests: usize) {
    for _ in 0..requests {
        assert_eq!(host.send(Call::get("/")).unwrap().details, "via_upstream");
    }
}

fn vms(host: &mut TestHost) -> (u64, u64) {
    (host.slot().vms(), host.slot().rebuilds())
}

/// Whether the VM has ended and the next request makes a fresh one.
fn is_over(host: &mut TestHost) -> bool {
    host.proxy().fault().is_some_and(|fault| fault.on_purpose)
}

#[test]
fn the_last_stream_takes_the_vm_with_it_and_no_request_fails() {
    let mut host = start(reloads(), SAYS_SO);
    host.run_for(2 * SECOND).unwrap();
    for round in 0..3 {
        // The first of three has made the VM, but for the first VM.
        send(&mut host, if round == 0 { 2 } else { 1 });
        assert_eq!((is_over(&mut host), vms(&mut host)), (false, (1 + round, round)));
        send(&mut host, 1);
        assert_eq!((is_over(&mut host), vms(&mut host)), (true, (1 + round, round)));
        let line = "ends this VM for a fresh one after 3 requests, with 0 KiB of memory";
        assert!(host.log().iter().any(|logged| logged.message == line), "{:?}", host.log());
        send(&mut host, 1);
        assert_eq!((is_over(&mut host), vms(&mut host)), (false, (2 + round, 1 + round)));
        host.run_for(2 * SECOND).unwrap();
    }
    assert!(host.slot().crashes().is_empty());
}

#[test]
fn a_young_vm_stays_for_a_proxy_makes_no_second_one_so_soon() {
    let mut host = start(reloads(), SAYS_SO);
    host.run_for(2 * SECOND - Duration::from_millis(20)).unwrap();
    send(&mut host, 9);
    assert!(!is_over(&mut host));
    let said = host.log().iter().find(|line| line.message.starts_with("no fresh VM"));
    assert_eq!(said, None, "nobody is in the way");
    host.run_for(Duration::from_millis(20)).unwrap();
    // A timer is as good as the end of a stream, and there is none so soon.
    assert!(!is_over(&mut host));
    send(&mut host, 1);
    assert!(is_over(&mut host));
    send(&mut host, 2);
    assert_eq!(vms(&mut host), (2, 1));
}

#[test]
fn a_tick_ends_it_where_no_stream_does() {
    let mut host = start(reloads(), SAYS_SO);
    send(&mut host, 3);
    host.run_for(6 * SECOND).unwrap();
    assert!(!is_over(&mut host));
    host.run_for(2 * SECOND).unwrap();
    assert!(is_over(&mut host));
    send(&mut host, 1);
    assert_eq!(vms(&mut host), (2, 1));
}

#[test]
fn an_open_stream_keeps_it() {
    let mut host = start(reloads(), SAYS_SO);
    host.run_for(2 * SECOND).unwrap();
    let request = [(":method", "POST"), (":authority", "a"), (":path", "/")];
    let opened = host.open();
    host.headers(opened, Direction::Request, &request, false).unwrap();
    let late = |host: &mut TestHost| {
        host.log().iter().filter(|line| line.message.contains("always a stream open")).count()
    };
    send(&mut host, 4);
    assert_eq!(late(&mut host), 0);
    send(&mut host, 5);
    host.run_for(20 * SECOND).unwrap();
    assert_eq!((is_over(&mut host), late(&mut host)), (false, 1));
    host.close(opened).unwrap();
    assert!(is_over(&mut host));
}

#[test]
fn a_call_for_whose_answer_nobody_waits_keeps_it_too() {
    let mut host = start(reloads(), SAYS_SO);
    host.run_for(2 * SECOND).unwrap();
    send(&mut host, 2);
    host.send(Call::get("/").header("x-audit", "1")).unwrap();
    assert!(!is_over(&mut host));
    host.run_for(Duration::from_millis(290)).unwrap();
    assert!(!is_over(&mut host));
    host.run_for(Duration::from_millis(20)).unwrap();
    assert!(is_over(&mut host), "with the answer");
}

#[test]
fn nothing_ends_before_the_operator_says_that_the_proxy_reloads() {
    for says in [
        "",
        "FAIL_RELOAD",
        r#"{"failure_policy":"FAIL_CLOSED"}"#,
        r#"{"failure_policy":1}"#,
        r#"{"policy":"FAIL_RELOAD"}"#,
    ] {
        let mut host = start(reloads(), says);
        host.run_for(2 * SECOND).unwrap();
        send(&mut host, 9);
        host.run_for(20 * SECOND).unwrap();
        assert_eq!((is_over(&mut host), vms(&mut host)), (false, (1, 0)), "{says}");
        assert!(host.log().iter().any(|line| line.message.starts_with("no fresh VM")), "{says}");
    }
}

#[test]
fn where_the_operator_says_so_wrongly_the_vm_is_lost() {
    let mut host = start(Setup::new(), SAYS_SO);
    host.run_for(2 * SECOND).unwrap();
    send(&mut host, 2);
    let fault = host.send(Call::get("/")).unwrap_err().to_string();
    assert!(fault.contains("failure policy FAIL_RELOAD alone"), "{fault}");
    let outcome = host.send(Call::get("/")).unwrap();
    assert_eq!(outcome.downstream.header(":status").unwrap(), "503");
    assert_eq!((vms(&mut host), host.slot().crashes().len()), ((1, 0), 1));
}

#[test]
fn higress_is_asked_whatever_is_said() {
    let mut host = start(Setup::new().higress(), SAYS_SO);
    host.run_for(2 * SECOND).unwrap();
    send(&mut host, 3);
    assert!(!is_over(&mut host));
    host.run_for(2 * SECOND).unwrap();
    assert_eq!(vms(&mut host), (2, 1));
    assert!(host.slot().crashes().is_empty());
}
