//! Answers that a plugin gives instead of the upstream.

use bench_host::testing::{Answer, Call, Outcome};

use super::guest::{HIGRESS, host, logging, stream_log};

/// 403 with a body, from any callback, which then answers zero.
const REPLY: &str = "(call $status 'reply' (call $proxy_send_local_response (i32.const 403)
        'not for you' 'no' (i32.const 0) (i32.const 0) (i32.const -1)))
    (i32.const 0)";

fn reply_from(callback: &str) -> (Outcome, String) {
    let mut host = host(&logging(&[(callback, REPLY)]));
    let answer = Answer::new(200).body("xyz").trailer("t", "1");
    let call = Call::post("/").body("ab").trailer("t", "1").answer(answer);
    let outcome = host.send(call).unwrap();
    (outcome, stream_log(&mut host))
}

fn is_the_reply(outcome: &Outcome) {
    assert_eq!(outcome.downstream.header(":status").unwrap(), "403");
    assert_eq!(outcome.downstream.header("content-length").unwrap(), "2");
    assert_eq!(outcome.downstream.header("content-type").unwrap(), "text/plain");
    assert_eq!(outcome.downstream.text(), "no");
    assert_eq!(outcome.details, "via_wasm::plugin::not_for_you");
    assert!(outcome.replied_locally && outcome.downstream.ended && !outcome.reset);
    assert!(outcome.downstream.trailers.is_empty());
    assert!(!outcome.upstream.ended);
}

#[test]
fn from_request_headers_it_passes_the_response_callbacks() {
    let (outcome, log) = reply_from("request_headers");
    is_the_reply(&outcome);
    assert!(outcome.upstream.headers.is_empty());
    insta::assert_snapshot!(log, @"
    request_headers 2 4 0
    reply 0
    response_headers 2 3 0
    response_body 2 2 1
    log 2
    done 2
    delete 2
    ");
}

#[test]
fn from_the_request_body_the_upstream_has_its_headers() {
    let (outcome, log) = reply_from("request_body");
    is_the_reply(&outcome);
    assert_eq!(outcome.upstream.header(":method").unwrap(), "POST");
    assert!(outcome.upstream.body.is_empty());
    assert!(log.contains("request_body 2 2 0\nreply 0\nresponse_headers 2 3 0\n"), "{log}");
}

#[test]
fn from_request_trailers_the_upstream_has_the_body() {
    let (outcome, log) = reply_from("request_trailers");
    is_the_reply(&outcome);
    assert_eq!(outcome.upstream.text(), "ab");
    assert!(log.contains("request_trailers 2 1\nreply 0\nresponse_headers 2 3 0\n"), "{log}");
}

#[test]
fn from_response_headers_it_takes_the_place_of_the_response() {
    let mut host = host(&logging(&[("response_headers", REPLY)]));
    let outcome = host.send(Call::get("/").answer(Answer::new(200).body("xyz"))).unwrap();
    assert_eq!(outcome.downstream.header(":status").unwrap(), "403");
    assert_eq!(outcome.downstream.text(), "no");
    assert!(outcome.replied_locally && outcome.downstream.ended);
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 1
    response_headers 2 1 0
    reply 0
    log 2
    done 2
    delete 2
    ");
}

#[test]
fn from_the_response_body_it_needs_headers_that_wait() {
    for (held, replied) in [("(i32.const 1)", true), ("(i32.const 0)", false)] {
        let script = logging(&[("response_headers", held), ("response_body", REPLY)]);
        let mut host = host(&format!("{HIGRESS}{script}"));
        let outcome = host.send(Call::get("/").answer(Answer::new(200).body("xyz"))).unwrap();
        assert_eq!(outcome.downstream.text(), if replied { "no" } else { "" });
        let status = if replied { "403" } else { "200" };
        assert_eq!(outcome.downstream.header(":status").unwrap(), status);
        // What has begun to go out can only be cut off.
        assert_eq!((outcome.downstream.ended, outcome.reset), (replied, !replied));
    }
}

#[test]
fn from_response_trailers_it_cuts_off_what_has_gone_out() {
    let (outcome, _) = reply_from("response_trailers");
    assert_eq!(outcome.downstream.header(":status").unwrap(), "200");
    assert!(outcome.reset && !outcome.downstream.ended);
}

#[test]
fn without_a_body_headers_are_all_there_is() {
    let code = "(drop (call $proxy_send_local_response (i32.const 204) 'x' (i32.const 0)
            (i32.const 0) (i32.const 0) (i32.const 0) (i32.const -1)))
        (i32.const 0)";
    let mut host = host(&logging(&[("request_headers", code)]));
    let outcome = host.send(Call::get("/")).unwrap();
    assert_eq!(outcome.downstream.headers.len(), 1);
    assert!(outcome.downstream.ended);
    assert!(stream_log(&mut host).contains("response_headers 2 1 1\n"));
}

#[test]
fn where_there_is_no_stream_nobody_is_answered() {
    let reply = format!("(func $reply {REPLY} (drop))");
    let script = [("configure", "(call $reply) (i32.const 1)"), ("log", "(call $reply)")];
    let mut host = host(&format!("{reply}{}", logging(&script)));
    let outcome = host.send(Call::get("/")).unwrap();
    assert_eq!(outcome.downstream.header(":status").unwrap(), "200");
    assert!(!outcome.replied_locally);
}

#[test]
fn a_reply_to_the_own_reply_ends_it() {
    let mut host = host(&logging(&[("request_headers", REPLY), ("response_headers", REPLY)]));
    let outcome = host.send(Call::get("/")).unwrap();
    is_the_reply(&outcome);
}

#[test]
fn a_closed_stream_is_reset() {
    let code = "(drop (call $proxy_close_stream (i32.const 0))) (i32.const 0)";
    let mut host = host(&logging(&[("request_body", code)]));
    let outcome = host.send(Call::post("/").chunks(["ab", "c"])).unwrap();
    assert!(outcome.reset && !outcome.upstream.ended && outcome.downstream.headers.is_empty());
    assert!(stream_log(&mut host).ends_with("request_body 2 2 0\nlog 2\ndone 2\ndelete 2"));
}
