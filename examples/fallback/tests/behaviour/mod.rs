//! What the plugin does, whatever engine and host it runs on.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use bench_host::engine::StartError;
use bench_host::measure::Phase;
use bench_host::testing::{Answer, Call, Outcome, Setup, TestHost};

/// Starts the plugin in a proxy with a configuration.
pub type Start = fn(&Setup, &str) -> Result<TestHost, StartError>;

/// Makes a test of every behaviour, for one engine.
macro_rules! tests {
    ($start:path) => {
        behaviour::tests! { $start =>
            a_question_is_translated_and_its_answer_too
            trailers_lose_nothing
            replies_without_an_answer_are_answered_from_the_configuration
            without_a_fallback_it_is_a_bad_gateway
            what_is_no_question_is_refused
            what_is_too_long_is_refused
            other_requests_pass
            callbacks_cost_what_they_must
            bad_configurations_name_the_field
        }
    };
    ($start:path => $($name:ident)*) => {$(
        #[test]
        fn $name() {
            behaviour::$name($start);
        }
    )*};
}
pub(crate) use tests;

const CONFIG: &str = r#"{
    "path": "/ask", "upstream_path": "/v1/chat/completions", "model": "m", "answer": "later"
}"#;
const QUESTION: &str = r#"{"question":"why \"so\"?"}"#;
const TRANSLATED: &str = r#"{"messages":[{"content":"why \"so\"?","role":"user"}],"model":"m"}"#;
const REPLY: &str = r#"{"id":1,"choices":[{"message":{"content":"be\ncause"}}]}"#;
const ANSWER: &str = r#"{"answer":"be\ncause"}"#;
const FALLBACK: &str = r#"{"answer":"later","fallback":true}"#;

fn hosts() -> [Setup; 2] {
    [Setup::new(), Setup::new().higress()].map(Setup::allow_stop_iteration)
}

fn ask() -> Call {
    Call::post("/ask?a=b").header("content-type", "application/json")
}

fn reply() -> Answer {
    Answer::new(200).header("content-type", "application/json; charset=utf-8")
}

