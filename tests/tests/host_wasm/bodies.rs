//! What the answers of body and trailer callbacks do.

use bench_host::testing::{Answer, Call, Outcome};

use super::guest::{host, logging, stream_log};

/// Holds everything up to the end of the message.
const HOLD: &str = "(if (result i32) (local.get 2) (then (i32.const 0)) (else (i32.const 1)))";

fn post(script: &[(&str, &str)], call: Call) -> (Outcome, String) {
    let mut host = host(&logging(script));
    let outcome = host.send(call).unwrap();
    (outcome, stream_log(&mut host))
}

#[test]
fn a_body_that_is_buffered_is_shown_from_its_start() {
    let code = format!("(call $buffer (i32.const 0)) {HOLD}");
    let call = Call::post("/").chunks(["ab", "cde", "fghi"]);
    let (outcome, log) = post(&[("request_body", &code)], call);
    insta::assert_snapshot!(log, @"
    request_headers 2 4 0
    request_body 2 2 0
    buffer ab
    request_body 2 5 0
    buffer abcde
    request_body 2 9 1
    buffer abcdefghi
    response_headers 2 1 1
    log 2
    done 2
    delete 2
    ");
    assert_eq!((outcome.upstream.text(), outcome.upstream.frames), ("abcdefghi".into(), 1));
}

#[test]
fn so_is_one_that_http1_ends_with_an_empty_frame() {
    let call = Call::post("/").http1().chunks(["ab", "cde"]);
    let (outcome, log) = post(&[("request_body", HOLD)], call);
    let bodies: Vec<_> = log.lines().filter(|line| line.starts_with("request_body")).collect();
    assert_eq!(bodies, ["request_body 2 2 0", "request_body 2 5 0", "request_body 2 5 1"]);
    assert_eq!(outcome.upstream.text(), "abcde");
}

#[test]
fn continue_lets_go_of_what_was_held_and_begins_anew() {
    let code = "(i32.eq (local.get 1) (i32.const 2))";
    let call = Call::get("/").answer(Answer::new(200).chunks(["ab", "cde", "fghi", "jk", "l"]));
    let (outcome, log) = post(&[("response_body", code)], call);
    let sizes: Vec<_> = log.lines().filter(|line| line.starts_with("response_body")).collect();
    assert_eq!(
        sizes,
        [
            "response_body 2 2 0",
            "response_body 2 5 0",
            "response_body 2 4 0",
            "response_body 2 2 0",
            "response_body 2 3 1"
        ]
    );
    assert_eq!((outcome.downstream.text(), outcome.downstream.frames), ("abcdefghijkl".into(), 3));
}

#[test]
fn edits_of_a_buffered_body_are_of_all_of_it() {
    let code = format!(
        "(if (local.get 2) (then
            (call $status 'prefix' (call $proxy_set_buffer_bytes (i32.const 0)
                (i32.const 0) (i32.const 3) '<'))
            (call $status 'append' (call $proxy_set_buffer_bytes (i32.const 0)
                (i32.const 0x7fffffff) (i32.const 0) '>'))
            (call $status 'middle' (call $proxy_set_buffer_bytes (i32.const 0)
                (i32.const 1) (i32.const 1) '-'))))
        {HOLD}"
    );
    let (outcome, log) = post(&[("request_body", &code)], Call::post("/").chunks(["ab", "cde"]));
    assert!(log.contains("prefix 0\nappend 0\nmiddle 2\n"), "{log}");
    assert_eq!(outcome.upstream.text(), "<de>");
}

#[test]
fn no_buffer_drops_the_frame_and_not_the_end() {
    let last = "(if (result i32) (local.get 2) (then (i32.const 0)) (else (i32.const 3)))";
    let call = Call::post("/").chunks(["ab", "cde", "f"]);
    let (outcome, log) = post(&[("request_body", last)], call);
    assert_eq!(outcome.upstream.text(), "f");
    assert!(outcome.upstream.ended, "{log}");
    assert!(log.contains("request_body 2 2 0\nrequest_body 2 3 0\nrequest_body 2 1 1\n"), "{log}");
}

#[test]
fn watermark_holds_and_shows_each_frame_alone() {
    let last = "(if (result i32) (local.get 2) (then (i32.const 0)) (else (i32.const 2)))";
    let code = format!("(call $buffer (i32.const 0)) {last}");
    let call = Call::post("/").chunks(["ab", "cde", "f"]);
    let (outcome, log) = post(&[("request_body", &code)], call);
    assert!(
        log.contains(
            "request_body 2 2 0\nbuffer ab\nrequest_body 2 3 0\nbuffer cde\n\
             request_body 2 1 1\nbuffer f\n"
        ),
        "{log}"
    );
    assert_eq!((outcome.upstream.text(), outcome.upstream.frames), ("abcdef".into(), 1));
}

#[test]
fn any_other_number_is_no_buffer() {
    for answer in ["(i32.const 4)", "(i32.const -1)"] {
        let code = format!("(if (result i32) (local.get 2) (then (i32.const 0)) (else {answer}))");
        let call = Call::post("/").chunks(["ab", "cde"]);
        assert_eq!(post(&[("request_body", &code)], call).0.upstream.text(), "cde", "{answer}");
    }
}

#[test]
fn a_message_that_is_held_at_its_end_never_goes_on() {
    for answer in ["(i32.const 1)", "(i32.const 2)", "(i32.const 3)"] {
        let (outcome, log) =
            post(&[("request_body", answer)], Call::post("/").chunks(["ab", "cde"]));
        assert!(!outcome.upstream.ended && outcome.upstream.body.is_empty(), "{answer}");
        assert!(!outcome.downstream.ended && !outcome.replied_locally, "{answer}");
        assert!(
            log.ends_with("request_body 2 5 1\nlog 2\ndone 2\ndelete 2")
                == (answer == "(i32.const 1)")
        );
    }
}

#[test]
fn trailers_that_pass_take_the_held_body_along() {
    let call = Call::post("/").chunks(["ab", "cde"]).trailer("t", "1");
    let (outcome, log) = post(&[("request_body", "(i32.const 1)")], call);
    assert!(
        log.contains("request_body 2 2 0\nrequest_body 2 5 0\nrequest_trailers 2 1\n"),
        "{log}"
    );
    assert_eq!(outcome.upstream.text(), "abcde");
    assert_eq!(outcome.upstream.trailers.len(), 1);
    assert!(outcome.upstream.ended && outcome.downstream.ended);
}

#[test]
fn trailers_are_held_by_any_other_answer() {
    for answer in ["(i32.const 1)", "(i32.const 7)"] {
        let call = Call::post("/").body("ab").trailer("t", "1");
        let (outcome, _) = post(&[("request_trailers", answer)], call);
        assert_eq!(outcome.upstream.text(), "ab");
        assert!(!outcome.upstream.ended && outcome.upstream.trailers.is_empty(), "{answer}");
    }
}

#[test]
fn what_trailers_are_given_goes_on() {
    let code = "(call $status 'add' (call $proxy_add_header_map_value (i32.const 1) 'x' 'yz'))
                (i32.const 0)";
    let call = Call::post("/").body("ab").trailer("t", "1");
    let (outcome, log) = post(&[("request_trailers", code)], call);
    assert!(log.contains("add 0\n"), "{log}");
    assert_eq!(outcome.upstream.trailers.get(b"x").unwrap(), "yz");
}
