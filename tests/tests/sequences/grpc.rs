//! gRPC calls and streams.

use bench_host::host::{Profile, Settings};
use bench_host::testing::TestHost;

use chunkwise_tests::guest::{host_in, logging, stream_log};

use super::snippets::*;
use super::steps::*;

const MODERATION: &str = r#"
    [cluster.mod]
    latency = "3ms"
    [[cluster.mod.grpc]]
    service = "m.M"
    method = "Check"
    messages = ["fine"]
    [[cluster.mod.grpc]]
    service = "m.M"
    method = "Deny"
    status = 7
    message = "denied"
    [[cluster.mod.grpc]]
    service = "m.M"
    method = "Late"
    latency = "80ms"
    messages = ["late"]
    [[cluster.mod.grpc]]
    service = "m.M"
    method = "Stream"
    initial_metadata = { x-model = "small" }
    trailing_metadata = { x-cost = "7" }
    messages = [
        "ready",
        { text = "each", when = "each" },
        { text = "last", when = "end" },
    ]
    status = 0
    message = "bye"
    close = "end"
"#;

fn host(script: &[(&str, &str)]) -> TestHost {
    host_in(&logging(script), Settings::new(Profile::Envoy), world(MODERATION))
}

fn call(cluster: &str, method: &str, timeout: u32) -> String {
    format!(
        "(call $status 'grpc_call' (call $proxy_grpc_call '{cluster}' 'm.M' '{method}' '' 'msg'
            (i32.const {timeout}) (i32.const 8)))
        (call $status 'token' (i32.load (i32.const 8)))"
    )
}

fn stream(cluster: &str) -> String {
    format!(
        "(call $status 'grpc_stream' (call $proxy_grpc_stream '{cluster}' 'm.M' 'Stream' ''
            (i32.const 8)))
        (call $status 'token' (i32.load (i32.const 8)))"
    )
}

fn send(token: u32, end: bool) -> String {
    let end = u32::from(end);
    format!(
        "(call $status 'send' (call $proxy_grpc_send (i32.const {token}) 'msg' (i32.const {end})))"
    )
}

fn close_call(token: u32) -> String {
    format!("(call $status 'close' (call $proxy_grpc_close (i32.const {token})))")
}

fn cancel(token: u32) -> String {
    format!("(call $status 'cancel' (call $proxy_grpc_cancel (i32.const {token})))")
}

const STATUS: &str = "(call $status 'status'
        (call $proxy_get_status (i32.const 12) (i32.const 0) (i32.const 4)))
    (call $status 'code' (i32.load (i32.const 12)))
    (call $text 'text=') (call $text (i32.load (i32.const 0)) (i32.load (i32.const 4)))
    (call $flush)";

#[test]
fn a_call_hears_one_message_and_no_close() {
    let script = [
        ("request_headers", &*answering(&call("mod", "Check", 500), 4)),
        ("grpc_receive", &[effective(2), body(5), resume(0)].concat()),
    ];
    let mut host = host(&script);
    let id = request(host.slot(), false);
    data(host.slot(), id, Request, "ab", true);
    pass(host.slot(), 2);
    assert_eq!(received(host.slot(), id, Request), "nothing []");
    pass(host.slot(), 1);
    assert_eq!(received(host.slot(), id, Request), "headers [ab] end");
    pass(host.slot(), 1000);
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 0
    grpc_call 0
    token 5
    grpc_receive 1 5 4
    effective 0
    body=fine
    continue 0
    request_body 2 2 1
    ");
}

#[test]
fn a_call_that_fails_is_closed_with_its_status() {
    let script = [
        ("request_headers", &*answering(&call("mod", "Deny", 500), 4)),
        ("grpc_close", &[STATUS, &effective(2), &resume(0)].concat()),
    ];
    let mut host = host(&script);
    request(host.slot(), true);
    pass(host.slot(), 1000);
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 1
    grpc_call 0
    token 5
    grpc_close 1 5 7
    status 0
    code 7
    text=denied
    effective 0
    continue 0
    ");
}

/// 14 is `UNAVAILABLE`: the proxy answers 504 for the upstream, and that is what 504 stands for.
#[test]
fn a_call_whose_time_is_up_is_closed() {
    let script =
        [("request_headers", &*answering(&call("mod", "Late", 50), 4)), ("grpc_close", STATUS)];
    let mut host = host(&script);
    request(host.slot(), true);
    pass(host.slot(), 49);
    assert!(!stream_log(&mut host).contains("grpc_close"));
    pass(host.slot(), 1000);
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 1
    grpc_call 0
    token 5
    grpc_close 1 5 14
    status 0
    code 14
    text=upstream request timeout
    ");
}

