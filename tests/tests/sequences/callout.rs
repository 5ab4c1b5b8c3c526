//! Calls to an upstream while a request waits.

use bench_host::host::{Profile, Settings};
use bench_host::testing::{Answer, Call, TestHost};

use chunkwise_tests::guest::{HIGRESS, host_in, log, logging, stream_log};

use super::snippets::*;
use super::steps::*;

/// What answers: at once, late, never, and by breaking off.
pub const AUTH: &str = r#"
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

pub fn host(script: &[(&str, &str)]) -> TestHost {
    host_in(&logging(script), Settings::new(Profile::Higress), world(AUTH))
}

/// Calls from request headers, stops everything, and does something with the answer.
pub fn asking(path: &str, timeout: i32, then: &str) -> TestHost {
    let ask = answering(&http_call("auth", path, timeout), 4);
    host(&[("request_headers", &ask), ("http_call_response", then)])
}

/// What a guest does that lets the stream go on.
pub fn allow() -> String {
    [effective(2), body(4), header(6, ":status"), header(6, "x-user"), resume(0)].concat()
}

#[test]
fn what_arrived_meanwhile_is_delivered_when_the_plugin_lets_go() {
    for call in [Call::post("/"), Call::post("/").http1()] {
        let mut host = asking("/ok", 500, &allow());
        let outcome = host.send(call.chunks(["ab", "cde"])).unwrap();
        assert_eq!((&*outcome.upstream.text(), outcome.upstream.ended), ("abcde", true));
        insta::allow_duplicates! {
            insta::assert_snapshot!(stream_log(&mut host), @"
            request_headers 2 4 0
            http_call 0
            token 4
            http_call_response 1 4 2 3 0
            effective 0
            body=yes
            :status=200
            x-user=jo
            continue 0
            request_body 2 5 1
            response_headers 2 1 1
            log 2
            done 2
            delete 2
            ");
        }
    }
}

#[test]
fn trailers_that_arrived_meanwhile_come_after_the_body() {
    let mut host = asking("/ok", 500, &[effective(2), resume(0)].concat());
    let outcome = host.send(Call::post("/").chunks(["ab", "cde"]).trailer("t", "1")).unwrap();
    assert_eq!((&*outcome.upstream.text(), outcome.upstream.trailers.len()), ("abcde", 1));
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 0
    http_call 0
    token 4
    http_call_response 1 4 2 3 0
    effective 0
    continue 0
    request_body 2 5 0
    request_trailers 2 1
    response_headers 2 1 1
    log 2
    done 2
    delete 2
    ");
}

#[test]
fn a_request_without_a_body_goes_on_with_its_headers() {
    let mut host = asking("/ok", 500, &[effective(2), resume(0)].concat());
    let outcome = host.send(Call::get("/")).unwrap();
    assert!(outcome.upstream.ended);
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 1
    http_call 0
    token 4
    http_call_response 1 4 2 3 0
    effective 0
    continue 0
    response_headers 2 1 1
    log 2
    done 2
    delete 2
    ");
}

#[test]
fn frames_after_the_answer_come_as_they_are() {
    let mut host = asking("/ok", 500, &[effective(2), resume(0)].concat());
    let slot = host.slot();
    let id = request(slot, false);
    data(slot, id, Request, "ab", false);
    assert_eq!(received(slot, id, Request), "nothing []");
    pass(slot, 4);
    assert_eq!(received(slot, id, Request), "nothing []");
    pass(slot, 1);
    assert_eq!(received(slot, id, Request), "headers [ab]");
    data(slot, id, Request, "cde", true);
    assert_eq!(received(slot, id, Request), "headers [abcde] end");
    close(slot, id);
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 0
    http_call 0
    token 4
    http_call_response 1 4 2 3 0
    effective 0
    continue 0
    request_body 2 2 0
    request_body 2 3 1
    log 2
    done 2
    delete 2
    ");
}

#[test]
fn a_refusal_passes_the_plugins_own_response_callbacks() {
    let refuse = [effective(2), header(6, ":status"), reply(403, "not you", "no")].concat();
    for call in [Call::post("/"), Call::post("/").http1()] {
        let mut host = asking("/no", 500, &refuse);
        let outcome = host.send(call.chunks(["ab", "cde"])).unwrap();
        assert!(outcome.upstream.headers.is_empty() && outcome.upstream.body.is_empty());
        assert_eq!(outcome.downstream.header(":status").unwrap(), "403");
        assert_eq!(outcome.downstream.text(), "no");
        assert_eq!(outcome.details, "via_wasm::plugin::not_you");
        insta::allow_duplicates! {
            insta::assert_snapshot!(stream_log(&mut host), @"
            request_headers 2 4 0
            http_call 0
            token 4
            http_call_response 1 4 1 0 0
            effective 0
            :status=401
            reply 0
            response_headers 2 3 0
            response_body 2 2 1
            log 2
            done 2
            delete 2
            ");
        }
    }
}

#[test]
fn a_reply_from_the_root_context_is_taken_and_goes_nowhere() {
    let mut host = asking("/no", 500, &reply(403, "x", "no"));
    let slot = host.slot();
    let id = request(slot, true);
    pass(slot, 10);
    assert_eq!(received(slot, id, Request), "nothing []");
    assert_eq!(received(slot, id, Response), "nothing []");
    close(slot, id);
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 1
    http_call 0
    token 4
    http_call_response 1 4 1 0 0
    reply 0
    log 2
    done 2
    delete 2
    ");
}

#[test]
fn the_answer_outlives_the_client() {
    let mut host = asking("/ok", 500, &[effective(2), body(4)].concat());
    let slot = host.slot();
    let id = request(slot, false);
    pass(slot, 1);
    close(slot, id);
    pass(slot, 10);
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 0
    http_call 0
    token 4
    log 2
    done 2
    delete 2
    http_call_response 1 4 2 3 0
    effective 2
    body=yes
    ");
}

/// The second stream's answer comes first.
#[test]
fn answers_find_their_streams_by_their_tokens() {
    let ask = format!(
        "(if {} (then {}) (else {})) (i32.const 4)",
        is(0, 2),
        http_call("auth", "/late", 500),
        http_call("auth", "/ok", 500)
    );
    let then = format!(
        "(call $status 'effective' (call $proxy_set_effective_context
            (i32.add (i32.div_u (local.get 1) (i32.const 4)) (i32.const 1)))) {}",
        resume(0)
    );
    let mut host = host(&[("request_headers", &ask), ("http_call_response", &then)]);
    let slot = host.slot();
    let first = request(slot, true);
    let second = request(slot, true);
    pass(slot, 5);
    assert_eq!(received(slot, first, Request), "nothing []");
    assert_eq!(received(slot, second, Request), "headers [] end");
    pass(slot, 75);
    assert_eq!(received(slot, first, Request), "headers [] end");
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 1
    http_call 0
    token 4
    context_create 3 1
    request_headers 3 4 1
    http_call 0
    token 8
    http_call_response 1 8 2 3 0
    effective 0
    continue 0
    http_call_response 1 4 1 0 0
    effective 0
    continue 0
    ");
}

