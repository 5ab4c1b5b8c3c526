//! Letting go of a stream that was stopped.

use bench_host::testing::{Answer, Call};

use super::guest::{HIGRESS, host, logging, stream_log};

const RESUME: &str = "(call $status 'resume' (call $proxy_continue_stream (i32.const 0)))";

#[test]
fn headers_that_were_stopped_go_on_from_a_later_callback() {
    // The first frame is held, the second resumes and passes.
    let body = format!(
        "(if (i32.eq (local.get 1) (i32.const 2)) (then (return (i32.const 2)))) {RESUME}
         (i32.const 0)"
    );
    let script = logging(&[("request_headers", "(i32.const 1)"), ("request_body", &body)]);
    let mut host = host(&format!("{HIGRESS}{script}"));
    let outcome = host.send(Call::post("/").chunks(["ab", "cde", "fghi"])).unwrap();
    assert_eq!(outcome.upstream.text(), "abcdefghi");
    assert!(outcome.upstream.ended && outcome.downstream.ended);
    assert!(stream_log(&mut host).contains("resume 0\n"));
}

#[test]
fn resuming_in_the_callback_that_stops_has_no_effect() {
    for abi in ["", HIGRESS] {
        let code = format!("{RESUME} (i32.const 4)");
        let script = logging(&[("request_headers", &code)]);
        let mut host = host(&format!("{abi}{script}"));
        let outcome = host.send(Call::get("/")).unwrap();
        assert!(outcome.upstream.headers.is_empty() && !outcome.downstream.ended);
    }
}

#[test]
fn resuming_what_runs_has_no_effect() {
    let code = format!("{RESUME} (i32.const 0)");
    let callbacks = ["request_headers", "request_body", "response_headers", "response_body"];
    let script = callbacks.map(|callback| (callback, code.as_str()));
    let mut host = host(&logging(&script));
    let call = Call::post("/").chunks(["ab", "c"]).answer(Answer::new(200).chunks(["x", "yz"]));
    let outcome = host.send(call).unwrap();
    assert_eq!((outcome.upstream.text(), outcome.downstream.text()), ("abc".into(), "xyz".into()));
}

/// Stream 2 stops everything, and stream 3 lets it go.
#[test]
fn one_stream_can_let_another_go() {
    let code = "(if (i32.eq (local.get 0) (i32.const 2)) (then (return (i32.const 4))))
        (call $status 'effective' (call $proxy_set_effective_context (i32.const 2)))
        (call $status 'resume' (call $proxy_continue_stream (i32.const 0)))
        (i32.const 0)";
    let mut host = host(&logging(&[("request_headers", code)]));
    let held = Call::post("/held").chunks(["ab", "c"]);
    let outcomes = host.interleave([held, Call::get("/")]).unwrap();
    let log = stream_log(&mut host);
    assert!(log.contains("request_headers 3 4 1\neffective 0\nresume 0\n"), "{log}");
    // What was stopped as a whole begins again at this filter.
    assert!(log.contains("request_body 2 2 0\n"), "{log}");
    assert_eq!(outcomes[0].upstream.text(), "abc");
    assert!(outcomes.iter().all(|outcome| outcome.downstream.ended), "{log}");
}

#[test]
fn a_context_that_does_not_exist_cannot_be_chosen() {
    let code = "(call $status 'effective' (call $proxy_set_effective_context (i32.const 77)))
        (i32.const 0)";
    let mut host = host(&logging(&[("request_headers", code)]));
    host.send(Call::get("/")).unwrap();
    assert!(stream_log(&mut host).contains("effective 2\n"));
}

#[test]
fn streams_of_other_kinds_have_nothing_to_resume() {
    let code = "(call $status 'downstream' (call $proxy_continue_stream (i32.const 2)))
        (call $status 'upstream' (call $proxy_continue_stream (i32.const 3)))
        (call $status 'unknown' (call $proxy_continue_stream (i32.const 4)))
        (i32.const 0)";
    let mut host = host(&logging(&[("request_headers", code)]));
    host.send(Call::get("/")).unwrap();
    assert!(stream_log(&mut host).contains("downstream 0\nupstream 12\nunknown 2\n"));
}
