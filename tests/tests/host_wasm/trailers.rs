//! What random scripts have found of trailers, headers and replies that come late; Envoy 1.40 does
//! the same (`tests/envoy/tests/random`).

use bench_host::testing::{Answer, Call, Outcome};

use super::guest::{HIGRESS, host, logging, stream_log};

const ADD: &str = "(call $status 'add' (call $proxy_add_header_map_value (i32.const 1) 'x' 'y'))";

#[test]
fn trailers_that_are_added_to_a_held_request_end_it() {
    let code = format!("{ADD} (i32.const 1)");
    let mut host = host(&logging(&[("request_body", &code)]));
    let outcome = host.send(Call::post("/").body("ab")).unwrap();
    assert_eq!(outcome.upstream.trailers.get(b"x").unwrap(), "y");
    assert!(outcome.upstream.ended && outcome.upstream.body.is_empty());
}

#[test]
fn with_headers_that_are_held_they_wait() {
    let code = format!("{ADD} (i32.const 1)");
    let script = logging(&[("request_headers", "(i32.const 1)"), ("request_body", &code)]);
    let mut host = host(&format!("{HIGRESS}{script}"));
    let outcome = host.send(Call::post("/").body("ab")).unwrap();
    assert!(outcome.upstream.headers.is_empty() && outcome.stalled.is_some());
}

#[test]
fn of_a_response_they_wait_for_the_body() {
    let add = ADD.replace("(i32.const 1) 'x'", "(i32.const 3) 'x'");
    let code = format!("{add} (i32.const 1)");
    let mut host = host(&logging(&[("response_body", &code)]));
    let outcome = host.send(Call::get("/").answer(Answer::new(200).body("ab"))).unwrap();
    assert!(!outcome.downstream.ended && outcome.downstream.trailers.is_empty());
}

/// Stream 2 stops everything, and stream 3 lets it go when all of it has come.
fn behind_stopped_headers(answer: &str) -> (Outcome, String) {
    let headers = "(if (i32.eq (local.get 0) (i32.const 2)) (then (return (i32.const 4))))
        (i32.const 0)";
    let body = format!(
        "(if (i32.eq (local.get 0) (i32.const 2)) (then (return {answer})))
        (if (local.get 2) (then
            (drop (call $proxy_set_effective_context (i32.const 2)))
            (drop (call $proxy_continue_stream (i32.const 0)))))
        (i32.const 0)"
    );
    let mut host = host(&logging(&[("request_headers", headers), ("request_body", &body)]));
    let held = Call::post("/held").chunks(["ab", "c"]).trailer("t", "1");
    let other = Call::post("/").chunks(["a", "b", "c", "d", "e"]);
    let mut outcomes = host.interleave([held, other]).unwrap();
    let whole: String = host.log().iter().map(|line| format!("{}\n", line.message)).collect();
    (outcomes.remove(0), whole)
}

#[test]
fn a_body_that_is_held_behind_stopped_headers_is_lost_when_its_trailers_pass() {
    let (outcome, log) = behind_stopped_headers("(i32.const 1)");
    assert_eq!(log.matches("request_trailers 2 1\n").count(), 2, "{log}");
    assert!(outcome.upstream.ended && outcome.upstream.body.is_empty());
    assert!(log.contains("misuse of the host"), "{log}");
    let (outcome, log) = behind_stopped_headers("(i32.const 0)");
    assert_eq!(outcome.upstream.text(), "abc");
    assert!(!log.contains("misuse of the host"), "{log}");
}

#[test]
fn headers_that_a_body_lets_go_can_still_be_changed_in_vain() {
    let set = "(call $status 'set' (call $proxy_replace_header_map_value (i32.const 0) 'x' 'y'))";
    let callbacks = [("request_headers", "(i32.const 1)"), ("response_headers", "(i32.const 0)")];
    let script = logging(&[callbacks[0], ("log", set)]);
    let mut held = host(&format!("{HIGRESS}{script}"));
    let outcome = held.send(Call::post("/").body("ab")).unwrap();
    assert!(stream_log(&mut held).contains("set 0\n"));
    assert!(outcome.upstream.header("x").is_none());
    let mut passed = host(&format!("{HIGRESS}{}", logging(&[callbacks[1], ("log", set)])));
    passed.send(Call::post("/").body("ab")).unwrap();
    assert!(stream_log(&mut passed).contains("set 2\n"));
}

#[test]
fn a_reply_that_comes_too_late_gives_the_stream_its_details() {
    let code = "(call $status 'reply' (call $proxy_send_local_response (i32.const 403) 'why' 'no'
            (i32.const 0) (i32.const 0) (i32.const -1)))
        (i32.const 0)";
    let mut host = host(&logging(&[("response_body", code)]));
    let outcome = host.send(Call::get("/").answer(Answer::new(200).body("ab"))).unwrap();
    assert!(outcome.reset && outcome.details.ends_with("why"), "{}", outcome.details);
}