/// Under the newer ABI a stop of the headers is no stop of the body.
#[test]
fn with_headers_alone_stopped_the_body_still_comes() {
    let ask = answering(&http_call("auth", "/ok", 500), 1);
    let script = [
        ("request_headers", &*ask),
        ("request_body", "(i32.const 1)"),
        ("http_call_response", &[effective(2), resume(0)].concat()),
    ];
    let module = format!("{HIGRESS}{}", logging(&script));
    let mut host = host_in(&module, Settings::new(Profile::Higress), world(AUTH));
    let answer = Answer::new(200);
    let outcome = host.send(Call::post("/").chunks(["ab", "cde"]).answer(answer)).unwrap();
    assert_eq!(outcome.upstream.text(), "abcde");
    insta::assert_snapshot!(log(&mut host), @"
    context_create 1 0
    vm_start 1 0
    configure 1 3
    context_create 2 1
    request_headers 2 4 0
    http_call 0
    token 4
    request_body 2 2 0
    request_body 2 5 1
    http_call_response 1 4 2 3 0
    effective 0
    continue 0
    response_headers 2 1 1
    log 2
    done 2
    delete 2
    ");
}

/// A root context that is told of its answer has no stream of its own.
#[test]
fn properties_are_those_of_the_stream_that_is_acted_on() {
    let then = [property("x", "1"), effective(2), property("x", "1"), resume(0)].concat();
    let mut host = asking("/ok", 500, &then);
    host.send(Call::get("/")).unwrap();
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 1
    http_call 0
    token 4
    http_call_response 1 4 2 3 0
    property 1
    effective 0
    property 0
    continue 0
    response_headers 2 1 1
    log 2
    done 2
    delete 2
    ");
}

/// A call from the end of a stream is the root context's like any other.
#[test]
fn a_call_from_the_access_log_is_answered() {
    let mut host =
        host(&[("log", &http_call("auth", "/ok", 500)), ("http_call_response", &body(4))]);
    host.send(Call::get("/")).unwrap();
    pass(host.slot(), 10);
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 1
    response_headers 2 1 1
    log 2
    http_call 0
    token 4
    done 2
    delete 2
    http_call_response 1 4 2 3 0
    body=yes
    ");
}

/// A body that is delivered after the answer can be held in its turn.
#[test]
fn one_call_can_follow_another() {
    let ask = http_call("auth", "/ok", 500);
    let then = [effective(2), resume(0)].concat();
    let script = [
        ("request_headers", &*answering(&ask, 4)),
        ("http_call_response", &then),
        ("request_body", &answering(&ask, 1)),
    ];
    for call in [Call::post("/"), Call::post("/").http1()] {
        let mut host = host(&script);
        let outcome = host.send(call.chunks(["ab", "cde"])).unwrap();
        assert_eq!((&*outcome.upstream.text(), outcome.upstream.ended), ("abcde", true));
        insta::allow_duplicates! {
            insta::assert_snapshot!(stream_log(&mut host), @"
            request_headers 2 4 0
            http_call 0
            token 4
            http_call_response 1 4 2 3 0
            effective 0
            continue 0
            request_body 2 5 1
            http_call 0
            token 8
            http_call_response 1 8 2 3 0
            effective 0
            continue 0
            response_headers 2 1 1
            log 2
            done 2
            delete 2
            ");
        }
    }
}
