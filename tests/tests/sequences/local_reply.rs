//! Replies from every phase, and the order of what a callback puts off.

use bench_host::host::{Profile, Settings, World};
use bench_host::testing::{Answer, Call, Outcome, TestHost};

use chunkwise_tests::guest::{HIGRESS, host_in, logging, stream_log};

use super::snippets::*;
use super::steps::*;

const AUTH: &str = r#"
    [cluster.auth]
    latency = "5ms"
    [[cluster.auth.http]]
"#;

pub fn host(script: &[(&str, &str)]) -> TestHost {
    let module = format!("{HIGRESS}{}", logging(script));
    host_in(&module, Settings::new(Profile::Higress), world(AUTH))
}

pub fn full() -> Call {
    let answer = Answer::new(200).header("x", "1").body("xyz").trailer("t", "1");
    Call::post("/").body("ab").trailer("t", "1").answer(answer)
}

/// Replies from a callback, while these callbacks stop.
fn reply_from(callback: &str, stops: &[&str]) -> (Outcome, String) {
    let reply = answering(&reply(500, "no way", "oh"), 0);
    let mut script = vec![(callback, &*reply)];
    script.extend(stops.iter().map(|callback| (*callback, "(i32.const 1)")));
    let mut host = host(&script);
    let outcome = host.send(full()).unwrap();
    (outcome, stream_log(&mut host))
}

fn is_the_reply(outcome: &Outcome) {
    let downstream = &outcome.downstream;
    assert_eq!(downstream.header(":status").unwrap(), "500");
    assert_eq!(downstream.header("content-length").unwrap(), "2");
    assert_eq!(downstream.header("content-type").unwrap(), "text/plain");
    assert!(downstream.header("x").is_none() && downstream.trailers.is_empty());
    assert_eq!((&*downstream.text(), downstream.ended), ("oh", true));
    assert_eq!(outcome.details, "via_wasm::plugin::no_way");
    assert!(outcome.replied_locally && !outcome.reset);
}