#[test]
fn a_stream_hears_everything() {
    let script = [
        ("request_headers", &*answering(&[stream("mod"), send(6, false)].concat(), 0)),
        ("request_body", &answering(&[send(6, true), send(6, true)][..1].concat(), 0)),
        ("grpc_receive_initial_metadata", &header(4, "x-model")),
        ("grpc_receive", &body(5)),
        ("grpc_receive_trailing_metadata", &header(5, "x-cost")),
        ("grpc_close", STATUS),
    ];
    let mut host = host(&script);
    let id = request(host.slot(), false);
    pass(host.slot(), 10);
    data(host.slot(), id, Request, "ab", true);
    pass(host.slot(), 1000);
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 0
    grpc_stream 0
    token 6
    send 0
    grpc_receive_initial_metadata 1 6 3
    x-model=small
    grpc_receive 1 6 5
    body=ready
    grpc_receive 1 6 4
    body=each
    request_body 2 2 1
    send 0
    grpc_receive 1 6 4
    body=each
    grpc_receive 1 6 4
    body=last
    grpc_receive_trailing_metadata 1 6 3
    x-cost=7
    grpc_close 1 6 0
    status 0
    code 0
    text=bye
    ");
}

/// A stream that the plugin ends still hears how the upstream ends it.
#[test]
fn closing_a_stream_ends_the_plugins_half() {
    let script = [
        ("request_headers", &*answering(&stream("mod"), 0)),
        ("request_body", &answering(&close_call(6), 0)),
    ];
    let mut host = host(&script);
    let id = request(host.slot(), false);
    pass(host.slot(), 10);
    data(host.slot(), id, Request, "ab", true);
    pass(host.slot(), 1000);
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 0
    grpc_stream 0
    token 6
    grpc_receive_initial_metadata 1 6 3
    grpc_receive 1 6 5
    request_body 2 2 1
    close 0
    grpc_receive 1 6 4
    grpc_receive_trailing_metadata 1 6 3
    grpc_close 1 6 0
    ");
}

#[test]
fn what_is_cancelled_is_not_heard_of_again() {
    let calls = [call("mod", "Check", 500), stream("mod"), cancel(5), cancel(6)];
    let again = [cancel(5), cancel(6), close_call(5), close_call(6), send(6, false)];
    let script = [
        ("request_headers", &*answering(&calls.concat(), 0)),
        ("request_body", &answering(&again.concat(), 0)),
    ];
    let mut host = host(&script);
    let id = request(host.slot(), false);
    pass(host.slot(), 1000);
    data(host.slot(), id, Request, "ab", true);
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 0
    grpc_call 0
    token 5
    grpc_stream 0
    token 6
    cancel 0
    cancel 0
    request_body 2 2 1
    cancel 1
    cancel 1
    close 1
    close 1
    send 1
    ");
}

/// To a call, closing is cancelling.
#[test]
fn a_call_that_is_closed_is_not_heard_of_again() {
    let calls = [call("mod", "Check", 500), close_call(5)];
    let mut host = host(&[("request_headers", &answering(&calls.concat(), 0))]);
    request(host.slot(), true);
    pass(host.slot(), 1000);
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 1
    grpc_call 0
    token 5
    close 0
    ");
}

#[test]
fn tokens_are_of_the_kind_that_a_host_call_takes() {
    let calls = [
        call("mod", "Check", 500),
        send(5, false),
        send(4, false),
        cancel(4),
        cancel(7),
        close_call(4),
        send(10, false),
        cancel(9),
    ];
    let mut host = host(&[("request_headers", &answering(&calls.concat(), 0))]);
    request(host.slot(), true);
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 1
    grpc_call 0
    token 5
    send 2
    send 2
    cancel 2
    cancel 2
    close 2
    send 1
    cancel 1
    ");
}

/// The name is tried as a message that describes a service first, so that what it is not is an
/// error of parsing.
#[test]
fn an_unknown_cluster_does_not_parse() {
    let calls = [call("other", "Check", 500), stream("other")];
    let mut host = host(&[("request_headers", &answering(&calls.concat(), 0))]);
    request(host.slot(), true);
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 1
    grpc_call 4
    token 0
    grpc_stream 4
    token 0
    ");
}
