//! How long headers, trailers and buffers are there, and what statuses mean under which ABI.

use bench_host::host::{Profile, Settings, World};
use bench_host::testing::{Answer, Call, TestHost};

use chunkwise_tests::guest::{HIGRESS, host_in, logging, stream_log};

use super::snippets::*;
use super::steps::*;

fn host_of(profile: Profile, abi: &str, script: &[(&str, &str)]) -> TestHost {
    host_in(&format!("{abi}{}", logging(script)), Settings::new(profile), World::default())
}

fn host(script: &[(&str, &str)]) -> TestHost {
    host_of(Profile::Higress, HIGRESS, script)
}

const PAIRS: &str = "(call $status 'pairs' (call $proxy_get_header_map_pairs
        (i32.const 2) (i32.const 0) (i32.const 4)))
    (call $status 'bytes' (i32.load (i32.const 4)))";

#[test]
fn response_headers_that_went_on_are_gone() {
    let look = [header(2, ":status"), replace(2, "x", "1"), add(2, "x", "1"), remove(2, "x")];
    let look = [&look.concat(), PAIRS].concat();
    let mut host = host(&[("response_body", &answering(&look, 0))]);
    let outcome = host.send(Call::get("/").answer(Answer::new(200).body("xyz"))).unwrap();
    assert!(outcome.downstream.header("x").is_none());
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 1
    response_headers 2 1 0
    response_body 2 3 1
    :status fails 2
    replace 2
    add 2
    remove 2
    pairs 0
    bytes 0
    log 2
    done 2
    delete 2
    ");
}

