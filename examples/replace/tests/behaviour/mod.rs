//! What the plugin does, whatever engine it runs on.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use bench_host::engine::StartError;
use bench_host::host::Level;
use bench_host::measure::Phase;
use bench_host::testing::{Answer, Call, TestHost};

/// Starts the plugin with a configuration.
pub type Start = fn(&str) -> Result<TestHost, StartError>;

/// Makes a test of every behaviour, for one engine.
macro_rules! tests {
    ($start:path) => {
        $crate::behaviour::tests! { $start =>
            both_directions_are_replaced
            a_direction_can_be_left_alone
            a_match_is_found_however_it_is_cut
            a_chunk_without_a_match_costs_one_read
            a_stream_without_bodies_costs_no_host_call
            content_length_goes_only_when_lengths_may_change
            an_encoded_body_is_left_as_it_is
            bodies_with_frames_of_their_own_are_left_as_they_are
            trailers_lose_nothing
            trailers_lose_nothing_of_a_sized_body
            two_undecided_frames_and_trailers_lose_nothing
            what_grows_is_not_held
            bytes_that_are_lost_are_not_passed_over
            a_length_that_lies_costs_no_match
            offers_to_upgrade_are_no_upgrades
            an_http1_response_without_a_length_is_not_held
            an_http1_body_ends_with_an_empty_frame
            empty_bodies_pass
            frames_longer_than_http2_has_are_not_held
            interleaved_streams_do_not_mix
            the_first_rule_wins
            bad_configurations_name_the_field
        }
    };
    ($start:path => $($name:ident)*) => {$(
        #[test]
        fn $name() {
            $crate::behaviour::$name($start);
        }
    )*};
}
pub(crate) use tests;

const OLD_TO_NEW: &str = r#"{"rules": [{"find": "old", "replace": "brand new"}]}"#;

pub fn both_directions_are_replaced(start: Start) {
    let mut host = start(OLD_TO_NEW).unwrap();
    let call = Call::post("/").body("an old request");
    let outcome = host.send(call.answer(Answer::new(200).body("old, old answer"))).unwrap();
    assert_eq!(outcome.upstream.text(), "an brand new request");
    assert_eq!(outcome.downstream.text(), "brand new, brand new answer");
    assert!(outcome.upstream.ended && outcome.downstream.ended);
}

