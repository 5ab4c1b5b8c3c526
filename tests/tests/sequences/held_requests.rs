//! Streams that an answer changes, lets go or ends, in every phase in which they can wait.

use bench_host::host::{Profile, Settings};
use bench_host::testing::{Answer, Call, Outcome};

use chunkwise_tests::guest::{HIGRESS, host_in, logging, stream_log};

use super::callout::AUTH;
use super::local_reply::full;
use super::snippets::*;
use super::steps::*;

const BOTH: [(Profile, &str); 2] = [(Profile::Envoy, ""), (Profile::Higress, HIGRESS)];

/// What a request with a body of five bytes becomes when an answer edits all of it.
fn edited(abi: &str, settings: Settings) -> (Outcome, String) {
    let ask = answering(&http_call("auth", "/ok", 500), 1);
    let then = [
        effective(2),
        set_body(0, "another body"),
        replace(0, "content-length", "12"),
        replace(0, ":path", "/new"),
        resume(0),
    ];
    // Where headers cannot wait for the body, they go on.
    let waits = settings.reads_stop_as_stop_all() && abi.is_empty();
    let script = [
        ("request_headers", if waits { "(i32.const 0)" } else { "(i32.const 1)" }),
        ("request_body", &*at_end(1, &ask.replace("(i32.const 1)", ""), 1)),
        ("http_call_response", &then.concat()),
    ];
    let mut host = host_in(&format!("{abi}{}", logging(&script)), settings, world(AUTH));
    let call = Call::post("/old").header("content-length", "5").chunks(["ab", "cde"]);
    (host.send(call).unwrap(), stream_log(&mut host))
}

#[test]
fn body_and_headers_of_a_held_request_are_what_the_answer_made_of_them() {
    let allowing = Settings { allow_stop_iteration: true, ..Settings::new(Profile::Envoy) };
    for (abi, settings) in [("", allowing), (HIGRESS, Settings::new(Profile::Higress))] {
        let (outcome, log) = edited(abi, settings);
        assert_eq!((&*outcome.upstream.text(), outcome.upstream.ended), ("another body", true));
        assert_eq!(outcome.upstream.header("content-length").unwrap(), "12");
        assert_eq!(outcome.upstream.header(":path").unwrap(), "/new");
        assert!(log.contains("\nset 0\nreplace 0\nreplace 0\ncontinue 0\n"), "{log}");
        assert_eq!(outcome.stalled, None);
    }
    let (outcome, log) = edited("", Settings::new(Profile::Envoy));
    assert_eq!(outcome.upstream.text(), "another body");
    assert_eq!(outcome.upstream.header("content-length").unwrap(), "5");
    assert!(log.contains("\nset 0\nreplace 2\nreplace 2\ncontinue 0\n"), "{log}");
}

#[test]
fn messages_that_are_headers_alone_are_let_go() {
    for (profile, abi) in BOTH {
        for (callback, direction) in [("request_headers", 0), ("response_headers", 1)] {
            let ask = answering(&http_call("auth", "/ok", 500), 4);
            let then = [effective(2), replace(direction * 2, "x", "1"), resume(direction)].concat();
            let script = [(callback, &*ask), ("http_call_response", &then)];
            let module = format!("{abi}{}", logging(&script));
            let mut host = host_in(&module, Settings::new(profile), world(AUTH));
            let outcome = host.send(Call::get("/").answer(Answer::new(204))).unwrap();
            let seen = if direction == 0 { &outcome.upstream } else { &outcome.downstream };
            assert_eq!((seen.header("x").unwrap(), seen.frames), ("1".into(), 0));
            assert!(outcome.upstream.ended && outcome.downstream.ended);
            let log = stream_log(&mut host);
            assert!(!log.contains("_body"), "no frame comes of it: {log}");
        }
    }
}

/// Waits in one callback for an answer that replies, while these others stop too.
fn replied((profile, abi): (Profile, &str), waiting: &str, stops: &[&str]) -> (Outcome, String) {
    let answer = if waiting.ends_with("headers") { 4 } else { 1 };
    let ask = answering(&http_call("auth", "/no", 500), answer);
    let then = [effective(2), reply(403, "denied", "oh")].concat();
    let mut script = vec![(waiting, &*ask), ("http_call_response", &then)];
    script.extend(stops.iter().map(|callback| (*callback, "(i32.const 1)")));
    let settings = Settings { allow_stop_iteration: true, ..Settings::new(profile) };
    let mut host = host_in(&format!("{abi}{}", logging(&script)), settings, world(AUTH));
    let outcome = host.send(full()).unwrap();
    (outcome, stream_log(&mut host))
}

#[test]
fn an_answer_can_deny_a_request_in_every_phase() {
    for profile in BOTH {
        for (waiting, stops) in [
            ("request_headers", &[][..]),
            ("request_body", &["request_headers", "request_trailers"]),
            ("request_body", &["request_trailers"]),
            ("request_trailers", &["request_headers", "request_body"]),
            ("request_trailers", &[]),
        ] {
            let (outcome, log) = replied(profile, waiting, stops);
            assert_eq!(outcome.downstream.header(":status").unwrap(), "403", "{waiting}");
            assert_eq!((&*outcome.downstream.text(), outcome.downstream.ended), ("oh", true));
            assert!(outcome.replied_locally && !outcome.reset && !outcome.upstream.ended);
            let details = match profile.0 {
                Profile::Envoy => "denied",
                Profile::Higress => "via_wasm::plugin::denied",
            };
            assert_eq!(outcome.details, details);
            // It passes the plugin's own callbacks, after the callback that sent it.
            let own = "\nreply 0\nresponse_headers 2 3 0\nresponse_body 2 2 1\nlog 2\n";
            assert!(log.contains(own), "{waiting}: {log}");
            let waited = waiting == "request_headers" || stops.contains(&"request_headers");
            assert_eq!(outcome.upstream.headers.is_empty(), waited);
        }
    }
}

#[test]
fn an_answer_can_take_the_place_of_a_response_that_has_not_gone_out() {
    for profile in BOTH {
        for (waiting, stops) in [
            ("response_headers", &[][..]),
            ("response_body", &["response_headers", "response_trailers"]),
            ("response_trailers", &["response_headers", "response_body"]),
        ] {
            let (outcome, log) = replied(profile, waiting, stops);
            assert_eq!(outcome.downstream.header(":status").unwrap(), "403", "{waiting}");
            assert_eq!((&*outcome.downstream.text(), outcome.downstream.ended), ("oh", true));
            assert!(outcome.downstream.trailers.is_empty() && !outcome.reset);
            assert!(log.contains("\nreply 0\nlog 2\n"), "it passes no filter: {log}");
        }
        for (waiting, stops) in
            [("response_body", &["response_trailers"][..]), ("response_trailers", &[])]
        {
            let (outcome, _) = replied(profile, waiting, stops);
            assert!(outcome.reset, "{waiting}");
            assert_eq!(outcome.downstream.header(":status").unwrap(), "200");
        }
    }
}