/// Higress reads request headers of a stream at any time, under either ABI.
#[test]
fn request_headers_that_went_on_can_be_read() {
    let look = [header(0, ":path"), replace(0, "x", "1")].concat();
    for abi in ["", HIGRESS] {
        let script =
            [("request_body", &*answering(&look, 0)), ("response_headers", &answering(&look, 0))];
        let mut host = host_of(Profile::Higress, abi, &script);
        let outcome = host.send(Call::post("/").body("ab")).unwrap();
        assert!(outcome.upstream.header("x").is_none());
        insta::allow_duplicates! {
            insta::assert_snapshot!(stream_log(&mut host), @"
            request_headers 2 4 0
            request_body 2 2 1
            :path=/
            replace 2
            response_headers 2 1 1
            :path=/
            replace 2
            log 2
            done 2
            delete 2
            ");
        }
    }
}

/// Resuming lets the headers go, whatever answer held them.
#[test]
fn request_headers_that_were_resumed_cannot_be_edited() {
    let script = [
        ("configure", &*answering(&tick_period(100), 1)),
        ("tick", &[effective(2), resume(0)].concat()),
        ("request_headers", "(i32.const 4)"),
        ("request_body", &answering(&replace(0, "x", "1"), 0)),
    ];
    let mut host = host(&script);
    let slot = host.slot();
    let id = request(slot, false);
    data(slot, id, Request, "ab", false);
    pass(slot, 100);
    data(slot, id, Request, "c", true);
    let stream = close(slot, id);
    assert!(stream.request.received.headers.unwrap().get(b"x").is_none());
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 0
    tick 1
    effective 0
    continue 0
    request_body 2 2 0
    replace 2
    request_body 2 1 1
    replace 2
    log 2
    done 2
    delete 2
    ");
}

#[test]
fn headers_that_wait_can_be_edited_by_the_body() {
    let edit = [header(2, ":status"), replace(2, "x", "1")].concat();
    let script = [("response_headers", "(i32.const 1)"), ("response_body", &*at_end(1, &edit, 0))];
    let mut host = host(&script);
    let answer = Answer::new(200).chunks(["xy", "z"]);
    let outcome = host.send(Call::get("/").answer(answer)).unwrap();
    assert_eq!(outcome.downstream.header("x").unwrap(), "1");
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 1
    response_headers 2 1 0
    response_body 2 2 0
    response_body 2 3 1
    :status=200
    replace 0
    log 2
    done 2
    delete 2
    ");
}

/// The last frame can add trailers, which the plugin itself does not hear of.
#[test]
fn the_last_frame_can_be_followed_by_trailers() {
    let script = [
        ("request_body", &*answering(&add(1, "t", "1"), 0)),
        ("response_body", &answering(&add(3, "u", "2"), 0)),
    ];
    let mut host = host(&script);
    let answer = Answer::new(200).chunks(["xy", "z"]);
    let outcome = host.send(Call::post("/").chunks(["ab", "c"]).answer(answer)).unwrap();
    assert_eq!(outcome.upstream.text(), "abc");
    assert_eq!(outcome.upstream.trailers.get(b"t").unwrap().as_ref(), b"1");
    assert_eq!(outcome.downstream.text(), "xyz");
    assert_eq!(outcome.downstream.trailers.get(b"u").unwrap().as_ref(), b"2");
    assert!(outcome.upstream.ended && outcome.downstream.ended);
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 0
    request_body 2 2 0
    add 2
    request_body 2 1 1
    add 0
    response_headers 2 1 0
    response_body 2 2 0
    add 2
    response_body 2 1 1
    add 0
    log 2
    done 2
    delete 2
    ");
}

#[test]
fn headers_that_end_a_message_have_no_trailers() {
    let script = [
        ("request_headers", &*answering(&add(1, "t", "1"), 0)),
        ("response_headers", &answering(&add(3, "t", "1"), 0)),
    ];
    let mut host = host(&script);
    host.send(Call::get("/")).unwrap();
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 4 1
    add 2
    response_headers 2 1 1
    add 2
    log 2
    done 2
    delete 2
    ");
}

/// What comes of a request with two frames when headers are answered with a number.
fn answered(abi: &str, answer: u32) -> String {
    let answer = format!("(i32.const {answer})");
    let mut host = host_of(Profile::Higress, abi, &[("request_headers", &answer)]);
    let slot = host.slot();
    let id = request(slot, false);
    data(slot, id, Request, "ab", false);
    data(slot, id, Request, "c", true);
    let frames = log_of(slot, id).matches("request_body").count();
    format!("{frames} {}", received(slot, id, Request))
}

#[test]
fn what_headers_are_answered_with() {
    for (answer, old, new) in [
        (0, "2 headers [abc] end", "2 headers [abc] end"),
        (1, "0 nothing []", "2 headers [abc] end"),
        (2, "2 headers [abc] end", "2 headers [abc] end"),
        (3, "0 nothing []", "0 nothing []"),
        (4, "0 nothing []", "0 nothing []"),
        (5, "0 nothing []", "0 nothing []"),
        (0xffff_ffff, "0 nothing []", "0 nothing []"),
    ] {
        assert_eq!(answered("", answer), old, "{answer} under ABI 0.2.1");
        assert_eq!(answered(HIGRESS, answer), new, "{answer} under ABI 0.2.100");
    }
}

/// What comes of a response of two frames when the first is answered with a number.
fn frame_answered(answer: u32) -> String {
    let answer = format!("(select (i32.const 0) (i32.const {answer}) (local.get 2))");
    let mut host = host(&[("response_body", &answer)]);
    let slot = host.slot();
    let id = request(slot, true);
    response(slot, id, false);
    data(slot, id, Response, "ab", false);
    let first = received(slot, id, Response);
    data(slot, id, Response, "c", true);
    let sizes: Vec<_> = log_of(slot, id)
        .lines()
        .filter_map(|line| line.strip_prefix("response_body 2 ").map(str::to_owned))
        .collect();
    format!("{first} / {} / {}", sizes.join(", "), received(slot, id, Response))
}

#[test]
fn what_frames_are_answered_with() {
    assert_eq!(frame_answered(0), "headers [ab] / 2 0, 1 1 / headers [abc] end");
    assert_eq!(frame_answered(1), "headers [] / 2 0, 3 1 / headers [abc] end");
    assert_eq!(frame_answered(2), "headers [] / 2 0, 1 1 / headers [abc] end");
    for drops in [3, 4, 0xffff_ffff] {
        assert_eq!(frame_answered(drops), "headers [] / 2 0, 1 1 / headers [c] end");
    }
}

#[test]
fn trailers_wait_for_any_answer_but_none() {
    for answer in [1, 2, 0xffff_ffff_u32] {
        let answer = format!("(i32.const {answer})");
        let script = [
            ("configure", &*answering(&tick_period(100), 1)),
            ("tick", &[effective(2), resume(0)].concat()),
            ("request_trailers", &answer),
        ];
        let mut host = host(&script);
        let slot = host.slot();
        let id = request(slot, false);
        data(slot, id, Request, "ab", false);
        trailers(slot, id, Request);
        assert_eq!(received(slot, id, Request), "headers [ab]");
        pass(slot, 100);
        assert_eq!(received(slot, id, Request), "headers [ab] end");
        assert_eq!(log_of(slot, id).matches("request_trailers").count(), 1);
    }
}

#[test]
fn a_name_is_looked_up_in_lower_case_and_means_the_first_field() {
    let look = [
        header(0, "X-Many"),
        header(0, "x-empty"),
        replace(0, "X-Many", "3"),
        remove(0, "X-Gone"),
        header(0, "x-gone"),
        add(0, "X-New", "4"),
    ];
    let mut host = host(&[("request_headers", &answering(&look.concat(), 0))]);
    let call = Call::get("/")
        .header("x-many", "1")
        .header("x-many", "2")
        .header("x-gone", "1")
        .header("x-gone", "2")
        .header("x-empty", "");
    let outcome = host.send(call).unwrap();
    let fields: Vec<_> = outcome
        .upstream
        .headers
        .iter()
        .filter(|(name, _)| name.starts_with(b"x-"))
        .map(|(name, value)| {
            format!("{}={}", String::from_utf8_lossy(name), String::from_utf8_lossy(value))
        })
        .collect();
    assert_eq!(fields.len(), 3);
    for field in ["x-many=3", "x-empty=", "x-new=4"] {
        assert!(fields.iter().any(|known| known == field), "{fields:?}");
    }
    insta::assert_snapshot!(stream_log(&mut host), @"
    request_headers 2 9 1
    X-Many=1
    x-empty=
    replace 0
    remove 0
    x-gone fails 1
    add 0
    response_headers 2 1 1
    log 2
    done 2
    delete 2
    ");
}