pub fn a_direction_can_be_left_alone(start: Start) {
    let configuration = OLD_TO_NEW.replace("]}", r#"], "response": false}"#);
    let mut host = start(&configuration).unwrap();
    let answer = Answer::new(200).header("content-length", "3").body("old");
    let outcome = host.send(Call::post("/").body("old").answer(answer)).unwrap();
    assert_eq!(outcome.upstream.text(), "brand new");
    assert_eq!(outcome.downstream.text(), "old");
    assert_eq!(outcome.downstream.header("content-length").unwrap(), "3");
    assert!(host.ledger().host_calls(Phase::ResponseBody).is_empty());
}

pub fn a_match_is_found_however_it_is_cut(start: Start) {
    let body = "oold old! ol";
    let mut host = start(OLD_TO_NEW).unwrap();
    for first in 0..=body.len() {
        for second in first..=body.len() {
            let chunks = [&body[..first], &body[first..second], &body[second..]];
            for call in [Call::post("/").chunks(chunks), Call::post("/").chunks(chunks).http1()] {
                let outcome = host.send(call).unwrap();
                assert_eq!(outcome.upstream.text(), "obrand new brand new! ol", "{chunks:?}");
            }
        }
    }
    let bytes = body.as_bytes().chunks(1);
    let outcome = host.send(Call::post("/").chunks(bytes)).unwrap();
    assert_eq!(outcome.upstream.text(), "obrand new brand new! ol");
}

pub fn a_chunk_without_a_match_costs_one_read(start: Start) {
    let mut host = start(OLD_TO_NEW).unwrap();
    let chunks = vec!["nothing to be seen here"; 100];
    host.send(Call::post("/").chunks(&chunks)).unwrap();
    let calls = host.ledger().host_calls(Phase::RequestBody);
    assert_eq!(calls.into_iter().collect::<Vec<_>>(), [("proxy_get_buffer_bytes".into(), 100)]);
    let body = host.ledger().phase(Phase::RequestBody);
    assert_eq!((body.calls, body.bytes_in, body.bytes_out), (100, 2300, 0));
}

pub fn a_stream_without_bodies_costs_no_host_call(start: Start) {
    let mut host = start(OLD_TO_NEW).unwrap();
    host.send(Call::get("/")).unwrap();
    for phase in [Phase::RequestHeaders, Phase::ResponseHeaders, Phase::Done] {
        assert!(host.ledger().host_calls(phase).is_empty(), "{phase:?}");
    }
}

pub fn content_length_goes_only_when_lengths_may_change(start: Start) {
    let call = Call::post("/").header("content-length", "3").body("old");
    let mut host = start(OLD_TO_NEW).unwrap();
    let outcome = host.send(call.clone()).unwrap();
    assert_eq!(outcome.upstream.header("content-length"), None);
    assert_eq!(outcome.upstream.text(), "brand new");

    let mut host = start(r#"{"rules": [{"find": "old", "replace": "new"}]}"#).unwrap();
    let outcome = host.send(call).unwrap();
    assert_eq!(outcome.upstream.header("content-length").unwrap(), "3");
    assert_eq!(outcome.upstream.text(), "new");
}

pub fn an_encoded_body_is_left_as_it_is(start: Start) {
    let mut host = start(OLD_TO_NEW).unwrap();
    let answer = Answer::new(200).header("content-encoding", "gzip");
    let outcome = host.send(Call::get("/").answer(answer.body("old"))).unwrap();
    assert_eq!(outcome.downstream.text(), "old");
    let line = &host.log()[0];
    assert_eq!(line.level, Level::Info);
    assert_eq!(line.message, "body left as it is: gzip-encoded");

    let answer = Answer::new(200).header("content-encoding", "identity");
    let outcome = host.send(Call::get("/").answer(answer.body("old"))).unwrap();
    assert_eq!(outcome.downstream.text(), "brand new");
}

pub fn bodies_with_frames_of_their_own_are_left_as_they_are(start: Start) {
    let mut host = start(OLD_TO_NEW).unwrap();
    let grpc = Call::post("/").header("content-type", "application/grpc+proto");
    let grpc_web = Call::post("/").header("content-type", "application/grpc-web+proto");
    let grpc_web = grpc_web.header("content-length", "3");
    let websocket = Call::get("/").header("connection", "keep-alive, Upgrade");
    let websocket = websocket.header("upgrade", "websocket");
    for call in [grpc, grpc_web, websocket] {
        let outcome = host.send(call.chunks(["o", "ld"])).unwrap();
        assert_eq!(outcome.upstream.text(), "old");
    }
    let lines: Vec<_> = host.log().iter().map(|line| line.message.as_str()).collect();
    assert_eq!(
        lines,
        [
            "body left as it is: it carries gRPC messages",
            "body left as it is: it carries gRPC messages",
            "body left as it is: the connection is upgraded"
        ]
    );
}

pub fn trailers_lose_nothing(start: Start) {
    let mut host = start(OLD_TO_NEW).unwrap();
    let bodies: [&[&str]; 5] =
        [&["the ol"], &["the o", "l"], &["o", "ld", " ol"], &[], &["old", ""]];
    for chunks in bodies {
        let whole = chunks.concat().replace("old", "brand new");
        let answer = Answer::new(200).chunks(chunks).trailer("sum", "1");
        let call = Call::post("/").chunks(chunks).trailer("check", "2");
        let outcome = host.send(call.answer(answer)).unwrap();
        for (seen, trailer) in [(&outcome.upstream, b"check"), (&outcome.downstream, b"sum\0\0")] {
            assert_eq!(seen.text(), whole, "{chunks:?}");
            let name = trailer.split(|byte| *byte == 0).next().unwrap();
            assert!(seen.trailers.get(name).is_some(), "{chunks:?}");
            assert!(seen.ended);
        }
    }
}

pub fn trailers_lose_nothing_of_a_sized_body(start: Start) {
    let mut host = start(OLD_TO_NEW).unwrap();
    // Too long to be held in the host; its length is what tells where it ends.
    let body = format!("{}ol", "x".repeat(100_000));
    let call = Call::post("/").header("content-length", &body.len().to_string());
    let chunks = [&body[..50_001], &body[50_001..]];
    let outcome = host.send(call.chunks(chunks).trailer("check", "2")).unwrap();
    assert_eq!(outcome.upstream.text(), body);
}

pub fn two_undecided_frames_and_trailers_lose_nothing(start: Start) {
    let mut host = start(OLD_TO_NEW).unwrap();
    for size in [9 * 1024, 16 * 1024] {
        let frame = format!("{}ol", "x".repeat(size - 2));
        let answer = Answer::new(200).chunks([&frame, &frame]).trailer("sum", "1");
        let outcome = host.send(Call::get("/").answer(answer)).unwrap();
        assert!(outcome.downstream.text() == frame.repeat(2), "{size}");
        assert!(outcome.downstream.ended && !outcome.reset);
    }
}

pub fn what_grows_is_not_held(start: Start) {
    let long = "n".repeat(300);
    let mut host =
        start(&format!(r#"{{"rules": [{{"find": "old", "replace": "{long}"}}]}}"#)).unwrap();
    let frame = format!("{}ol", "old".repeat(5_000));
    let length = (frame.len() * 2).to_string();
    let call = Call::post("/").chunks([&frame, &frame]);
    for call in [call.clone(), call.header("content-length", &length)] {
        let outcome = host.send(call).unwrap();
        assert_eq!(outcome.upstream.body.len(), frame.repeat(2).replace("old", &long).len());
        assert!(outcome.downstream.ended && !outcome.reset);
    }
}

pub fn bytes_that_are_lost_are_not_passed_over(start: Start) {
    let mut host = start(OLD_TO_NEW).unwrap();
    // Longer than any frame of HTTP/2, without a length, and ended by trailers: the one case.
    let frame = format!("{}ol", "x".repeat(100_000));
    let answer = Answer::new(200).chunks([&frame]).trailer("sum", "1");
    let outcome = host.send(Call::get("/").answer(answer)).unwrap();
    assert!(outcome.reset && !outcome.downstream.ended);
    let line = host.log().last().unwrap();
    assert_eq!(line.level, Level::Error);
    assert!(line.message.contains("2 bytes of the body were withheld"), "{}", line.message);
}

pub fn a_length_that_lies_costs_no_match(start: Start) {
    let mut host = start(OLD_TO_NEW).unwrap();
    for length in ["4", "99"] {
        let call = Call::post("/").header("content-length", length);
        let outcome = host.send(call.chunks(["12345 o", "ld and o", "ld"])).unwrap();
        assert_eq!(outcome.upstream.text(), "12345 brand new and brand new", "{length}");
    }
}

pub fn offers_to_upgrade_are_no_upgrades(start: Start) {
    let mut host = start(OLD_TO_NEW).unwrap();
    let answer = Answer::new(200).header("upgrade", "h2,h2c").body("old");
    let outcome = host.send(Call::get("/").answer(answer)).unwrap();
    assert_eq!(outcome.downstream.text(), "brand new");
}

pub fn an_http1_response_without_a_length_is_not_held(start: Start) {
    let mut host = start(OLD_TO_NEW).unwrap();
    let large = "x".repeat(1024 * 1024);
    for (name, value) in [("connection", "close"), ("transfer-encoding", "chunked")] {
        let answer = Answer::new(200).header(name, value).chunks(["ol", &large]);
        let outcome = host.send(Call::get("/").http1().answer(answer)).unwrap();
        assert!(outcome.downstream.ended && !outcome.reset, "{name}");
        assert_eq!(outcome.downstream.body.len(), large.len() + 2);
    }
}

pub fn an_http1_body_ends_with_an_empty_frame(start: Start) {
    let mut host = start(OLD_TO_NEW).unwrap();
    let call = Call::post("/").http1().chunks(["the ol", "d and ol"]);
    let outcome = host.send(call).unwrap();
    assert_eq!(outcome.upstream.text(), "the brand new and ol");
    let answer = Answer::new(200).header("transfer-encoding", "chunked").chunks(["o", "l", "d o"]);
    let outcome = host.send(Call::get("/").http1().answer(answer)).unwrap();
    assert_eq!(outcome.downstream.text(), "brand new o");
}

pub fn empty_bodies_pass(start: Start) {
    let mut host = start(OLD_TO_NEW).unwrap();
    let call = Call::post("/").body("").answer(Answer::new(200).body(""));
    for call in [call.clone(), call.http1()] {
        let outcome = host.send(call).unwrap();
        assert!(outcome.upstream.ended && outcome.downstream.ended);
        assert_eq!((outcome.upstream.text(), outcome.downstream.text()), ("".into(), "".into()));
    }
    let body = host.ledger().host_calls(Phase::RequestBody);
    assert!(body.is_empty(), "an empty frame is not read: {body:?}");
}

pub fn frames_longer_than_http2_has_are_not_held(start: Start) {
    let mut host = start(OLD_TO_NEW).unwrap();
    let frame = format!("{}ol", "x".repeat(200_000));
    let chunks = [&frame[..], &frame, "d"];
    // Two such frames together are above no limit, but a dozen would be.
    let chunks = chunks.into_iter().cycle().take(36);
    let expected = chunks.clone().collect::<String>().replace("old", "brand new");
    let outcome = host.send(Call::post("/").chunks(chunks)).unwrap();
    assert_eq!(outcome.upstream.body.len(), expected.len());
    assert!(outcome.upstream.text() == expected);
    assert_eq!(outcome.upstream.frames, 36, "none waits for another");
}

pub fn interleaved_streams_do_not_mix(start: Start) {
    let mut host = start(OLD_TO_NEW).unwrap();
    let calls = (0..16).map(|n| {
        let chunks = [format!("{n} o"), "l".repeat(n % 2 + 1), "d".to_owned(), format!(" {n}")];
        Call::post("/").chunks(chunks)
    });
    let outcomes = host.interleave(calls).unwrap();
    for (n, outcome) in outcomes.iter().enumerate() {
        let expected =
            if n % 2 == 0 { format!("{n} brand new {n}") } else { format!("{n} olld {n}") };
        assert_eq!(outcome.upstream.text(), expected);
    }
}

pub fn the_first_rule_wins(start: Start) {
    let rules = r#"{"rules": [
        {"find": "abcd", "replace": "1"},
        {"find": "abc", "replace": "2"},
        {"find": "é", "replace": ""}
    ]}"#;
    let mut host = start(rules).unwrap();
    for chunks in [vec!["abcdabcé"], vec!["abc", "d", "abc", "é"], vec!["a", "bcdab", "cé"]] {
        let outcome = host.send(Call::post("/").chunks(&chunks)).unwrap();
        assert_eq!(outcome.upstream.text(), "12", "{chunks:?}");
    }
}

pub fn bad_configurations_name_the_field(start: Start) {
    let rule = |rule: &str| format!(r#"{{"rules": [{rule}]}}"#);
    let cases = [
        (rule(r#"{"find": "a"}"#), "rules[0]: missing field `replace`"),
        (rule(r#"{"find": 1, "replace": ""}"#), "rules[0].find: invalid type: integer `1`"),
        (rule(r#"{"find": "", "replace": ""}"#), "rules: rule 0 has an empty needle"),
        (rule(""), "rules: there are no rules"),
        (r#"{"rules": [], "requests": true}"#.to_owned(), "requests: unknown field `requests`"),
        (String::new(), "missing field `rules`"),
        ("{".to_owned(), "EOF while parsing"),
        (format!("{OLD_TO_NEW} x"), "trailing characters"),
    ];
    for (configuration, expected) in cases {
        let error = start(&configuration).unwrap_err().to_string();
        assert!(error.contains(expected), "{configuration}\n{error}");
        assert!(error.starts_with("the plugin refused its configuration; it logged: "), "{error}");
    }
}
