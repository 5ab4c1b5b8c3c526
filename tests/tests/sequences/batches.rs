//! Bodies that are held and let go in the middle, several times over.

use bench_host::host::{Direction, Profile, Settings, StreamId};
use bench_host::testing::{Answer, Call, TestHost};

use chunkwise_tests::guest::{HIGRESS, host_in, logging, stream_log};

use super::callout::AUTH;
use super::snippets::*;
use super::steps::*;

const BOTH: [(Profile, &str); 2] = [(Profile::Envoy, ""), (Profile::Higress, HIGRESS)];

fn host_of((profile, abi): (Profile, &str), script: &[(&str, &str)]) -> TestHost {
    host_in(&format!("{abi}{}", logging(script)), Settings::new(profile), world(AUTH))
}

fn callback(direction: Direction, of: &str) -> String {
    format!("{}_{of}", if direction == Request { "request" } else { "response" })
}

/// Number of a direction's body and of its stream.
fn number(direction: Direction) -> u32 {
    u32::from(direction == Response)
}

/// A stream at the beginning of the body of one direction, whose headers have gone on.
fn begun(host: &mut TestHost, direction: Direction) -> StreamId {
    let slot = host.slot();
    let id = request(slot, direction == Response);
    if direction == Response {
        response(slot, id, false);
    }
    id
}

/// Every frame is held until an answer has come, changed, and let go.
fn batching(profile: (Profile, &str), direction: Direction) -> TestHost {
    let number = number(direction);
    let ask = answering(&http_call("auth", "/ok", 500), 1);
    let then = [effective(2), body(number), set_body(number, "NEW"), resume(number)].concat();
    host_of(profile, &[(&callback(direction, "body"), &ask), ("http_call_response", &then)])
}

#[test]
fn a_batch_follows_another() {
    for profile in BOTH {
        for direction in [Request, Response] {
            let mut host = batching(profile, direction);
            let id = begun(&mut host, direction);
            let slot = host.slot();
            for (frame, end, sent) in [
                ("ab", false, "headers [NEW]"),
                ("cde", false, "headers [NEWNEW]"),
                ("f", false, "headers [NEWNEWNEW]"),
                ("", true, "headers [NEWNEWNEWNEW] end"),
            ] {
                let before = received(slot, id, direction);
                data(slot, id, direction, frame, end);
                assert_eq!(received(slot, id, direction), before, "it is held");
                pass(slot, 5);
                assert_eq!(received(slot, id, direction), sent);
                let last = format!("\nbody={frame}\nset 0\ncontinue 0");
                assert!(log_of(slot, id).ends_with(&last), "{}", log_of(slot, id));
            }
            assert!(!log_of(slot, id).contains("misuse"));
        }
    }
}

/// Frames that come while a body is held are added to it; what comes after it was let go is new.
#[test]
fn frames_of_a_batch_are_seen_together() {
    for profile in BOTH {
        let mut host = batching(profile, Response);
        let id = begun(&mut host, Response);
        let slot = host.slot();
        data(slot, id, Response, "ab", false);
        data(slot, id, Response, "c", false);
        pass(slot, 5);
        assert_eq!(received(slot, id, Response), "headers [NEW]");
        data(slot, id, Response, "de", true);
        pass(slot, 5);
        assert_eq!(received(slot, id, Response), "headers [NEWNEW] end");
        let log = log_of(slot, id);
        let sizes: Vec<_> = log.lines().filter(|line| line.starts_with("response_body")).collect();
        assert_eq!(sizes, ["response_body 2 2 0", "response_body 2 3 0", "response_body 2 2 1"]);
        assert!(log.contains("\nbody=abc\n") && log.contains("\nbody=de\n"), "{log}");
        // The second call was answered when there was nothing left to change.
        assert!(log.contains("\nbody=\nset 2\ncontinue 0\n"), "{log}");
    }
}

