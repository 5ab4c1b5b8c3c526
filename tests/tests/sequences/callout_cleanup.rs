//! Calls to an upstream while a request waits.

use bench_host::host::{Profile, Settings};
use bench_host::testing::{Call, TestHost};

use chunkwise_tests::guest::{host_in, logging, stream_log};

use super::snippets::*;
use super::steps::*;

/// What answers: at once, late, never, and by breaking off.
const AUTH: &str = r#"
    [cluster.auth]
    latency = "5ms"
    [[cluster.auth.http]]
    match = { path = "/ok" }
    headers = { x-user = "jo" }
    body = "yes"
    [[cluster.auth.http]]
    match = { path = "/no" }
    status = 401
    [[cluster.auth.http]]
    match = { path = "/now" }
    latency = "0s"
    [[cluster.auth.http]]
    match = { path = "/late" }
    latency = "80ms"
    [[cluster.auth.http]]
    match = { path = "/never" }
    fail = "never"
    [[cluster.auth.http]]
    match = { path = "/reset" }
    fail = "reset"
    [[cluster.auth.http]]
    match = { path = "/down" }
    fail = "connect"
    [[cluster.auth.http]]
    match = { path = "/sized", method = "POST", header = { content-length = "4", x-forwarded-for = false } }
    body = "sized"
"#;

fn host(script: &[(&str, &str)]) -> TestHost {
    host_in(&logging(script), Settings::new(Profile::Higress), world(AUTH))
}

/// What arrived for a call is there for the callback that it is for, and for none after it.
#[test]
fn an_answer_is_gone_when_its_callback_ends() {
    let ask = answering(&http_call("auth", "/ok", 500), 4);
    let then = [effective(2), body(4), resume(0)].concat();
    let look = answering(&[body(4), header(6, ":status")].concat(), 0);
    let script =
        [("request_headers", &*ask), ("http_call_response", &then), ("request_body", &look)];
    let mut host = host(&script);
    host.send(Call::post("/").body("ab")).unwrap();
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 0
    http_call 0
    token 4
    http_call_response 1 4 2 3 0
    effective 0
    body=yes
    continue 0
    request_body 2 2 1
    body fails 1
    :status fails 2
    response_headers 2 1 1
    log 2
    done 2
    delete 2
    ");
}
