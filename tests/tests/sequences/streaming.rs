//! Responses that are changed as they pass, and responses that wait for a verdict on each frame.

use bench_host::testing::{Answer, Call, TestHost};

use chunkwise_tests::guest::stream_log;

use super::local_reply::host;
use super::snippets::*;
use super::steps::*;

/// Replaces every frame and adds to the last.
fn transforming() -> TestHost {
    let unframe = answering(&remove(2, "content-length"), 0);
    let transform = format!(
        "(if (local.get 1) (then {})) {} (i32.const 0)",
        [body(1), set_body(1, "x")].concat(),
        when("(local.get 2)", &[body(1), append(1, "tail")].concat())
    );
    host(&[("response_headers", &unframe), ("response_body", &transform)])
}

#[test]
fn frames_are_changed_as_they_pass() {
    let mut host = transforming();
    let answer = Answer::new(200).header("content-length", "4").chunks(["xyz", "!"]);
    let outcome = host.send(Call::get("/").answer(answer)).unwrap();
    assert!(outcome.downstream.header("content-length").is_none());
    assert_eq!((&*outcome.downstream.text(), outcome.downstream.ended), ("xxtail", true));
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 1
    response_headers 2 2 0
    remove 0
    response_body 2 3 0
    body=xyz
    set 0
    response_body 2 1 1
    body=!
    set 0
    body=x
    append 0
    log 2
    done 2
    delete 2
    ");
}

#[test]
fn the_empty_frame_at_the_end_of_http1_can_be_filled() {
    let mut host = transforming();
    let answer = Answer::new(200).header("content-length", "4").chunks(["xyz", "!"]);
    let outcome = host.send(Call::get("/").http1().answer(answer)).unwrap();
    assert_eq!((&*outcome.downstream.text(), outcome.downstream.ended), ("xxtail", true));
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 1
    response_headers 2 2 0
    remove 0
    response_body 2 3 0
    body=xyz
    set 0
    response_body 2 1 0
    body=!
    set 0
    response_body 2 0 1
    body=
    append 0
    log 2
    done 2
    delete 2
    ");
}

/// Drops every frame and asks; sends something else with the first answer, and does `then` with
/// the second.
fn moderating(then: &str) -> TestHost {
    let ask = [body(1), set_body(1, ""), http_call("auth", "/", 500)].concat();
    let answered = format!(
        "{} (if {} (then {}) (else {then}))",
        effective(2),
        is(1, 4),
        inject("good", false)
    );
    host(&[("response_body", &answering(&ask, 3)), ("http_call_response", &answered)])
}

/// A stream whose response has headers and a first frame.
fn moderated(host: &mut TestHost) -> bench_host::host::StreamId {
    let slot = host.slot();
    let id = request(slot, true);
    response(slot, id, false);
    data(slot, id, Response, "bad", false);
    assert_eq!(received(slot, id, Response), "headers []");
    pass(slot, 5);
    assert_eq!(received(slot, id, Response), "headers [good]");
    id
}

#[test]
fn frames_are_dropped_and_others_are_sent_instead() {
    let mut host = moderating(&inject("end", true));
    let id = moderated(&mut host);
    let slot = host.slot();
    data(slot, id, Response, "", true);
    assert_eq!(received(slot, id, Response), "headers [good]");
    pass(slot, 5);
    assert_eq!(received(slot, id, Response), "headers [goodend] end");
    close(slot, id);
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 1
    response_headers 2 1 0
    response_body 2 3 0
    body=bad
    set 0
    http_call 0
    token 4
    http_call_response 1 4 1 0 0
    effective 0
    inject 0
    response_body 2 0 1
    body=
    set 0
    http_call 0
    token 8
    http_call_response 1 8 1 0 0
    effective 0
    inject 0
    log 2
    done 2
    delete 2
    ");
}

