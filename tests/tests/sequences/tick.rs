//! Timers of root contexts.

use bench_host::host::{Profile, Settings};
use bench_host::testing::TestHost;

use chunkwise_tests::guest::{host_in, log, logging, stream_log};

use super::snippets::*;
use super::steps::*;

const AUTH: &str = r#"
    [cluster.auth]
    latency = "5ms"
    [[cluster.auth.http]]
    body = "yes"
"#;

fn host(script: &[(&str, &str)]) -> TestHost {
    host_in(&logging(script), Settings::new(Profile::Higress), world(AUTH))
}

fn ticking(then: &str) -> TestHost {
    host(&[("configure", &answering(&tick_period(100), 1)), ("tick", then)])
}

/// What was logged after the start.
fn ticks(host: &mut TestHost) -> String {
    let log = log(host);
    log.split_once("period 0").unwrap().1.trim_start().to_owned()
}

#[test]
fn a_timer_fires_when_its_period_is_over() {
    let mut host = ticking("");
    pass(host.slot(), 99);
    assert_eq!(ticks(&mut host), "");
    pass(host.slot(), 1);
    assert_eq!(ticks(&mut host), "tick 1");
    pass(host.slot(), 250);
    assert_eq!(ticks(&mut host), "tick 1\ntick 1\ntick 1");
    insta::assert_snapshot!(log(&mut host), @"
    context_create 1 0
    vm_start 1 0
    configure 1 3
    period 0
    tick 1
    tick 1
    tick 1
    ");
}

#[test]
fn a_period_of_nothing_stops_the_timer() {
    let mut host = ticking(&tick_period(0));
    pass(host.slot(), 1000);
    assert_eq!(ticks(&mut host), "tick 1\nperiod 0");
}

#[test]
fn another_period_holds_from_then_on() {
    let mut host = ticking(&tick_period(40));
    pass(host.slot(), 139);
    assert_eq!(ticks(&mut host), "tick 1\nperiod 0");
    pass(host.slot(), 1);
    assert_eq!(ticks(&mut host), "tick 1\nperiod 0\ntick 1\nperiod 0");
}

#[test]
fn a_stream_sets_the_timer_of_its_root_context() {
    let mut host = host(&[("request_headers", &answering(&tick_period(100), 0))]);
    let slot = host.slot();
    let id = request(slot, true);
    pass(slot, 100);
    close(slot, id);
    pass(slot, 100);
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 1
    period 0
    tick 1
    log 2
    done 2
    delete 2
    tick 1
    ");
}

#[test]
fn a_tick_has_no_stream() {
    let look = [
        &property("wasm_need_rebuild", "true"),
        &property("x", "y"),
        &header(0, ":path"),
        "(call $status 'memory' (call $proxy_get_property 'plugin_vm_memory'
            (i32.const 0) (i32.const 4)))
        (call $status 'length' (i32.load (i32.const 4)))
        (call $status 'bytes' (i32.load (i32.load (i32.const 0))))",
    ];
    let mut host = ticking(&look.concat());
    pass(host.slot(), 100);
    insta::assert_snapshot!(ticks(&mut host), @"
    tick 1
    property 1
    property 1
    :path fails 2
    memory 0
    length 8
    bytes 131072
    ");
    pass(host.slot(), 5000);
    assert_eq!((host.slot().vms(), host.slot().rebuilds()), (1, 0));
}

#[test]
fn a_tick_can_call() {
    let ask = [tick_period(0), http_call("auth", "/", 500)].concat();
    let script = [
        ("configure", &*answering(&tick_period(100), 1)),
        ("tick", &ask),
        ("http_call_response", &body(4)),
    ];
    let mut host = host(&script);
    pass(host.slot(), 1000);
    insta::assert_snapshot!(ticks(&mut host), @"
    tick 1
    period 0
    http_call 0
    token 4
    http_call_response 1 4 1 3 0
    body=yes
    ");
}

/// A timer and an answer that are due at different times come in the order of time.
#[test]
fn timers_and_answers_come_in_the_order_of_time() {
    let ask = http_call("auth", "/", 500);
    let script = [
        ("configure", &*answering(&[tick_period(4), ask].concat(), 1)),
        ("http_call_response", ""),
    ];
    let mut host = host(&script);
    pass(host.slot(), 9);
    insta::assert_snapshot!(ticks(&mut host), @"
    http_call 0
    token 4
    tick 1
    http_call_response 1 4 1 3 0
    tick 1
    ");
}
