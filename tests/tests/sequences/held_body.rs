//! Headers that wait for the body, and bodies that are held whole.

use bench_host::host::{Profile, Settings, World};
use bench_host::testing::{Answer, Call, Outcome, TestHost};

use chunkwise_tests::guest::{HIGRESS, host_in, logging, stream_log};

use super::snippets::*;
use super::steps::*;

fn limited(script: &[(&str, &str)], limit: usize) -> TestHost {
    let module = format!("{HIGRESS}{}", logging(script));
    let settings = Settings { buffer_limit: Some(limit), ..Settings::new(Profile::Higress) };
    host_in(&module, settings, World::default())
}

fn host(script: &[(&str, &str)]) -> TestHost {
    limited(script, 1024)
}

/// Reads the whole body at its end, replaces it and edits a header.
fn edit() -> String {
    [body(0), set_body(0, "NEW"), replace(0, ":path", "/new")].concat()
}

#[test]
fn the_last_frame_shows_the_whole_body_and_headers_can_still_be_edited() {
    let script = [("request_headers", "(i32.const 1)"), ("request_body", &at_end(1, &edit(), 0))];
    let mut host = host(&script);
    let outcome = host.send(Call::post("/").chunks(["ab", "cde"])).unwrap();
    assert_eq!(outcome.upstream.header(":path").unwrap(), "/new");
    assert_eq!((&*outcome.upstream.text(), outcome.upstream.ended), ("NEW", true));
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 0
    request_body 2 2 0
    request_body 2 5 1
    body=abcde
    set 0
    replace 0
    response_headers 2 1 1
    log 2
    done 2
    delete 2
    ");
}

#[test]
fn http1_ends_with_a_frame_that_adds_nothing() {
    let script = [("request_headers", "(i32.const 1)"), ("request_body", &at_end(1, &edit(), 0))];
    let mut host = host(&script);
    let outcome = host.send(Call::post("/").http1().chunks(["ab", "cde"])).unwrap();
    assert_eq!((&*outcome.upstream.text(), outcome.upstream.ended), ("NEW", true));
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 0
    request_body 2 2 0
    request_body 2 5 0
    request_body 2 5 1
    body=abcde
    set 0
    replace 0
    response_headers 2 1 1
    log 2
    done 2
    delete 2
    ");
}

#[test]
fn headers_that_went_on_cannot_be_edited() {
    let mut host = host(&[("request_body", &at_end(1, &edit(), 0))]);
    let outcome = host.send(Call::post("/").chunks(["ab", "cde"])).unwrap();
    assert_eq!(outcome.upstream.header(":path").unwrap(), "/");
    assert_eq!(outcome.upstream.text(), "NEW");
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 0
    request_body 2 2 0
    request_body 2 5 1
    body=abcde
    set 0
    replace 2
    response_headers 2 1 1
    log 2
    done 2
    delete 2
    ");
}

#[test]
fn nothing_goes_on_before_the_plugin_says_so() {
    let script = [("request_headers", "(i32.const 1)"), ("request_body", &at_end(1, "", 0))];
    let mut host = host(&script);
    let slot = host.slot();
    let id = request(slot, false);
    data(slot, id, Request, "ab", false);
    data(slot, id, Request, "cd", false);
    assert_eq!(received(slot, id, Request), "nothing []");
    data(slot, id, Request, "e", true);
    assert_eq!(received(slot, id, Request), "headers [abcde] end");
}

#[test]
fn headers_that_end_the_request_wait_for_ever() {
    let mut host = host(&[("request_headers", "(i32.const 1)")]);
    let slot = host.slot();
    let id = request(slot, true);
    pass(slot, 10_000);
    assert_eq!(received(slot, id, Request), "nothing []");
    close(slot, id);
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 1
    log 2
    done 2
    delete 2
    ");
}

fn too_large(outcome: &Outcome) {
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

/// A body with trailers ends with them: no frame of it is the last.
#[test]
fn trailers_are_where_a_held_body_is_finished() {
    let finish = answering(&edit(), 0);
    let script = [
        ("request_headers", "(i32.const 1)"),
        ("request_body", "(i32.const 1)"),
        ("request_trailers", &finish),
    ];
    for call in [Call::post("/"), Call::post("/").http1()] {
        let mut host = host(&script);
        let outcome = host.send(call.chunks(["ab", "cde"]).trailer("t", "1")).unwrap();
        assert_eq!(outcome.upstream.header(":path").unwrap(), "/new");
        assert_eq!(outcome.upstream.text(), "NEW");
        assert_eq!((outcome.upstream.trailers.len(), outcome.upstream.ended), (1, true));
        insta::allow_duplicates! {
            insta::assert_snapshot!(stream_log(&mut host), @"
            request_headers 2 4 0
            request_body 2 2 0
            request_body 2 5 0
            request_trailers 2 1
            body=abcde
            set 0
            replace 0
            response_headers 2 1 1
            log 2
            done 2
            delete 2
            ");
        }
    }
}

#[test]
fn trailers_release_a_held_body_as_it_is() {
    let script = [("request_headers", "(i32.const 1)"), ("request_body", "(i32.const 1)")];
    let mut host = host(&script);
    let outcome = host.send(Call::post("/").chunks(["ab", "cde"]).trailer("t", "1")).unwrap();
    assert_eq!((&*outcome.upstream.text(), outcome.upstream.trailers.len()), ("abcde", 1));
}

#[test]
fn trailers_after_a_body_that_went_on_have_no_body() {
    let finish = answering(&[body(0), set_body(0, "NEW")].concat(), 0);
    let mut host = host(&[("request_trailers", &finish)]);
    let outcome = host.send(Call::post("/").chunks(["ab", "cde"]).trailer("t", "1")).unwrap();
    assert_eq!(outcome.upstream.text(), "abcde");
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 0
    request_body 2 2 0
    request_body 2 3 0
    request_trailers 2 1
    body=
    set 2
    response_headers 2 1 1
    log 2
    done 2
    delete 2
    ");
}

#[test]
fn a_held_response_is_finished_by_its_trailers() {
    let finish = [body(1), set_body(1, "NEW"), replace(2, "x", "1")].concat();
    let script = [
        ("response_headers", "(i32.const 1)"),
        ("response_body", "(i32.const 1)"),
        ("response_trailers", &answering(&finish, 0)),
    ];
    let mut host = host(&script);
    let answer = Answer::new(200).chunks(["ab", "cde"]).trailer("t", "1");
    let outcome = host.send(Call::get("/").answer(answer)).unwrap();
    assert_eq!(outcome.downstream.header("x").unwrap(), "1");
    assert_eq!((&*outcome.downstream.text(), outcome.downstream.trailers.len()), ("NEW", 1));
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 1
    response_headers 2 1 0
    response_body 2 2 0
    response_body 2 5 0
    response_trailers 2 1
    body=abcde
    set 0
    replace 0
    log 2
    done 2
    delete 2
    ");
}