#[test]
fn from_request_headers() {
    let (outcome, log) = reply_from("request_headers", &[]);
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
fn from_the_request_body() {
    let (outcome, log) = reply_from("request_body", &[]);
    is_the_reply(&outcome);
    assert!(!outcome.upstream.headers.is_empty() && outcome.upstream.body.is_empty());
    insta::assert_snapshot!(log, @"
    request_headers 2 4 0
    request_body 2 2 0
    reply 0
    response_headers 2 3 0
    response_body 2 2 1
    log 2
    done 2
    delete 2
    ");
}

#[test]
fn from_request_trailers() {
    let (outcome, log) = reply_from("request_trailers", &[]);
    is_the_reply(&outcome);
    assert_eq!((&*outcome.upstream.text(), outcome.upstream.ended), ("ab", false));
    insta::assert_snapshot!(log, @"
    request_headers 2 4 0
    request_body 2 2 0
    request_trailers 2 1
    reply 0
    response_headers 2 3 0
    response_body 2 2 1
    log 2
    done 2
    delete 2
    ");
}

#[test]
fn from_response_headers_it_passes_the_plugin_by() {
    let (outcome, log) = reply_from("response_headers", &[]);
    is_the_reply(&outcome);
    assert!(outcome.upstream.ended);
    insta::assert_snapshot!(log, @"
    request_headers 2 4 0
    request_body 2 2 0
    request_trailers 2 1
    response_headers 2 2 0
    reply 0
    log 2
    done 2
    delete 2
    ");
}

#[test]
fn from_the_response_body_while_the_headers_wait() {
    let (outcome, log) = reply_from("response_body", &["response_headers"]);
    is_the_reply(&outcome);
    insta::assert_snapshot!(log, @"
    request_headers 2 4 0
    request_body 2 2 0
    request_trailers 2 1
    response_headers 2 2 0
    response_body 2 3 0
    reply 0
    log 2
    done 2
    delete 2
    ");
}

#[test]
fn from_response_trailers_while_the_headers_wait() {
    let (outcome, log) = reply_from("response_trailers", &["response_headers", "response_body"]);
    is_the_reply(&outcome);
    insta::assert_snapshot!(log, @"
    request_headers 2 4 0
    request_body 2 2 0
    request_trailers 2 1
    response_headers 2 2 0
    response_body 2 3 0
    response_trailers 2 1
    reply 0
    log 2
    done 2
    delete 2
    ");
}

#[test]
fn from_the_response_body_when_the_headers_are_out() {
    let (outcome, log) = reply_from("response_body", &[]);
    assert_eq!(outcome.downstream.header(":status").unwrap(), "200");
    assert!(outcome.reset && outcome.downstream.body.is_empty() && !outcome.downstream.ended);
    assert_eq!(outcome.details, "via_wasm::plugin::no_way", "too late, and yet logged");
    insta::assert_snapshot!(log, @"
    request_headers 2 4 0
    request_body 2 2 0
    request_trailers 2 1
    response_headers 2 2 0
    response_body 2 3 0
    reply 0
    log 2
    done 2
    delete 2
    ");
}

#[test]
fn from_response_trailers_when_the_body_is_out() {
    let (outcome, log) = reply_from("response_trailers", &[]);
    assert_eq!(outcome.downstream.text(), "xyz");
    assert!(outcome.reset && outcome.downstream.trailers.is_empty() && !outcome.downstream.ended);
    assert!(log.ends_with("response_trailers 2 1\nreply 0\nlog 2\ndone 2\ndelete 2"), "{log}");
}

#[test]
fn a_reply_without_a_body_is_its_headers() {
    let script = [("request_headers", &*answering(&reply(204, "", ""), 0))];
    let mut host = host(&script);
    let outcome = host.send(full()).unwrap();
    assert_eq!(outcome.downstream.header(":status").unwrap(), "204");
    assert_eq!(outcome.details, "via_wasm::plugin");
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 0
    reply 0
    response_headers 2 1 1
    log 2
    done 2
    delete 2
    ");
}

#[test]
fn the_plugin_can_change_its_own_reply() {
    let reply = answering(&reply(403, "x", "oh"), 0);
    let change = [header(2, ":status"), replace(2, "x", "2")].concat();
    let script = [
        ("request_headers", &*reply),
        ("response_headers", &answering(&change, 0)),
        ("response_body", &answering(&append(1, " no"), 0)),
    ];
    let mut host = host(&script);
    let outcome = host.send(full()).unwrap();
    assert_eq!(outcome.downstream.header("x").unwrap(), "2");
    assert_eq!(outcome.downstream.text(), "oh no");
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 0
    reply 0
    response_headers 2 3 0
    :status=403
    replace 0
    response_body 2 2 1
    append 0
    log 2
    done 2
    delete 2
    ");
}

const DETAILS: &str = "(drop (call $proxy_get_property 'response\\00code_details'
        (i32.const 0) (i32.const 4)))
    (call $text 'details=') (call $text (i32.load (i32.const 0)) (i32.load (i32.const 4)))
    (call $flush)";

#[test]
fn details_tell_a_reply_from_a_response() {
    let deny = answering(&reply(403, "you", "oh"), 0);
    let look = answering(DETAILS, 0);
    let lines = |host: &mut TestHost| {
        let log = stream_log(host);
        log.lines().filter(|line| line.starts_with("details")).collect::<Vec<_>>().join("\n")
    };
    let mut denying = host(&[("request_headers", &deny), ("response_headers", &look)]);
    denying.send(full()).unwrap();
    assert_eq!(lines(&mut denying), "details=via_wasm::plugin::you");
    let mut passing = host(&[("response_headers", &look)]);
    passing.send(full()).unwrap();
    assert_eq!(lines(&mut passing), "details=via_upstream");
}

/// Asks, stops everything, and does this when the answer has come.
fn answered(then: &str) -> (Outcome, String) {
    let ask = answering(&http_call("auth", "/", 500), 4);
    let then = [&effective(2), then].concat();
    let mut host = host(&[("request_headers", &ask), ("http_call_response", &then)]);
    let outcome = host.send(Call::post("/").chunks(["ab", "cde"])).unwrap();
    let log = stream_log(&mut host);
    (outcome, log.split_once("effective 0\n").unwrap().1.to_owned())
}

/// The callback that resuming leads to ends before the rest of what was put off: the reply comes
/// between that callback and its effect.
#[test]
fn what_is_put_off_happens_in_order() {
    let (outcome, log) = answered(&[resume(0), reply(403, "x", "oh")].concat());
    assert_eq!(outcome.downstream.header(":status").unwrap(), "403");
    assert!(!outcome.upstream.headers.is_empty() && outcome.upstream.body.is_empty());
    insta::assert_snapshot!(log, @"
    continue 0
    reply 0
    request_body 2 5 1
    response_headers 2 3 0
    response_body 2 2 1
    log 2
    done 2
    delete 2
    ");
    let (outcome, log) = answered(&[reply(403, "x", "oh"), resume(0)].concat());
    assert_eq!(outcome.downstream.header(":status").unwrap(), "403");
    assert!(outcome.upstream.headers.is_empty());
    insta::assert_snapshot!(log, @"
    reply 0
    continue 0
    response_headers 2 3 0
    response_body 2 2 1
    log 2
    done 2
    delete 2
    ");
}

#[test]
fn streams_are_resumed_in_the_order_in_which_the_plugin_says_so() {
    for (first, second) in [(2, 3), (3, 2)] {
        let ask = answering(&when(&is(0, 3), &http_call("auth", "/", 500)), 4);
        let then = [effective(first), resume(0), effective(second), resume(0)].concat();
        let mut host = host(&[("request_headers", &ask), ("http_call_response", &then)]);
        let slot = host.slot();
        let ids = [request(slot, false), request(slot, false)];
        for id in ids {
            data(slot, id, Request, "ab", true);
        }
        pass(slot, 5);
        let log = stream_log(&mut host);
        let expected = format!(
            "effective 0\ncontinue 0\neffective 0\ncontinue 0\n\
             request_body {first} 2 1\nrequest_body {second} 2 1"
        );
        assert!(log.ends_with(&expected), "{log}");
    }
}

#[test]
fn closing_a_stream_resets_it() {
    let close = "(call $status 'close' (call $proxy_close_stream (i32.const 0)))";
    let (outcome, log) = answered(close);
    assert!(outcome.reset && outcome.downstream.headers.is_empty());
    assert!(outcome.upstream.headers.is_empty());
    assert_eq!(outcome.details, "wasm_close_stream");
    insta::assert_snapshot!(log, @"
    close 0
    log 2
    done 2
    delete 2
    ");
}

/// The second stream looks at the first, which still has its headers.
#[test]
fn another_context_is_acted_on_until_the_callback_ends() {
    let path = header(0, ":path");
    let look = [&*path, &effective(2), &path, &effective(9), &path].concat();
    let headers_of = answering(&when(&is(0, 3), &look), 1);
    let script = [("request_headers", &*headers_of), ("request_body", &answering(&path, 0))];
    let mut host = host(&script);
    let outcomes =
        host.interleave([Call::post("/a").body("ab"), Call::post("/b").body("ab")]).unwrap();
    assert!(outcomes.iter().all(|outcome| outcome.upstream.ended));
    let log = stream_log(&mut host);
    let lines: Vec<_> = log.lines().take(11).collect();
    insta::assert_snapshot!(lines.join("\n"), @"
    context_create 3 1
    request_headers 2 4 0
    request_headers 3 4 0
    :path=/b
    effective 0
    :path=/a
    effective 2
    :path=/a
    request_body 2 2 1
    :path=/a
    request_body 3 2 1
    ");
    assert_eq!(log.lines().nth(11), Some(":path=/b"));
}

/// The reply goes to the stream that the plugin acts on, not to the one whose callback it is.
#[test]
fn a_reply_on_another_stream() {
    let deny = [effective(2), reply(403, "x", "oh")].concat();
    let mut host = host(&[("request_headers", &answering(&when(&is(0, 3), &deny), 1))]);
    let slot = host.slot();
    let first = request(slot, false);
    let second = request(slot, false);
    assert_eq!(received(slot, first, Response), "headers [oh] end");
    assert_eq!(received(slot, second, Response), "nothing []");
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 0
    context_create 3 1
    request_headers 3 4 0
    effective 0
    reply 0
    response_headers 2 3 0
    response_body 2 2 1
    ");
}

#[test]
fn the_default_world_has_no_upstreams() {
    let ask = answering(&http_call("auth", "/", 500), 0);
    let module = logging(&[("request_headers", &ask)]);
    let mut host = host_in(&module, Settings::new(Profile::Envoy), World::default());
    host.send(Call::get("/")).unwrap();
    assert!(stream_log(&mut host).contains("http_call 2\ntoken 0\n"));
}

/// The reply's headers have not been sent while the plugin sees them.
#[test]
fn a_reply_can_take_the_place_of_a_reply() {
    let script = [
        ("request_headers", &*answering(&reply(403, "first", "one"), 0)),
        ("response_headers", &answering(&reply(500, "second", "two"), 0)),
    ];
    let mut host = host(&script);
    let outcome = host.send(full()).unwrap();
    assert_eq!(outcome.downstream.header(":status").unwrap(), "500");
    assert_eq!((&*outcome.downstream.text(), outcome.downstream.ended), ("two", true));
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 0
    reply 0
    response_headers 2 3 0
    reply 0
    log 2
    done 2
    delete 2
    ");
}

#[test]
fn a_grpc_client_gets_a_status_of_grpc() {
    for (given, expected) in [("7", "7"), ("-1", "14"), ("17", "14")] {
        let deny = format!(
            "(call $status 'reply' (call $proxy_send_local_response (i32.const 503)
                'x' 'no way' '' (i32.const {given}))) (i32.const 0)"
        );
        let mut host = host(&[("request_headers", &deny)]);
        let call = Call::post("/").header("content-type", "application/grpc").body("ab");
        let outcome = host.send(call).unwrap();
        assert_eq!(outcome.downstream.header(":status").unwrap(), "200");
        assert_eq!(outcome.downstream.header("content-type").unwrap(), "application/grpc");
        assert_eq!(outcome.downstream.header("grpc-status").unwrap(), expected);
        assert_eq!(outcome.downstream.header("grpc-message").unwrap(), "no way");
        assert!(outcome.downstream.body.is_empty() && outcome.downstream.ended);
        let log = stream_log(&mut host);
        assert!(log.contains("reply 0\nresponse_headers 2 4 1\nlog 2\n"), "{log}");
    }
}

/// Whoever replies is stopped, whatever stream the reply is for.
#[test]
fn a_reply_stops_the_callback_that_it_is_made_in() {
    let deny = [effective(2), reply(403, "x", "oh")].concat();
    let mut host = host(&[("request_headers", &answering(&when(&is(0, 3), &deny), 0))]);
    let slot = host.slot();
    let first = request(slot, false);
    let second = request(slot, false);
    data(slot, second, Request, "ab", true);
    assert_eq!(received(slot, first, Response), "headers [oh] end");
    assert_eq!(received(slot, second, Request), "nothing []");
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 0
    context_create 3 1
    request_headers 3 4 0
    effective 0
    reply 0
    response_headers 2 3 0
    response_body 2 2 1
    ");
}

/// A reply from a timer or from an answer stops nothing that comes later.
#[test]
fn a_reply_outside_of_a_stream_stops_nothing() {
    let script =
        [("configure", &*answering(&tick_period(100), 1)), ("tick", &reply(403, "x", "oh"))];
    let mut host = host(&script);
    let slot = host.slot();
    pass(slot, 100);
    let id = request(slot, true);
    assert_eq!(received(slot, id, Request), "headers [] end");
    insta::assert_snapshot!(stream_log(&mut host), @"request_headers 2 4 1");
}

/// Who asks for the headers alone gets them, with the length of the body that is not sent.
#[test]
fn a_reply_to_head_has_no_body() {
    let deny = answering(&reply(403, "x", "oh"), 0);
    let mut host = host(&[("request_headers", &deny)]);
    let outcome = host.send(Call::new("HEAD", "/")).unwrap();
    assert_eq!(outcome.downstream.header("content-length").unwrap(), "2");
    assert!(outcome.downstream.body.is_empty() && outcome.downstream.ended);
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 1
    reply 0
    response_headers 2 3 1
    log 2
    done 2
    delete 2
    ");
}
