//! The limit of what a stream may hold.

use bench_host::testing::{Answer, Call, Outcome};

use chunkwise_tests::guest::stream_log;

use super::held_body::{edit, limited};
use super::snippets::*;
use super::steps::*;

pub fn too_large(outcome: &Outcome) {
    assert!(outcome.upstream.body.is_empty() && !outcome.upstream.ended);
    assert_eq!(outcome.downstream.header(":status").unwrap(), "413");
    assert_eq!(outcome.downstream.text(), "Payload Too Large");
    assert_eq!(outcome.details, "request_payload_too_large");
    assert!(!outcome.reset);
}

/// The limit may be reached, and not exceeded.
#[test]
fn the_frame_that_is_too_much_is_not_shown() {
    let script = [("request_headers", "(i32.const 1)"), ("request_body", &at_end(1, &edit(), 0))];
    let chunks = ["abcd", "efgh", "i", "jkl"];
    for call in [Call::post("/"), Call::post("/").http1()] {
        let mut host = limited(&script, 8);
        let outcome = host.send(call.chunks(chunks)).unwrap();
        too_large(&outcome);
        assert!(outcome.upstream.headers.is_empty());
        insta::allow_duplicates! {
            insta::assert_snapshot!(stream_log(&mut host), @"
            request_headers 2 4 0
            request_body 2 4 0
            request_body 2 8 0
            response_headers 2 3 0
            response_body 2 17 1
            log 2
            done 2
            delete 2
            ");
        }
    }
}

#[test]
fn a_first_frame_that_is_too_much_was_shown() {
    let mut host = limited(&[("request_body", "(i32.const 1)")], 8);
    let outcome = host.send(Call::post("/").chunks(["abcdefghi", "j"])).unwrap();
    too_large(&outcome);
    assert!(!outcome.upstream.headers.is_empty());
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 0
    request_body 2 9 0
    response_headers 2 3 0
    response_body 2 17 1
    log 2
    done 2
    delete 2
    ");
}

#[test]
fn stopping_everything_with_a_buffer_has_the_limit_too() {
    let mut host = limited(&[("request_headers", "(i32.const 3)")], 8);
    let outcome = host.send(Call::post("/").chunks(["abcd", "efgh", "i"])).unwrap();
    too_large(&outcome);
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 0
    response_headers 2 3 0
    response_body 2 17 1
    log 2
    done 2
    delete 2
    ");
}

/// More than the limit slows the sender down, which these frames were on their way before.
#[test]
fn a_watermark_does_not_fail() {
    let script = [("request_headers", "(i32.const 1)"), ("request_body", &at_end(2, "", 0))];
    let mut host = limited(&script, 8);
    let slot = host.slot();
    let id = request(slot, false);
    data(slot, id, Request, "abcde", false);
    data(slot, id, Request, "fghij", false);
    data(slot, id, Request, "k", true);
    assert_eq!(received(slot, id, Request), "headers [abcdefghijk] end");
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 0
    request_body 2 5 0
    request_body 2 5 0
    request_body 2 1 1
    ");
}

#[test]
fn a_response_that_is_too_large_is_replaced_while_its_headers_wait() {
    let script = [("response_headers", "(i32.const 1)"), ("response_body", "(i32.const 1)")];
    for call in [Call::get("/"), Call::get("/").http1()] {
        let mut host = limited(&script, 8);
        let answer = Answer::new(200).header("content-length", "9").chunks(["abcd", "efgh", "i"]);
        let outcome = host.send(call.answer(answer)).unwrap();
        assert_eq!(outcome.downstream.header(":status").unwrap(), "500");
        assert_eq!(outcome.downstream.text(), "Internal Server Error");
        assert_eq!(outcome.details, "response_payload_too_large");
        insta::allow_duplicates! {
            insta::assert_snapshot!(stream_log(&mut host), @"
            request_headers 2 4 1
            response_headers 2 2 0
            response_body 2 4 0
            response_body 2 8 0
            log 2
            done 2
            delete 2
            ");
        }
    }
}

#[test]
fn a_response_that_is_too_large_is_cut_off_once_its_headers_are_out() {
    let mut host = limited(&[("response_body", "(i32.const 1)")], 8);
    let answer = Answer::new(200).chunks(["abcd", "efgh", "i"]);
    let outcome = host.send(Call::get("/").answer(answer)).unwrap();
    assert_eq!(outcome.downstream.header(":status").unwrap(), "200");
    assert!(outcome.reset && outcome.downstream.body.is_empty() && !outcome.downstream.ended);
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 1
    response_headers 2 1 0
    response_body 2 4 0
    response_body 2 8 0
    log 2
    done 2
    delete 2
    ");
}

#[test]
fn one_limit_is_for_both_directions() {
    let set = answering(&property("set_decoder_buffer_limit", "4"), 0);
    let script = [
        ("request_headers", &*set),
        ("response_headers", "(i32.const 1)"),
        ("response_body", "(i32.const 1)"),
    ];
    let mut host = limited(&script, 1024);
    let outcome = host.send(Call::get("/").answer(Answer::new(200).chunks(["abc", "de"]))).unwrap();
    assert_eq!(outcome.details, "response_payload_too_large");
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 1
    property 0
    response_headers 2 1 0
    response_body 2 3 0
    log 2
    done 2
    delete 2
    ");
}

/// What becomes of a body of five bytes when the limit is set to this.
fn with_limit(path: &str, value: &str) -> bool {
    let set = answering(&property(path, value), 1);
    let script = [("request_headers", &*set), ("request_body", &at_end(1, "", 0))];
    let mut host = limited(&script, 4);
    let outcome = host.send(Call::post("/").chunks(["abc", "de"])).unwrap();
    let log = stream_log(&mut host);
    assert!(log.contains("\nproperty 0\n"), "{log}");
    assert_eq!(outcome.details == "request_payload_too_large", outcome.upstream.body.is_empty());
    !outcome.upstream.body.is_empty()
}

#[test]
fn limits_are_numbers_as_c_reads_them() {
    for path in ["set_decoder_buffer_limit", "set_encoder_buffer_limit"] {
        for passes in ["5", "0", " 5", "+5", "5x", "4294967295"] {
            assert!(with_limit(path, passes), "{path} {passes}");
        }
        for fails in ["4", "", "x", "4294967296", "99999999999999999999"] {
            assert!(!with_limit(path, fails), "{path} {fails}");
        }
    }
}
