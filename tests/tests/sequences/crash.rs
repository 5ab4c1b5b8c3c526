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

/// A VM that took over has its own timer, and that of the dead one is gone.
#[test]
fn a_timer_dies_with_its_vm() {
    let trap = format!(
        "(if {} (then (unreachable))) {} (i32.const 1)",
        "(i32.eqz (local.get 0))",
        tick_period(100)
    );
    let script = [("configure", &*trap), ("request_body", &first_body())];
    let mut slot = worker(FailurePolicy::FailClosed, &script);
    let first = request(&mut slot, false);
    data(&mut slot, first, Request, "x", true);
    pass(&mut slot, 1000);
    assert!(!log_of(&mut slot, first).contains("tick"));
    let second = request(&mut slot, true);
    pass(&mut slot, 250);
    let log = log_of(&mut slot, second);
    assert_eq!(log.matches("tick 1").count(), 2, "{log}");
}

/// A VM that refuses its configuration does not take over, and a second passes before the next.
#[test]
fn a_recovery_that_fails_is_tried_again_a_second_later() {
    let configure = "(i32.ne (i32.const 0) (call $proxy_get_shared_data 'k'
        (i32.const 0) (i32.const 4) (i32.const 8)))";
    let set = "(drop (call $proxy_set_shared_data 'k' 'v' (i32.const 0))) (unreachable)";
    let mut slot =
        worker(FailurePolicy::FailClosed, &[("configure", configure), ("request_body", set)]);
    let first = request(&mut slot, false);
    data(&mut slot, first, Request, "x", true);
    for _ in 0..3 {
        let id = request(&mut slot, true);
        assert!(failed(&mut slot, id));
        assert_eq!(received(&mut slot, id, Request), "nothing []");
        pass(&mut slot, 1000);
    }
}

#[test]
fn a_context_that_traps_when_it_is_made_fails_its_stream() {
    let script = [("context_create", &*when(&is(0, 2), "(unreachable)"))];
    let mut slot = worker(FailurePolicy::FailClosed, &script);
    let id = request(&mut slot, true);
    assert!(failed(&mut slot, id));
    assert_eq!(received(&mut slot, id, Request), "nothing []");
    assert!(log_of(&mut slot, id).ends_with("\ncontext_create 2 1"));
}

#[test]
fn a_stream_that_traps_at_its_end_has_ended() {
    let mut slot = worker(FailurePolicy::FailClosed, &[("done", "(unreachable)")]);
    let id = request(&mut slot, true);
    response(&mut slot, id, true);
    let stream = close(&mut slot, id);
    assert!(!stream.reset && stream.details == "via_upstream");
    assert!(logged(&slot.finish()[0]).ends_with("\nlog 2\ndone 2"));
}

/// The VM that takes over has the configuration that was given last.
#[test]
fn the_new_vm_has_the_last_configuration() {
    let script = [("request_body", "(unreachable)")];
    let mut slot = worker(FailurePolicy::FailClosed, &script);
    slot.configure("other".into()).unwrap();
    let first = request(&mut slot, false);
    data(&mut slot, first, Request, "x", true);
    let second = request(&mut slot, true);
    insta::assert_snapshot!(log_of(&mut slot, second), @"
    context_create 1 0
    vm_start 1 0
    configure 1 5
    context_create 2 1
    request_headers 2 4 1
    ");
}

/// What failed is not told how the proxy answers for it.
#[test]
fn a_plugin_that_failed_sees_no_response() {
    let script = [("request_headers", "(unreachable)")];
    let mut slot = worker(FailurePolicy::FailClosed, &script);
    let id = request(&mut slot, true);
    assert!(failed(&mut slot, id));
    close(&mut slot, id);
    insta::assert_snapshot!(logged(&slot.finish()[0]), @"
    context_create 1 0
    vm_start 1 0
    configure 1 3
    context_create 2 1
    request_headers 2 4 1
    ");
}