/// The host calls of a phase, by name.
fn calls(host: &mut TestHost, phase: Phase) -> String {
    let calls = host.ledger().host_calls(phase).into_iter();
    calls.map(|(name, count)| format!("{name}={count}")).collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn translated(outcome: &Outcome) {
    let upstream = &outcome.upstream;
    assert_eq!((&*upstream.text(), upstream.ended), (TRANSLATED, true), "{outcome:?}");
    assert_eq!(upstream.header(":path").unwrap(), "/v1/chat/completions");
    assert_eq!(upstream.header("x-envoy-original-path").unwrap(), "/ask?a=b");
    assert_eq!(upstream.header("accept-encoding"), None);
    // Higress keeps the route.
    assert_eq!(outcome.keeps_route, outcome.route_clears == 0);
}

#[track_caller]
fn answered(outcome: &Outcome, status: &str, body: &str) {
    let downstream = &outcome.downstream;
    assert_eq!(downstream.header(":status").unwrap(), status, "{outcome:?}");
    assert_eq!(downstream.header("content-type").unwrap(), "application/json");
    assert_eq!((&*downstream.text(), downstream.ended), (body, true));
    if let Some(length) = downstream.header("content-length") {
        assert_eq!(length, body.len().to_string());
    }
    assert!(outcome.stalled.is_none() && !outcome.reset);
}

pub fn a_question_is_translated_and_its_answer_too(start: Start) {
    for setup in hosts() {
        let mut host = start(&setup, CONFIG).unwrap();
        for at in 0..=REPLY.len() {
            let cut = at.min(QUESTION.len());
            let call = ask()
                .header("content-length", &QUESTION.len().to_string())
                .header("accept-encoding", "gzip")
                .chunks([&QUESTION[..cut], &QUESTION[cut..]]);
            let length = REPLY.len().to_string();
            let reply = reply().header("content-length", &length);
            let call = call.answer(reply.chunks([&REPLY[..at], &REPLY[at..]]));
            for call in [call.clone(), call.http1()] {
                let outcome = host.send(call).unwrap();
                translated(&outcome);
                let length = outcome.upstream.header("content-length").unwrap();
                assert_eq!(length, TRANSLATED.len().to_string());
                answered(&outcome, "200", ANSWER);
                assert_eq!(outcome.details, "via_upstream");
            }
        }
    }
}

pub fn trailers_lose_nothing(start: Start) {
    for setup in hosts() {
        let mut host = start(&setup, CONFIG).unwrap();
        let call = ask().body(QUESTION).trailer("sum", "1");
        let outcome = host.send(call.answer(reply().body(REPLY).trailer("sum", "2"))).unwrap();
        translated(&outcome);
        answered(&outcome, "200", ANSWER);
        assert!(outcome.upstream.trailers.get(b"sum").is_some());
        assert!(outcome.downstream.trailers.get(b"sum").is_some());

        let call = ask().body(QUESTION).answer(reply().trailer("sum", "2"));
        answered(&host.send(call).unwrap(), "200", FALLBACK);
    }
}

/// All that an upstream may send instead.
fn no_answers() -> Vec<Answer> {
    let json = |body: &str| reply().body(body);
    vec![
        Answer::new(204),
        Answer::new(503),
        Answer::new(200),
        reply().body(""),
        Answer::new(503).header("content-type", "text/plain").body("no healthy upstream"),
        Answer::new(500).header("content-length", "56").body(REPLY),
        Answer::new(200).header("content-length", "10").body("not JSON"),
        json(r#"{"choices":[]}"#),
        json(r#"{"choices":[{"message":{"content":null}}]}"#),
    ]
}

pub fn replies_without_an_answer_are_answered_from_the_configuration(start: Start) {
    for setup in hosts() {
        let mut host = start(&setup, CONFIG).unwrap();
        for reply in no_answers() {
            for call in [ask(), ask().http1()] {
                let outcome = host.send(call.body(QUESTION).answer(reply.clone())).unwrap();
                translated(&outcome);
                answered(&outcome, "200", FALLBACK);
                assert!(outcome.details.ends_with("fallback"), "{}", outcome.details);
            }
        }
        let line = &host.log().last().unwrap().message;
        assert_eq!(line, "the upstream has no answer, its status is 200");
    }
}

pub fn without_a_fallback_it_is_a_bad_gateway(start: Start) {
    let mut host = start(&hosts()[0], &CONFIG.replace(r#", "answer": "later""#, "")).unwrap();
    for reply in no_answers() {
        let outcome = host.send(ask().body(QUESTION).answer(reply)).unwrap();
        answered(&outcome, "502", r#"{"error":"there is no answer"}"#);
    }
}

pub fn what_is_no_question_is_refused(start: Start) {
    for setup in hosts() {
        let mut host = start(&setup, CONFIG).unwrap();
        let mut refused = |call: Call, status: &str| {
            let outcome = host.send(call).unwrap();
            assert_eq!(outcome.downstream.header(":status").unwrap(), status, "{outcome:?}");
            assert!(outcome.downstream.text().starts_with(r#"{"error":"#));
            assert!(outcome.upstream.headers.is_empty() && outcome.stalled.is_none());
        };
        for body in ["", "why?", "{}", r#"{"question":1}"#, r#"{"question":"a","b":1}"#] {
            refused(ask().body(body), "400");
            refused(ask().body(body).http1(), "400");
            refused(ask().body(body).trailer("sum", "1"), "400");
        }
        refused(ask().trailer("sum", "1"), "400");
        refused(ask(), "400");
        refused(Call::get("/ask"), "405");
        refused(Call::new("PUT", "/ask").body(QUESTION), "405");
    }
}

pub fn what_is_too_long_is_refused(start: Start) {
    for setup in hosts() {
        let mut host = start(&setup, CONFIG).unwrap();
        let outcome = host.send(ask().chunks(vec!["x".repeat(16_384); 9])).unwrap();
        answered(&outcome, "413", r#"{"error":"the question is too long"}"#);
    }
}

pub fn other_requests_pass(start: Start) {
    for setup in hosts() {
        let mut host = start(&setup, CONFIG).unwrap();
        for call in [Call::get("/"), Call::post("/asked").body(QUESTION)] {
            let outcome = host.send(call.answer(reply().body(REPLY))).unwrap();
            assert!(outcome.upstream.ended && !outcome.replied_locally);
            assert_eq!(outcome.downstream.text(), REPLY);
        }
        assert_eq!(calls(&mut host, Phase::RequestHeaders), "proxy_get_header_map_value=2");
        for phase in [Phase::RequestBody, Phase::ResponseHeaders, Phase::ResponseBody] {
            assert_eq!(calls(&mut host, phase), "", "{phase:?}");
        }
    }
}

pub fn callbacks_cost_what_they_must(start: Start) {
    let mut host = start(&hosts()[1], CONFIG).unwrap();
    let frames = |body: &'static str| body.as_bytes().chunks(5);
    let call = ask().chunks(frames(QUESTION)).answer(reply().chunks(frames(REPLY)));
    assert!(host.send(call).unwrap().keeps_route);
    let headers = calls(&mut host, Phase::RequestHeaders);
    // Only the module for any host asks which one it has.
    assert_eq!(
        headers.replace("proxy_get_property=3", "proxy_get_property=2"),
        "proxy_get_header_map_value=2 proxy_get_property=2 proxy_set_property=2"
    );
    assert_eq!(
        calls(&mut host, Phase::RequestBody),
        "proxy_get_buffer_bytes=1 proxy_get_header_map_value=4 \
         proxy_remove_header_map_value=1 proxy_replace_header_map_value=6 \
         proxy_set_buffer_bytes=1"
    );
    assert_eq!(calls(&mut host, Phase::ResponseHeaders), "");
    assert_eq!(
        calls(&mut host, Phase::ResponseBody),
        "proxy_get_buffer_bytes=1 proxy_get_header_map_value=2 proxy_replace_header_map_value=1 \
         proxy_set_buffer_bytes=1"
    );
}

pub fn bad_configurations_name_the_field(start: Start) {
    start(&hosts()[1], include_str!("../../config.json")).unwrap();
    for (configuration, expected) in [
        ("{}".to_owned(), "missing field `path`"),
        (CONFIG.replace("/ask", "ask"), "path: it is no path"),
        (CONFIG.replace("/v1/", "/v 1/"), "upstream_path: it is no path"),
        (CONFIG.replace("/v1/chat/completions", ""), "upstream_path: it is no path"),
        (CONFIG.replace("answer", "answers"), "answers: unknown field `answers`"),
    ] {
        let error = start(&hosts()[1], &configuration).unwrap_err().to_string();
        assert!(error.contains(expected), "{configuration}\n{error}");
    }
}
