//! Another configuration for a VM that works: a new root context beside the old one.

use bench_host::host::{Profile, Settings};
use bench_host::testing::TestHost;

use chunkwise_tests::guest::{host_in, log, logging};

use super::snippets::*;
use super::steps::*;

const AUTH: &str = r#"
    [cluster.auth]
    latency = "5ms"
    [[cluster.auth.http]]
"#;

fn host(script: &[(&str, &str)]) -> TestHost {
    host_in(&logging(script), Settings::new(Profile::Higress), world(AUTH))
}

#[test]
fn without_streams_the_old_root_context_ends_at_once() {
    let mut host = host(&[("configure", &answering(&body(7), 1))]);
    host.configure("other").unwrap();
    insta::assert_snapshot!(log(&mut host), @"
    context_create 1 0
    vm_start 1 0
    configure 1 3
    body=cfg
    context_create 2 0
    vm_start 2 0
    configure 2 5
    body=other
    done 1
    delete 1
    ");
    assert_eq!((host.slot().vms(), host.slot().rebuilds()), (1, 0));
}

#[test]
fn streams_keep_their_root_context_until_the_last_has_ended() {
    let mut host = host(&[("request_headers", &answering(&body(7), 0))]);
    let old = request(host.slot(), true);
    host.configure("other").unwrap();
    let new = request(host.slot(), true);
    close(host.slot(), new);
    close(host.slot(), old);
    insta::assert_snapshot!(log(&mut host), @"
    context_create 1 0
    vm_start 1 0
    configure 1 3
    context_create 2 1
    request_headers 2 4 1
    body fails 1
    context_create 3 0
    vm_start 3 0
    configure 3 5
    context_create 4 3
    request_headers 4 4 1
    body fails 1
    log 4
    done 4
    delete 4
    log 2
    done 2
    delete 2
    done 1
    delete 1
    ");
}

/// The answer belongs to the root context that asked, as long as that is there.
#[test]
fn calls_and_timers_stay_with_the_old_root_context_and_end_with_it() {
    let first = format!(
        "(if {} (then {}))",
        is(1, 3),
        [http_call("auth", "/", 0), tick_period(4)].concat()
    );
    let mut host = host(&[("configure", &answering(&first, 1))]);
    let id = request(host.slot(), true);
    host.configure("other").unwrap();
    pass(host.slot(), 6);
    close(host.slot(), id);
    pass(host.slot(), 100);
    insta::assert_snapshot!(log(&mut host), @"
    context_create 1 0
    vm_start 1 0
    configure 1 3
    http_call 0
    token 4
    period 0
    context_create 2 1
    request_headers 2 4 1
    context_create 3 0
    vm_start 3 0
    configure 3 5
    tick 1
    http_call_response 1 4 1 0 0
    log 2
    done 2
    delete 2
    done 1
    delete 1
    ");
}

#[test]
fn a_call_of_a_root_context_that_has_ended_is_not_answered() {
    let first = when(&is(1, 3), &http_call("auth", "/", 0));
    let mut host = host(&[("configure", &answering(&first, 1))]);
    host.configure("other").unwrap();
    pass(host.slot(), 100);
    insta::assert_snapshot!(log(&mut host), @"
    context_create 1 0
    vm_start 1 0
    configure 1 3
    http_call 0
    token 4
    context_create 2 0
    vm_start 2 0
    configure 2 5
    done 1
    delete 1
    ");
}

const DONE: &str = "(call $status 'finish' (call $proxy_done))";

#[test]
fn a_root_context_can_put_its_end_off() {
    let script = [
        ("configure", &*answering(DONE, 1)),
        ("request_headers", &answering(DONE, 0)),
        ("done", &answering(&when(&is(0, 1), &http_call("auth", "/", 0)), 0)),
        ("http_call_response", DONE),
    ];
    let mut host = host(&script);
    host.configure("other").unwrap();
    pass(host.slot(), 4);
    assert!(log(&mut host).ends_with("done 1\nhttp_call 0\ntoken 4"));
    pass(host.slot(), 1);
    request(host.slot(), true);
    insta::assert_snapshot!(log(&mut host), @"
    context_create 1 0
    vm_start 1 0
    configure 1 3
    finish 1
    context_create 2 0
    vm_start 2 0
    configure 2 5
    finish 1
    done 1
    http_call 0
    token 4
    http_call_response 1 4 1 0 0
    finish 0
    delete 1
    context_create 3 2
    request_headers 3 4 1
    finish 1
    ");
}

/// The configuration is tried in a VM of its own first, of which this one sees nothing.
#[test]
fn a_configuration_that_is_refused_never_reaches_the_vm() {
    let refuse = "(i32.ne (local.get 1) (i32.const 4))";
    for configure in [refuse, &format!("(if {} (then (unreachable))) {refuse}", is(1, 4))] {
        let mut host = host(&[("configure", configure)]);
        let id = request(host.slot(), false);
        host.configure("four").unwrap_err();
        data(host.slot(), id, Request, "x", true);
        let next = request(host.slot(), true);
        assert_eq!(received(host.slot(), next, Request), "headers [] end");
        insta::allow_duplicates! {
            insta::assert_snapshot!(log(&mut host), @"
            context_create 1 0
            vm_start 1 0
            configure 1 3
            context_create 2 1
            request_headers 2 4 0
            request_body 2 1 1
            context_create 3 1
            request_headers 3 4 1
            ");
        }
    }
}

#[test]
fn a_trial_leaves_what_it_shares() {
    let set = "(call $status 'get' (call $proxy_get_shared_data 'k'
            (i32.const 0) (i32.const 4) (i32.const 8)))
        (drop (call $proxy_set_shared_data 'k' 'v' (i32.const 0)))
        (i32.ne (local.get 1) (i32.const 4))";
    let refused = when(&is(1, 4), "(drop (call $proxy_set_shared_data 'four' 'v' (i32.const 0)))");
    let look = "(call $status 'four' (call $proxy_get_shared_data 'four'
        (i32.const 0) (i32.const 4) (i32.const 8))) (i32.const 0)";
    let configure = [&refused, set].concat();
    let mut host = host(&[("configure", &configure), ("request_headers", look)]);
    request(host.slot(), true);
    host.configure("four").unwrap_err();
    request(host.slot(), true);
    let log = log(&mut host);
    let found: Vec<_> = log.lines().filter(|line| line.starts_with("four")).collect();
    assert_eq!(found, ["four 1", "four 0"]);
}

#[test]
fn globals_are_those_of_the_vm() {
    let count = "(global.set $count (i32.add (global.get $count) (i32.const 1)))
        (call $status 'count' (global.get $count)) (i32.const 1)";
    let module =
        format!("(global $count (mut i32) (i32.const 0)){}", logging(&[("configure", count)]));
    let mut host = host_in(&module, Settings::new(Profile::Higress), world(AUTH));
    host.configure("other").unwrap();
    insta::assert_snapshot!(log(&mut host), @"
    context_create 1 0
    vm_start 1 0
    configure 1 3
    count 1
    context_create 2 0
    vm_start 2 0
    configure 2 5
    count 2
    done 1
    delete 1
    ");
}