/// Holds a frame of two bytes until an answer has come, and lets all others pass.
fn holding_the_first(settings: Settings) -> TestHost {
    let hold = format!(
        "(if (result i32) {} (then {}) (else (i32.const 0)))",
        is(1, 2),
        answering(&http_call("auth", "/ok", 500), 1)
    );
    let then = [effective(2), resume(1)].concat();
    let module = logging(&[("response_body", &hold), ("http_call_response", &then)]);
    host_in(&module, settings, world(AUTH))
}

/// Frames after a held body that pass, and what the client gets of them.
fn passing_after_held(settings: Settings, frames: &[&str]) -> (String, String) {
    let mut host = holding_the_first(settings);
    let id = begun(&mut host, Response);
    let slot = host.slot();
    data(slot, id, Response, "ab", false);
    pass(slot, 5);
    for (at, frame) in frames.iter().enumerate() {
        data(slot, id, Response, frame, at + 1 == frames.len());
    }
    (received(slot, id, Response), log_of(slot, id))
}

#[test]
fn frames_pass_after_a_body_that_was_held() {
    let envoy = Settings::new(Profile::Envoy);
    let (received, log) = passing_after_held(envoy, &["cde", "fgh", ""]);
    assert_eq!(received, "headers [abcdefgh] end");
    assert!(!log.contains("misuse"), "{log}");
}

/// Without `filter_manager_forward_added_data_on_continue`, the filter manager sends an empty frame
/// on and keeps what the wasm filter has added to its buffer.
#[test]
fn a_proxy_that_loses_the_frame_after_a_held_body_says_so() {
    for (frames, expected) in [
        (&["cde", "fgh", ""][..], "headers [abfgh] end"),
        (&["cde"], "headers [ab] end"),
        (&[""], "headers [ab] end"),
    ] {
        let (received, log) = passing_after_held(Settings::new(Profile::Higress), frames);
        assert_eq!(received, expected);
        let lost = !frames[0].is_empty();
        assert_eq!(log.contains("misuse of the host: a frame was let pass"), lost, "{log}");
    }
    for (profile, loses) in [(Profile::Envoy, true), (Profile::Higress, false)] {
        let settings = Settings { forwards_added_data: Some(!loses), ..Settings::new(profile) };
        let (received, _) = passing_after_held(settings, &["cde"]);
        assert_eq!(received.contains("cde"), !loses);
    }
}

/// The same with `StopIterationAndWatermark`, after which every proxy starts anew.
#[test]
fn frames_pass_after_a_body_that_was_held_with_a_watermark() {
    for profile in BOTH {
        let hold = format!(
            "(if (result i32) {} (then {}) (else (i32.const 0)))",
            is(1, 2),
            answering(&http_call("auth", "/ok", 500), 2)
        );
        let then = [effective(2), resume(1)].concat();
        let script = [("response_body", &*hold), ("http_call_response", &then)];
        let mut host = host_of(profile, &script);
        let answer = Answer::new(200).chunks(["ab"]);
        let outcome = host.send(Call::get("/").answer(answer)).unwrap();
        assert_eq!((&*outcome.downstream.text(), outcome.downstream.ended), ("ab", true));
        let mut host = host_of(profile, &script);
        let id = begun(&mut host, Response);
        let slot = host.slot();
        data(slot, id, Response, "ab", false);
        pass(slot, 5);
        data(slot, id, Response, "cde", true);
        assert_eq!(received(slot, id, Response), "headers [abcde] end");
        assert!(!log_of(slot, id).contains("misuse"));
    }
}

