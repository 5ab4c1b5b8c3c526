//! A VM that traps: its streams, those that come after, and the VM after it.

use bench_host::host::{FailurePolicy, Profile, Settings, Slot, StreamId};

use chunkwise_tests::guest::logging;

use super::snippets::*;
use super::steps::*;

const AUTH: &str = r#"
    [cluster.auth]
    latency = "5ms"
    [[cluster.auth.http]]
"#;

fn worker(failure_policy: FailurePolicy, script: &[(&str, &str)]) -> Slot<'static> {
    let settings = Settings { failure_policy, ..Settings::new(Profile::Higress) };
    slot(&logging(script), settings, world(AUTH))
}

/// Traps when the first stream of a VM has a body.
fn first_body() -> String {
    answering(&when(&is(0, 2), "(unreachable)"), 0)
}

fn closed() -> Slot<'static> {
    worker(FailurePolicy::FailClosed, &[("request_body", &first_body())])
}

fn failed(slot: &mut Slot<'_>, id: StreamId) -> bool {
    let stream = slot.stream(id).unwrap();
    if stream.details != "wasm_fail_stream" {
        return false;
    }
    assert_eq!(status(slot, id), "503");
    assert_eq!(received(slot, id, Response), "headers [] end");
    true
}

#[test]
fn every_stream_of_the_vm_fails_with_its_next_callback() {
    let mut slot = closed();
    let first = request(&mut slot, false);
    let second = request(&mut slot, false);
    data(&mut slot, first, Request, "x", false);
    assert!(failed(&mut slot, first));
    assert_eq!(received(&mut slot, first, Request), "headers []");
    assert!(!failed(&mut slot, second));
    data(&mut slot, second, Request, "y", false);
    assert!(failed(&mut slot, second));
    assert_eq!(received(&mut slot, second, Request), "headers []");
    close(&mut slot, first);
    close(&mut slot, second);
    let ended = slot.finish();
    insta::assert_snapshot!(logged(&ended[0]), @"
    context_create 1 0
    vm_start 1 0
    configure 1 3
    context_create 2 1
    request_headers 2 4 0
    context_create 3 1
    request_headers 3 4 0
    request_body 2 1 0
    ");
}

#[test]
fn the_next_stream_has_a_new_vm_but_not_more_than_one_a_second() {
    let mut slot = closed();
    let first = request(&mut slot, false);
    data(&mut slot, first, Request, "x", false);
    let second = request(&mut slot, false);
    assert_eq!((slot.vms(), second.context), (2, 2));
    assert_eq!(received(&mut slot, second, Request), "headers []");
    data(&mut slot, second, Request, "y", false);
    assert!(failed(&mut slot, second));

    pass(&mut slot, 999);
    let third = request(&mut slot, true);
    assert!(failed(&mut slot, third));
    assert_eq!(received(&mut slot, third, Request), "nothing []");
    assert_eq!(slot.vms(), 2);

    pass(&mut slot, 1);
    let fourth = request(&mut slot, true);
    assert_eq!((slot.vms(), fourth.context), (3, 2));
    assert_eq!(received(&mut slot, fourth, Request), "headers [] end");
    // A stream keeps the VM that it had, or did not have.
    response(&mut slot, fourth, true);
    assert_eq!(received(&mut slot, fourth, Response), "headers [] end");
    insta::assert_snapshot!(log_of(&mut slot, fourth), @"
    context_create 1 0
    vm_start 1 0
    configure 1 3
    context_create 2 1
    request_headers 2 4 1
    response_headers 2 1 1
    ");
}

#[test]
fn open_lets_streams_pass_without_the_plugin() {
    let mut slot = worker(FailurePolicy::FailOpen, &[("request_body", &first_body())]);
    let first = request(&mut slot, false);
    let second = request(&mut slot, false);
    for id in [first, second] {
        data(&mut slot, id, Request, "x", false);
        data(&mut slot, id, Request, "y", true);
        response(&mut slot, id, true);
        assert_eq!(received(&mut slot, id, Request), "headers [xy] end");
        assert_eq!(received(&mut slot, id, Response), "headers [] end");
    }
    assert!(log_of(&mut slot, first).ends_with("request_headers 3 4 0\nrequest_body 2 1 0"));
    // The new VM traps too, and its second is not over.
    let third = request(&mut slot, false);
    data(&mut slot, third, Request, "x", true);
    let fourth = request(&mut slot, true);
    assert_eq!(received(&mut slot, third, Request), "headers [x] end");
    assert_eq!(received(&mut slot, fourth, Request), "headers [] end");
    slot.note_faults(None);
    assert_eq!((slot.vms(), slot.crashes().len()), (2, 2));
}

#[test]
fn a_held_stream_that_fails_open_goes_on() {
    let script = [("request_body", &*answering(&when("(local.get 2)", "(unreachable)"), 1))];
    let mut slot = worker(FailurePolicy::FailOpen, &script);
    let id = request(&mut slot, false);
    data(&mut slot, id, Request, "ab", false);
    assert_eq!(received(&mut slot, id, Request), "headers []");
    data(&mut slot, id, Request, "c", true);
    assert_eq!(received(&mut slot, id, Request), "headers [abc] end");
}

#[test]
fn response_headers_that_trap_are_replaced() {
    let mut slot = worker(FailurePolicy::FailClosed, &[("response_headers", "(unreachable)")]);
    let id = request(&mut slot, true);
    response(&mut slot, id, false);
    assert!(failed(&mut slot, id));
    insta::assert_snapshot!(log_of(&mut slot, id), @"
    context_create 1 0
    vm_start 1 0
    configure 1 3
    context_create 2 1
    request_headers 2 4 1
    response_headers 2 1 0
    ");
}

#[test]
fn a_response_that_has_begun_is_cut_off() {
    let mut slot = worker(FailurePolicy::FailClosed, &[("response_body", "(unreachable)")]);
    let id = request(&mut slot, true);
    response(&mut slot, id, false);
    data(&mut slot, id, Response, "x", false);
    assert_eq!(received(&mut slot, id, Response), "headers []");
    assert_eq!(status(&mut slot, id), "200");
    assert!(close(&mut slot, id).reset);
}

#[test]
fn the_access_log_is_too_late_to_fail_a_stream() {
    let mut slot = worker(FailurePolicy::FailClosed, &[("log", "(unreachable)")]);
    let id = request(&mut slot, true);
    response(&mut slot, id, true);
    let stream = close(&mut slot, id);
    assert!(!stream.reset && stream.details == "via_upstream");
    let ended = slot.finish();
    assert!(logged(&ended[0]).ends_with("\nlog 2"));
}

#[test]
fn a_tick_that_traps_fails_the_streams() {
    let script = [("configure", &*answering(&tick_period(100), 1)), ("tick", "(unreachable)")];
    let mut slot = worker(FailurePolicy::FailClosed, &script);
    let id = request(&mut slot, false);
    pass(&mut slot, 1000);
    assert!(!failed(&mut slot, id));
    data(&mut slot, id, Request, "x", true);
    assert!(failed(&mut slot, id));
    assert!(log_of(&mut slot, id).ends_with("\ntick 1"));
}

#[test]
fn answers_for_a_dead_vm_are_not_delivered() {
    let ask = answering(&when(&is(0, 3), &http_call("auth", "/", 500)), 0);
    let script = [("request_headers", &*ask), ("request_body", &first_body())];
    let mut slot = worker(FailurePolicy::FailClosed, &script);
    let first = request(&mut slot, false);
    request(&mut slot, true);
    data(&mut slot, first, Request, "x", true);
    pass(&mut slot, 100);
    insta::assert_snapshot!(log_of(&mut slot, first), @"
    context_create 1 0
    vm_start 1 0
    configure 1 3
    context_create 2 1
    request_headers 2 4 0
    context_create 3 1
    request_headers 3 4 1
    http_call 0
    token 4
    request_body 2 1 1
    ");
}
