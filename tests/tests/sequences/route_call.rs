//! A request that a plugin turns into its own, and answers with what it makes of the response.

use bench_host::host::{Profile, Settings, World};
use bench_host::testing::{Answer, Call, Outcome, TestHost};

use chunkwise_tests::guest::{HIGRESS, host_in, logging, stream_log};

use super::snippets::*;

/// Sends every request elsewhere, and does something with the whole response.
fn routing(then: &str) -> TestHost {
    let send = [
        replace(0, ":method", "PUT"),
        replace(0, ":path", "/elsewhere"),
        replace(0, ":authority", "elsewhere.example"),
        add(0, "x-envoy-original-path", "/"),
        set_body(0, "question"),
    ];
    let script = [
        ("request_headers", "(i32.const 1)"),
        ("request_body", &at_end(1, &send.concat(), 0)),
        ("response_headers", "(i32.const 1)"),
        ("response_body", &at_end(1, then, 0)),
    ];
    let module = format!("{HIGRESS}{}", logging(&script));
    host_in(&module, Settings::new(Profile::Higress), World::default())
}

fn call() -> Call {
    let answer = Answer::new(200).header("content-length", "4").chunks(["xyz", "!"]);
    Call::post("/").chunks(["ab", "cde"]).answer(answer)
}

fn went_elsewhere(outcome: &Outcome) {
    let upstream = &outcome.upstream;
    assert_eq!(upstream.header(":method").unwrap(), "PUT");
    assert_eq!(upstream.header(":path").unwrap(), "/elsewhere");
    assert_eq!(upstream.header(":authority").unwrap(), "elsewhere.example");
    assert_eq!(upstream.header("x-envoy-original-path").unwrap(), "/");
    assert_eq!((&*upstream.text(), upstream.ended), ("question", true));
}

#[test]
fn a_reply_in_the_place_of_the_response_passes_the_plugin_by() {
    let then = [body(1), remove(2, "content-length"), reply(201, "routed", "answer")].concat();
    let mut host = routing(&then);
    let outcome = host.send(call()).unwrap();
    went_elsewhere(&outcome);
    assert_eq!(outcome.downstream.header(":status").unwrap(), "201");
    assert_eq!((&*outcome.downstream.text(), outcome.downstream.ended), ("answer", true));
    assert_eq!(outcome.details, "via_wasm::plugin::routed");
    assert!(outcome.replied_locally && !outcome.reset);
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 0
    request_body 2 2 0
    request_body 2 5 1
    replace 0
    replace 0
    replace 0
    add 0
    set 0
    response_headers 2 2 0
    response_body 2 3 0
    response_body 2 4 1
    body=xyz!
    remove 0
    reply 0
    log 2
    done 2
    delete 2
    ");
}

#[test]
fn the_response_can_be_rewritten_as_a_whole() {
    let then = [body(1), remove(2, "content-length"), set_body(1, "answer")].concat();
    let mut host = routing(&then);
    let outcome = host.send(call().http1()).unwrap();
    went_elsewhere(&outcome);
    assert_eq!(outcome.downstream.header(":status").unwrap(), "200");
    assert!(outcome.downstream.header("content-length").is_none());
    assert_eq!((&*outcome.downstream.text(), outcome.downstream.ended), ("answer", true));
    assert_eq!(outcome.details, "via_upstream");
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 0
    request_body 2 2 0
    request_body 2 5 0
    request_body 2 5 1
    replace 0
    replace 0
    replace 0
    add 0
    set 0
    response_headers 2 2 0
    response_body 2 3 0
    response_body 2 4 0
    response_body 2 4 1
    body=xyz!
    remove 0
    set 0
    log 2
    done 2
    delete 2
    ");
}

/// Nothing but the plugin can let a response go on that its headers have ended.
#[test]
fn a_response_without_a_body_waits_for_ever() {
    let mut host = routing("");
    let outcome = host.send(Call::post("/").body("ab").answer(Answer::new(204))).unwrap();
    went_elsewhere(&outcome);
    assert!(outcome.downstream.headers.is_empty() && !outcome.downstream.ended);
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 0
    request_body 2 2 1
    replace 0
    replace 0
    replace 0
    add 0
    set 0
    response_headers 2 1 1
    log 2
    done 2
    delete 2
    ");
}
