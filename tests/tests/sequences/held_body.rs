//! Headers that wait for the body, and bodies that are held whole.

use bench_host::host::{Profile, Settings, World};
use bench_host::testing::{Answer, Call, TestHost};

use chunkwise_tests::guest::{HIGRESS, host_in, logging, stream_log};

use super::buffer_limit::too_large;
use super::snippets::*;
use super::steps::*;

pub fn limited(script: &[(&str, &str)], limit: usize) -> TestHost {
    let module = format!("{HIGRESS}{}", logging(script));
    let settings = Settings { buffer_limit: Some(limit), ..Settings::new(Profile::Higress) };
    host_in(&module, settings, World::default())
}

pub fn host(script: &[(&str, &str)]) -> TestHost {
    limited(script, 1024)
}

/// Reads the whole body at its end, replaces it and edits a header.
pub fn edit() -> String {
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

/// What the plugin makes of the first frames is what the next one is added to.
#[test]
fn a_body_can_be_changed_while_it_is_held() {
    let change = format!("{} (i32.eqz (local.get 2))", [body(0), append(0, "+")].concat());
    let script = [("request_headers", "(i32.const 1)"), ("request_body", &*change)];
    let mut host = host(&script);
    let outcome = host.send(Call::post("/").chunks(["ab", "cde"])).unwrap();
    assert_eq!(outcome.upstream.text(), "ab+cde+");
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 0
    request_body 2 2 0
    body=ab
    append 0
    request_body 2 6 1
    body=ab+cde
    append 0
    response_headers 2 1 1
    log 2
    done 2
    delete 2
    ");
}

/// One call to `set_buffer_bytes` on a held body `abcde`, and what the upstream gets.
fn changed(start: &str, length: &str) -> String {
    let set = format!(
        "(call $status 'set' (call $proxy_set_buffer_bytes (i32.const 0) (i32.const {start})
            (i32.const {length}) 'XY'))"
    );
    let script = [("request_headers", "(i32.const 1)"), ("request_body", &*at_end(1, &set, 0))];
    let mut host = host(&script);
    let outcome = host.send(Call::post("/").chunks(["ab", "cde"])).unwrap();
    let log = stream_log(&mut host);
    let status = log.lines().find_map(|line| line.strip_prefix("set ")).unwrap();
    format!("{status} {}", outcome.upstream.text())
}

#[test]
fn a_held_body_is_changed_at_its_ends_only() {
    for (start, length, expected) in [
        ("0", "0", "0 XYabcde"),
        ("0", "2", "0 XYcde"),
        ("0", "5", "0 XY"),
        ("0", "0x7fffffff", "0 XY"),
        ("5", "0", "0 abcdeXY"),
        ("5", "3", "0 abcdeXY"),
        ("0x7fffffff", "0", "0 abcdeXY"),
        ("1", "2", "2 abcde"),
        ("4", "1", "2 abcde"),
    ] {
        assert_eq!(changed(start, length), expected, "{start} {length}");
    }
}

/// One call to `get_buffer_bytes` on a held body `abcde`.
fn got(start: &str, length: &str) -> String {
    let get = format!(
        "(call $status 'status' (call $proxy_get_buffer_bytes (i32.const 0) (i32.const {start})
            (i32.const {length}) (i32.const 0) (i32.const 4)))
        (call $text 'got=') (call $text (i32.load (i32.const 0)) (i32.load (i32.const 4)))
        (call $flush)"
    );
    let script = [("request_headers", "(i32.const 1)"), ("request_body", &*at_end(1, &get, 0))];
    let mut host = host(&script);
    host.send(Call::post("/").chunks(["ab", "cde"])).unwrap();
    let log = stream_log(&mut host);
    let line = |name: &str| log.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    format!("{} {}", line("status "), line("got="))
}

#[test]
fn any_part_of_a_held_body_can_be_read() {
    for (start, length, expected) in [
        ("0", "5", "0 abcde"),
        ("1", "2", "0 bc"),
        ("3", "100", "0 de"),
        ("5", "1", "0 "),
        ("100", "1", "0 "),
        ("0", "0", "0 "),
    ] {
        assert_eq!(got(start, length), expected, "{start} {length}");
    }
}

/// What of a request's body reaches the upstream under a profile's own limit.
fn by_default(profile: Profile, http1: bool, length: usize) -> bool {
    let module = format!("{HIGRESS}{}", logging(&[("request_body", &at_end(1, "", 0))]));
    let mut host = host_in(&module, Settings::new(profile), World::default());
    let call = Call::post("/").chunks([vec![b'a'; 16_384], vec![b'b'; length - 16_384]]);
    let outcome = host.send(if http1 { call.http1() } else { call }).unwrap();
    assert!([0, length].contains(&outcome.upstream.body.len()));
    outcome.upstream.body.len() == length
}

/// Higress gives its listeners 32 KiB for a connection and 65 535 bytes for a stream of HTTP/2.
#[test]
fn limits_of_higress() {
    assert!(by_default(Profile::Higress, true, 32_768));
    assert!(!by_default(Profile::Higress, true, 32_769));
    assert!(by_default(Profile::Higress, false, 65_535));
    assert!(!by_default(Profile::Higress, false, 65_536));
}

/// To a stock Envoy the property is one like any other.
#[test]
fn a_stock_envoy_keeps_its_limit() {
    let set = answering(&property("set_decoder_buffer_limit", "4"), 0);
    let script = [("request_headers", &*set), ("request_body", &at_end(1, "", 0))];
    let mut host = host_in(&logging(&script), Settings::new(Profile::Envoy), World::default());
    let outcome = host.send(Call::post("/").chunks(["abc", "de"])).unwrap();
    assert_eq!(outcome.upstream.text(), "abcde");
}

/// A limit that what is held exceeds already fails the stream.
#[test]
fn a_limit_holds_for_what_is_there() {
    let set = format!(
        "(if (i32.eq (local.get 1) (i32.const 8)) (then {})) (i32.const 1)",
        property("set_decoder_buffer_limit", "4")
    );
    let mut host = limited(&[("request_headers", "(i32.const 1)"), ("request_body", &set)], 100);
    let outcome = host.send(Call::post("/").chunks(["abcd", "efgh", "i"])).unwrap();
    too_large(&outcome);
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 0
    request_body 2 4 0
    request_body 2 8 0
    property 0
    response_headers 2 3 0
    response_body 2 17 1
    log 2
    done 2
    delete 2
    ");
}

/// A last frame that was dropped still ends the request when it is let go.
#[test]
fn dropping_the_last_frame_leaves_its_end() {
    let script = [
        ("configure", &*answering(&tick_period(100), 1)),
        ("tick", &[effective(2), resume(0)].concat()),
        ("request_body", "(i32.const 3)"),
    ];
    let mut host = host(&script);
    let slot = host.slot();
    let id = request(slot, false);
    data(slot, id, Request, "ab", false);
    data(slot, id, Request, "c", true);
    assert_eq!(received(slot, id, Request), "headers []");
    pass(slot, 100);
    assert_eq!(received(slot, id, Request), "headers [] end");
    assert_eq!(log_of(slot, id).matches("request_body").count(), 2);
}
