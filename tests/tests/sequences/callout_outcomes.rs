//! What comes of a call: refusals, time-outs, lost connections and resets.

use bench_host::testing::Call;

use chunkwise_tests::guest::{pairs, stream_log};

use super::callout::{asking, host};
use super::snippets::*;
use super::steps::*;

#[test]
fn an_unknown_cluster_is_refused_at_once() {
    let ask = answering(&http_call("other", "/ok", 500), 0);
    let mut host = host(&[("request_headers", &ask)]);
    let outcome = host.send(Call::post("/").chunks(["ab", "cde"])).unwrap();
    assert_eq!(outcome.upstream.text(), "abcde");
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 0
    http_call 2
    token 0
    request_body 2 2 0
    request_body 2 3 1
    response_headers 2 1 1
    log 2
    done 2
    delete 2
    ");
}

#[test]
fn a_call_has_to_be_a_request() {
    let [method, path, authority] = [(":method", "GET"), (":path", "/ok"), (":authority", "a")];
    let calls = [
        http_call_with("auth", &[path, authority], 500),
        http_call_with("auth", &[method, authority], 500),
        http_call_with("auth", &[method, path], 500),
        http_call_with("auth", &[method, path, authority], -1),
    ];
    let mut host = host(&[("request_headers", &answering(&calls.concat(), 0))]);
    host.send(Call::get("/")).unwrap();
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 1
    http_call 2
    token 0
    http_call 2
    token 0
    http_call 2
    token 0
    http_call 2
    token 0
    response_headers 2 1 1
    log 2
    done 2
    delete 2
    ");
}

#[test]
fn a_body_has_its_length_and_nothing_is_said_about_the_client() {
    let fields = pairs(&[(":method", "POST"), (":path", "/sized"), (":authority", "auth")]);
    let ask = format!(
        "(call $status 'http_call' (call $proxy_http_call 'auth' {fields} 'four' ''
            (i32.const 0) (i32.const 8))) (i32.const 4)"
    );
    let then = [effective(2), body(4), resume(0)].concat();
    let mut host = host(&[("request_headers", &ask), ("http_call_response", &then)]);
    host.send(Call::get("/")).unwrap();
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 1
    http_call 0
    http_call_response 1 4 1 5 0
    effective 0
    body=sized
    continue 0
    response_headers 2 1 1
    log 2
    done 2
    delete 2
    ");
}

#[test]
fn an_answer_that_is_there_at_once_waits_for_the_end_of_the_callback() {
    let ask = [&http_call("auth", "/now", 500), "(call $say 'asked') (i32.const 4)"].concat();
    let then = [effective(2), resume(0)].concat();
    let mut host = host(&[("request_headers", &ask), ("http_call_response", &then)]);
    let outcome = host.send(Call::get("/")).unwrap();
    assert!(outcome.upstream.ended);
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 1
    http_call 0
    token 4
    asked
    http_call_response 1 4 1 0 0
    effective 0
    continue 0
    response_headers 2 1 1
    log 2
    done 2
    delete 2
    ");
}

/// A call that takes longer than the plugin waits, whether its answer comes later or never.
#[test]
fn a_timeout_is_a_response() {
    for path in ["/late", "/never"] {
        let then = [effective(2), header(6, ":status"), body(4), resume(0)].concat();
        let mut host = asking(path, 50, &then);
        let slot = host.slot();
        let id = request(slot, true);
        pass(slot, 49);
        assert_eq!(received(slot, id, Request), "nothing []");
        pass(slot, 1);
        assert_eq!(received(slot, id, Request), "headers [] end");
        pass(slot, 1000);
        close(slot, id);
        insta::allow_duplicates! {
            insta::assert_snapshot!(stream_log(&mut host), @"
            request_headers 2 4 1
            http_call 0
            token 4
            http_call_response 1 4 3 24 0
            effective 0
            :status=504
            body=upstream request timeout
            continue 0
            log 2
            done 2
            delete 2
            ");
        }
    }
}

#[test]
fn without_a_timeout_a_call_waits() {
    let mut host = asking("/late", 0, &[effective(2), header(6, ":status"), resume(0)].concat());
    host.send(Call::get("/")).unwrap();
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 1
    http_call 0
    token 4
    http_call_response 1 4 1 0 0
    effective 0
    :status=200
    continue 0
    response_headers 2 1 1
    log 2
    done 2
    delete 2
    ");
}

#[test]
fn no_connection_is_a_response() {
    let mut host = asking("/down", 500, &[effective(2), header(6, ":status"), resume(0)].concat());
    host.send(Call::get("/")).unwrap();
    let log = stream_log(&mut host);
    assert!(log.contains("effective 0\n:status=503\ncontinue 0\n"), "{log}");
}

#[test]
fn a_reset_has_nothing_but_a_status() {
    let then = [
        "(call $status 'status' (call $proxy_get_status (i32.const 12) (i32.const 0) (i32.const 4)))
        (call $status 'code' (i32.load (i32.const 12)))
        (call $text 'text=') (call $text (i32.load (i32.const 0)) (i32.load (i32.const 4)))
        (call $flush)",
        &effective(2),
        &header(6, ":status"),
        &body(4),
        &resume(0),
    ];
    let mut host = asking("/reset", 500, &then.concat());
    host.send(Call::get("/")).unwrap();
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 1
    http_call 0
    token 4
    http_call_response 1 4 0 0 0
    status 0
    code 11
    text=reset
    effective 0
    :status fails 2
    body fails 1
    continue 0
    response_headers 2 1 1
    log 2
    done 2
    delete 2
    ");
}
