//! Shared queues and shared data.

use bench_host::host::{Profile, Settings, World};
use bench_host::testing::TestHost;

use chunkwise_tests::guest::{host_in, log, logging};

use super::snippets::*;
use super::steps::*;

const REGISTER: &str = "(call $status 'register'
        (call $proxy_register_shared_queue 'q' (i32.const 8)))
    (call $status 'token' (i32.load (i32.const 8)))";

/// Takes what comes first out of the queue that the callback is about.
const TAKE: &str = "(call $take (local.get 1))";

const TAKING: &str = "(func $take (param $token i32) (local $status i32)
    (local.set $status (call $proxy_dequeue_shared_queue (local.get $token)
        (i32.const 0) (i32.const 4)))
    (if (local.get $status)
        (then (call $status 'empty' (local.get $status)))
        (else
            (call $text 'taken=')
            (call $text (i32.load (i32.const 0)) (i32.load (i32.const 4)))
            (call $flush))))";

fn put(token: u32, text: &str) -> String {
    format!("(call $status 'put' (call $proxy_enqueue_shared_queue (i32.const {token}) '{text}'))")
}

fn host(script: &[(&str, &str)]) -> TestHost {
    let module = format!("{TAKING}{}", logging(script));
    host_in(&module, Settings::new(Profile::Higress), World::default())
}

#[test]
fn everything_that_is_put_in_is_told_of() {
    let script = [
        ("configure", &*answering(REGISTER, 1)),
        ("request_headers", &answering(&[put(1, "a"), put(1, "b")].concat(), 0)),
        ("queue_ready", TAKE),
    ];
    let mut host = host(&script);
    request(host.slot(), true);
    pass(host.slot(), 1);
    insta::assert_snapshot!(log(&mut host), @"
    context_create 1 0
    vm_start 1 0
    configure 1 3
    register 0
    token 1
    context_create 2 1
    request_headers 2 4 1
    put 0
    put 0
    queue_ready 1 1
    taken=a
    queue_ready 1 1
    taken=b
    ");
}

#[test]
fn a_queue_that_was_emptied_is_still_told_of() {
    let script = [
        ("configure", &*answering(REGISTER, 1)),
        ("request_headers", &answering(&[put(1, "a"), put(1, "b")].concat(), 0)),
        ("queue_ready", &[TAKE, TAKE].concat()),
    ];
    let mut host = host(&script);
    request(host.slot(), true);
    pass(host.slot(), 1);
    let log = log(&mut host);
    insta::assert_snapshot!(log.split_once("put 0\nput 0\n").unwrap().1, @"
    queue_ready 1 1
    taken=a
    taken=b
    queue_ready 1 1
    empty 7
    empty 7
    ");
}

#[test]
fn queues_are_found_by_their_names() {
    let resolve = |vm: &str, name: &str| {
        format!(
            "(call $status 'resolve' (call $proxy_resolve_shared_queue '{vm}' '{name}'
                (i32.const 8)))"
        )
    };
    let configure = [
        &resolve("", "q"),
        REGISTER,
        REGISTER,
        &resolve("", "q"),
        "(call $status 'token' (i32.load (i32.const 8)))",
        &resolve("", "other"),
        &resolve("elsewhere", "q"),
        &put(9, "x"),
        "(call $take (i32.const 9))",
        "(call $take (i32.const 1))",
    ];
    let mut host = host(&[("configure", &answering(&configure.concat(), 1))]);
    insta::assert_snapshot!(log(&mut host), @"
    context_create 1 0
    vm_start 1 0
    configure 1 3
    resolve 1
    register 0
    token 1
    register 0
    token 1
    resolve 0
    token 1
    resolve 1
    resolve 1
    put 1
    empty 1
    empty 7
    ");
}

#[test]
fn data_is_changed_by_those_who_know_it() {
    let get = "(call $status 'get' (call $proxy_get_shared_data 'k'
            (i32.const 0) (i32.const 4) (i32.const 8)))
        (call $status 'cas' (i32.ne (i32.load (i32.const 8)) (i32.const 0)))";
    let set = |value: &str, cas: &str| {
        format!("(call $status 'set' (call $proxy_set_shared_data 'k' '{value}' {cas}))")
    };
    let known = "(i32.load (i32.const 8))";
    let configure = [
        &get.replace("(call $status 'cas' (i32.ne (i32.load (i32.const 8)) (i32.const 0)))", ""),
        // A key that is not there takes any number.
        &*set("a", "(i32.const 77)"),
        get,
        &set("b", "(i32.const 77)"),
        &set("c", known),
        &set("d", known),
        &set("e", "(i32.const 0)"),
        get,
        &set("f", known),
    ];
    let mut host = host(&[("configure", &answering(&configure.concat(), 1))]);
    insta::assert_snapshot!(log(&mut host), @"
    context_create 1 0
    vm_start 1 0
    configure 1 3
    get 1
    set 0
    get 0
    cas 1
    set 8
    set 0
    set 8
    set 0
    get 0
    cas 1
    set 0
    ");
}
