//! Messages that wait for the answer to a call, and what the answer changes in them.

use bench_host::host::{Profile, Settings};
use bench_host::testing::{Answer, Call};

use chunkwise_tests::guest::{HIGRESS, host_in, logging, stream_log};

use super::callout::{AUTH, host};
use super::snippets::*;
use super::steps::*;

/// The same on the way back: everything of the response waits, and comes when it is let go.
#[test]
fn a_response_waits_as_a_request_does() {
    let ask = answering(&http_call("auth", "/ok", 500), 4);
    let then = [effective(2), resume(1)].concat();
    let answer = Answer::new(200).chunks(["xy", "z"]).trailer("t", "1");
    let mut host = host(&[("response_headers", &ask), ("http_call_response", &then)]);
    let outcome = host.send(Call::get("/").answer(answer)).unwrap();
    assert_eq!((&*outcome.downstream.text(), outcome.downstream.trailers.len()), ("xyz", 1));
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 1
    response_headers 2 1 0
    http_call 0
    token 4
    http_call_response 1 4 2 3 0
    effective 0
    continue 0
    response_body 2 3 0
    response_trailers 2 1
    log 2
    done 2
    delete 2
    ");
}

/// While the response waits it has not been sent, so a reply takes its place.
#[test]
fn a_response_that_waits_can_be_replaced() {
    let ask = answering(&http_call("auth", "/no", 500), 4);
    let then = [effective(2), reply(403, "x", "no")].concat();
    let answer = Answer::new(200).body("xyz");
    let mut host = host(&[("response_headers", &ask), ("http_call_response", &then)]);
    let outcome = host.send(Call::get("/").answer(answer)).unwrap();
    assert_eq!(outcome.downstream.header(":status").unwrap(), "403");
    assert_eq!(outcome.downstream.text(), "no");
    assert!(outcome.replied_locally && !outcome.reset);
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 1
    response_headers 2 1 0
    http_call 0
    token 4
    http_call_response 1 4 1 0 0
    effective 0
    reply 0
    log 2
    done 2
    delete 2
    ");
}

#[test]
fn a_reply_that_passes_the_plugin_can_wait_too() {
    let ask = answering(&http_call("auth", "/ok", 500), 4);
    let then = [effective(2), resume(1)].concat();
    let script = [
        ("request_headers", &*answering(&reply(403, "x", "no"), 0)),
        ("response_headers", &ask),
        ("http_call_response", &then),
    ];
    let mut host = host(&script);
    let outcome = host.send(Call::get("/")).unwrap();
    assert_eq!((&*outcome.downstream.text(), outcome.downstream.ended), ("no", true));
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 1
    reply 0
    response_headers 2 3 0
    http_call 0
    token 4
    http_call_response 1 4 2 3 0
    effective 0
    continue 0
    response_body 2 2 1
    log 2
    done 2
    delete 2
    ");
}

/// A body that is held can be read and written from elsewhere, and so can headers that wait.
#[test]
fn a_held_message_can_be_changed_by_what_the_answer_says() {
    let ask = answering(&http_call("auth", "/ok", 500), 1);
    for (direction, headers, body_of) in
        [(0, "request_headers", "request_body"), (1, "response_headers", "response_body")]
    {
        let map = direction * 2;
        let then = [
            effective(2),
            body(direction),
            set_body(direction, "NEW"),
            append(direction, "!"),
            replace(map, "x", "1"),
            resume(direction),
        ];
        let script = [
            (headers, "(i32.const 1)"),
            (
                body_of,
                &*format!("(if (result i32) (local.get 2) (then {ask}) (else (i32.const 1)))"),
            ),
            ("http_call_response", &then.concat()),
        ];
        let module = format!("{HIGRESS}{}", logging(&script));
        let mut host = host_in(&module, Settings::new(Profile::Higress), world(AUTH));
        let answer = Answer::new(200).chunks(["ab", "cde"]);
        let outcome = host.send(Call::post("/").chunks(["ab", "cde"]).answer(answer)).unwrap();
        let seen = if direction == 0 { outcome.upstream } else { outcome.downstream };
        assert_eq!((&*seen.text(), seen.ended), ("NEW!", true));
        assert_eq!(seen.header("x").unwrap(), "1");
        let log = stream_log(&mut host);
        let expected = format!(
            "{body_of} 2 2 0\n{body_of} 2 5 1\nhttp_call 0\ntoken 4\n\
             http_call_response 1 4 2 3 0\neffective 0\nbody=abcde\nset 0\nappend 0\n\
             replace 0\ncontinue 0\n"
        );
        assert!(log.contains(&expected), "{log}");
        assert_eq!(log.matches(body_of).count(), 2);
    }
}

/// Trailers that wait keep everything before them.
#[test]
fn trailers_can_wait_for_an_answer() {
    let ask = answering(&http_call("auth", "/ok", 500), 1);
    let then = [effective(2), header(1, "t"), replace(1, "t", "2"), body(0), resume(0)].concat();
    let script = [
        ("request_headers", "(i32.const 1)"),
        ("request_body", "(i32.const 1)"),
        ("request_trailers", &*ask),
        ("http_call_response", &then),
    ];
    let module = format!("{HIGRESS}{}", logging(&script));
    let mut host = host_in(&module, Settings::new(Profile::Higress), world(AUTH));
    let outcome = host.send(Call::post("/").chunks(["ab", "cde"]).trailer("t", "1")).unwrap();
    assert_eq!(outcome.upstream.text(), "abcde");
    assert_eq!(outcome.upstream.trailers.get(b"t").unwrap().as_ref(), b"2");
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 0
    request_body 2 2 0
    request_body 2 5 0
    request_trailers 2 1
    http_call 0
    token 4
    http_call_response 1 4 2 3 0
    effective 0
    t=1
    replace 0
    body=abcde
    continue 0
    response_headers 2 1 1
    log 2
    done 2
    delete 2
    ");
}