/// Trailers that wait keep the body with them, where an answer can still change both.
#[test]
fn a_held_body_and_its_trailers_are_let_go_together() {
    for profile in BOTH {
        let ask = answering(&http_call("auth", "/ok", 500), 1);
        let then =
            [effective(2), body(1), set_body(1, "NEW"), replace(3, "t", "2"), resume(1)].concat();
        let script = [
            ("response_body", "(i32.const 1)"),
            ("response_trailers", &*ask),
            ("http_call_response", &then),
        ];
        let mut host = host_of(profile, &script);
        let answer = Answer::new(200).chunks(["ab", "cde"]).trailer("t", "1");
        let outcome = host.send(Call::get("/").answer(answer)).unwrap();
        assert_eq!((&*outcome.downstream.text(), outcome.downstream.ended), ("NEW", true));
        assert_eq!(outcome.downstream.trailers.get(b"t").unwrap().as_ref(), b"2");
        insta::allow_duplicates! {
            insta::assert_snapshot!(stream_log(&mut host), @"
            request_headers 2 4 1
            response_headers 2 1 0
            response_body 2 2 0
            response_body 2 5 0
            response_trailers 2 1
            http_call 0
            token 4
            http_call_response 1 4 2 3 0
            effective 0
            body=abcde
            set 0
            replace 0
            continue 0
            log 2
            done 2
            delete 2
            ");
        }
    }
}

/// A call that is answered before the trailers come lets the body go alone.
#[test]
fn trailers_that_come_after_a_held_body_was_let_go_pass() {
    for profile in BOTH {
        let mut host = batching(profile, Response);
        let id = begun(&mut host, Response);
        let slot = host.slot();
        data(slot, id, Response, "ab", false);
        pass(slot, 5);
        assert_eq!(received(slot, id, Response), "headers [NEW]");
        trailers(slot, id, Response);
        assert_eq!(received(slot, id, Response), "headers [NEW] end");
        let stream = close(slot, id);
        assert_eq!(stream.response.received.trailers.unwrap().len(), 1);
    }
}

/// Drops every frame, sends another in its place when the answer has come, and ends the response
/// by resuming it: once, with or without trailers.
#[test]
fn dropped_frames_and_trailers_that_wait_end_once() {
    let ask = http_call("auth", "/ok", 500);
    let then = format!(
        "{} (if {} (then {}) (else {}))",
        effective(2),
        is(1, 12),
        resume(1),
        inject("good ", false)
    );
    let script = [
        ("response_body", &*answering(&ask, 3)),
        ("response_trailers", &*answering(&ask, 1)),
        ("http_call_response", &then),
    ];
    for with_trailers in [false, true] {
        let mut host = host_of((Profile::Higress, HIGRESS), &script);
        let id = begun(&mut host, Response);
        let slot = host.slot();
        data(slot, id, Response, "bad", false);
        pass(slot, 5);
        assert_eq!(received(slot, id, Response), "headers [good ]");
        data(slot, id, Response, "worse", false);
        pass(slot, 5);
        if with_trailers {
            trailers(slot, id, Response);
        } else {
            data(slot, id, Response, "", true);
        }
        assert_eq!(received(slot, id, Response), "headers [good good ]");
        pass(slot, 5);
        assert_eq!(received(slot, id, Response), "headers [good good ] end");
        assert!(!log_of(slot, id).contains("misuse"));
        let passed = close(slot, id).response.received.trailers.map_or(0, |map| map.len());
        assert_eq!(passed, usize::from(with_trailers));
    }
}

/// A frame that passes ends what a dropped one has begun: it and all after it go on.
#[test]
fn frames_flow_after_one_that_was_dropped() {
    for profile in BOTH {
        for direction in [Request, Response] {
            let number = number(direction);
            // The frame of four bytes is dropped, that of two changed.
            let code = format!(
                "(if {} (then {})) (select (i32.const 3) (i32.const 0) {})",
                is(1, 2),
                [body(number), set_body(number, "EDITED")].concat(),
                is(1, 4)
            );
            let mut host = host_of(profile, &[(&callback(direction, "body"), &code)]);
            let id = begun(&mut host, direction);
            let slot = host.slot();
            for (frame, end, sent) in [
                ("drop", false, "headers []"),
                ("drop", false, "headers []"),
                ("ab", false, "headers [EDITED]"),
                ("cde", false, "headers [EDITEDcde]"),
                ("drop", false, "headers [EDITEDcde]"),
                ("", true, "headers [EDITEDcde] end"),
            ] {
                data(slot, id, direction, frame, end);
                assert_eq!(received(slot, id, direction), sent);
            }
        }
    }
}