#[test]
fn resuming_ends_a_response_whose_last_frame_was_dropped() {
    for last in ["", "worse"] {
        let mut host = moderating(&resume(1));
        let id = moderated(&mut host);
        let slot = host.slot();
        data(slot, id, Response, last, true);
        assert_eq!(received(slot, id, Response), "headers [good]");
        pass(slot, 5);
        assert_eq!(received(slot, id, Response), "headers [good] end");
        let stream = close(slot, id);
        assert!(!stream.reset);
    }
}

#[test]
fn an_end_that_was_sent_already_is_not_sent_again() {
    let mut host = moderating(&[inject("end", true), resume(1)].concat());
    let id = moderated(&mut host);
    let slot = host.slot();
    data(slot, id, Response, "", true);
    pass(slot, 5);
    assert_eq!(received(slot, id, Response), "headers [goodend] end");
    close(slot, id);
    insta::assert_snapshot!(stream_log(&mut host).split_once("token 8\n").unwrap().1, @"
    http_call_response 1 8 1 0 0
    effective 0
    inject 0
    continue 0
    misuse of the host: the response was sent on or resumed after the plugin had ended it with the bytes that it sent
    log 2
    done 2
    delete 2
    ");
}

#[test]
fn what_is_sent_past_the_plugin_takes_the_headers_along() {
    let send = answering(&inject("early", false), 3);
    let mut host = host(&[("response_headers", "(i32.const 1)"), ("response_body", &send)]);
    let slot = host.slot();
    let id = request(slot, true);
    response(slot, id, false);
    assert_eq!(received(slot, id, Response), "nothing []");
    data(slot, id, Response, "bad", false);
    assert_eq!(received(slot, id, Response), "headers [early]");
    close(slot, id);
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 1
    response_headers 2 1 0
    response_body 2 3 0
    inject 0
    log 2
    done 2
    delete 2
    ");
}

/// What is sent past the plugin goes before the frame that it looks at.
#[test]
fn what_is_sent_past_the_plugin_overtakes_the_frame() {
    let mut host = host(&[("response_body", &answering(&inject("pre-", false), 0))]);
    let slot = host.slot();
    let id = request(slot, true);
    response(slot, id, false);
    data(slot, id, Response, "ab", false);
    assert_eq!(received(slot, id, Response), "headers [pre-ab]");
    data(slot, id, Response, "c", true);
    assert_eq!(received(slot, id, Response), "headers [pre-abpre-c] end");
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 1
    response_headers 2 1 0
    response_body 2 2 0
    inject 0
    response_body 2 1 1
    inject 0
    ");
}

/// A field of bytes and a flag, as Protobuf writes them.
const ARGUMENTS: &str = r"'\0a\04past\10\00'";

fn inject_by_name() -> String {
    format!(
        "(call $status 'by name' (call $proxy_call_foreign_function
            'inject_encoded_data_to_filter_chain' {ARGUMENTS} (i32.const 0) (i32.const 4)))"
    )
}

#[test]
fn the_root_context_has_no_response_to_send_to() {
    let ask = answering(&http_call("auth", "/", 500), 3);
    let then = [
        inject("lost", true),
        inject_by_name(),
        effective(2),
        inject_by_name(),
        inject("found", false),
    ];
    let script = [("response_body", &*ask), ("http_call_response", &then.concat())];
    let mut host = host(&script);
    let slot = host.slot();
    let id = request(slot, true);
    response(slot, id, false);
    data(slot, id, Response, "bad", false);
    pass(slot, 5);
    assert_eq!(received(slot, id, Response), "headers [found]");
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 1
    response_headers 2 1 0
    response_body 2 3 0
    http_call 0
    token 4
    http_call_response 1 4 1 0 0
    inject 0
    by name 0
    effective 0
    by name 0
    inject 0
    ");
}

#[test]
fn by_name_it_is_sent_from_the_streams_own_callbacks() {
    let mut host = host(&[("response_body", &answering(&inject_by_name(), 3))]);
    let slot = host.slot();
    let id = request(slot, true);
    response(slot, id, false);
    data(slot, id, Response, "bad", false);
    assert_eq!(received(slot, id, Response), "headers [past]");
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 1
    response_headers 2 1 0
    response_body 2 3 0
    by name 0
    ");
}
