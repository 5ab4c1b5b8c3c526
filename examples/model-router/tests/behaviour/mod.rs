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
            the_model_chooses_the_route_however_the_body_is_cut
            an_unknown_model_goes_the_default_way
            trailers_lose_nothing
            a_client_cannot_choose_the_route
            other_requests_pass
            what_names_no_model_is_refused
            what_is_too_long_is_refused
            an_error_gets_its_status_however_it_is_cut
            what_is_no_error_keeps_its_status
            a_long_response_is_not_held
            responses_end_as_they_did
            headers_that_are_not_held_stall_the_stream_and_it_says_why
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
    "header": "X-Model",
    "models": {"big": {"value": "far"}, "small": {"value": "near", "path": "/near"}},
    "default": {"value": "far"},
    "errors": {"rate_limit_exceeded": 429},
    "max_bytes": 1000
}"#;

const BODY: &str = r#"{"messages":[{"model":"big"}],"mod\u0065l":"small","n":[1]}"#;
const ERROR: &str = r#"{"error":{"message":"slow down","code":"rate_limit_exceeded"}}"#;

pub fn hosts() -> [Setup; 2] {
    [Setup::new(), Setup::new().higress()].map(Setup::allow_stop_iteration)
}

fn without_default() -> String {
    CONFIG.replace(r#""default": {"value": "far"},"#, "")
}

fn chat() -> Call {
    Call::post("/v1/chat?a=b").header("content-type", "application/json; charset=utf-8")
}

fn json() -> Answer {
    Answer::new(200).header("content-type", "application/json")
}

/// The host calls of a phase, by name.
fn calls(host: &mut TestHost, phase: Phase) -> String {
    let calls = host.ledger().host_calls(phase).into_iter();
    calls.map(|(name, count)| format!("{name}={count}")).collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn routed(outcome: &Outcome, value: &str, path: &str) {
    assert_eq!(outcome.upstream.header("x-model").as_deref(), Some(value), "{outcome:?}");
    assert_eq!(outcome.upstream.header(":path").as_deref(), Some(path));
    assert!(outcome.upstream.ended && outcome.route_clears > 0);
    assert_eq!((outcome.keeps_route, &outcome.stalled), (false, &None));
}

#[track_caller]
fn refused(outcome: &Outcome, status: &str, reason: &str) {
    assert_eq!(outcome.downstream.header(":status").unwrap(), status, "{outcome:?}");
    assert!(outcome.downstream.text().contains(reason), "{}", outcome.downstream.text());
    assert!(outcome.upstream.headers.is_empty() && outcome.upstream.body.is_empty());
}

pub fn the_model_chooses_the_route_however_the_body_is_cut(start: Start) {
    for setup in hosts() {
        let mut host = start(&setup, CONFIG).unwrap();
        for first in 0..=BODY.len() {
            for second in first..=BODY.len() {
                let chunks = [&BODY[..first], &BODY[first..second], &BODY[second..]];
                let call = chat().chunks(chunks);
                let outcome = host.send(if first % 2 == 0 { call } else { call.http1() }).unwrap();
                routed(&outcome, "near", "/near?a=b");
                assert_eq!(outcome.upstream.text(), BODY);
            }
        }
    }
}

pub fn an_unknown_model_goes_the_default_way(start: Start) {
    let mut host = start(&hosts()[0], CONFIG).unwrap();
    let outcome = host.send(chat().body(r#"{"model":"unheard"}"#)).unwrap();
    routed(&outcome, "far", "/v1/chat?a=b");

    let mut host = start(&hosts()[0], &without_default()).unwrap();
    let outcome = host.send(chat().body(r#"{"model":"unheard"}"#)).unwrap();
    refused(&outcome, "404", "the model does not exist");
}

pub fn trailers_lose_nothing(start: Start) {
    for setup in hosts() {
        let mut host = start(&setup, CONFIG).unwrap();
        let answer = json().body(ERROR).trailer("sum", "2");
        let call = chat().chunks([&BODY[..9], &BODY[9..]]).trailer("sum", "1").answer(answer);
        let outcome = host.send(call).unwrap();
        routed(&outcome, "near", "/near?a=b");
        assert_eq!(outcome.downstream.header(":status").unwrap(), "429");
        assert_eq!((&*outcome.upstream.text(), &*outcome.downstream.text()), (BODY, ERROR));
        assert!(outcome.upstream.trailers.get(b"sum").is_some());
        assert!(outcome.downstream.trailers.get(b"sum").is_some());
        refused(&host.send(chat().trailer("sum", "1")).unwrap(), "400", "names no model");
    }
}

pub fn a_client_cannot_choose_the_route(start: Start) {
    let mut host = start(&hosts()[0], CONFIG).unwrap();
    let call = chat().header("x-model", "near").body(r#"{"model":"big"}"#);
    routed(&host.send(call).unwrap(), "far", "/v1/chat?a=b");
    let outcome = host.send(Call::get("/").header("x-model", "near")).unwrap();
    assert_eq!(outcome.upstream.header("x-model"), None);
}

pub fn other_requests_pass(start: Start) {
    for setup in hosts() {
        let mut host = start(&setup, CONFIG).unwrap();
        let form = Call::post("/").header("content-type", "multipart/form-data");
        for call in [form.body("x"), Call::get("/v1/models"), Call::post("/").body("{}")] {
            let outcome = host.send(call.answer(json().body(ERROR))).unwrap();
            assert!(outcome.upstream.ended && outcome.downstream.ended);
            assert_eq!(outcome.upstream.header("x-model"), None);
            assert_eq!(outcome.downstream.header(":status").unwrap(), "200");
        }
    }
}

pub fn what_names_no_model_is_refused(start: Start) {
    for setup in hosts() {
        let mut host = start(&setup, CONFIG).unwrap();
        for body in ["", "x", "{}", "[]", r#"{"model":1}"#, r#"{"model":"small""#] {
            for call in [chat(), chat().http1()] {
                refused(&host.send(call.body(body)).unwrap(), "400", "names no model");
            }
        }
        let call = chat().header("content-encoding", "br").body(BODY);
        refused(&host.send(call).unwrap(), "415", "the body is encoded");
    }
}

pub fn what_is_too_long_is_refused(start: Start) {
    for setup in hosts() {
        let mut host = start(&setup, CONFIG).unwrap();
        let outcome = host.send(chat().chunks(vec!["x".repeat(400); 5])).unwrap();
        refused(&outcome, "413", "the body is too long");
    }
}

pub fn an_error_gets_its_status_however_it_is_cut(start: Start) {
    for setup in hosts() {
        let mut host = start(&setup, CONFIG).unwrap();
        for at in 0..=ERROR.len() {
            let answer = json().header("content-length", "62").chunks([&ERROR[..at], &ERROR[at..]]);
            let call = chat().body(BODY).answer(answer);
            for call in [call.clone(), call.http1()] {
                let outcome = host.send(call).unwrap();
                assert_eq!(outcome.downstream.header(":status").unwrap(), "429", "{at}");
                assert_eq!(outcome.downstream.header("content-length").unwrap(), "62");
                assert_eq!((&*outcome.downstream.text(), outcome.downstream.ended), (ERROR, true));
            }
        }
    }
}

pub fn what_is_no_error_keeps_its_status(start: Start) {
    for setup in hosts() {
        let mut host = start(&setup, CONFIG).unwrap();
        let text = Answer::new(200).header("content-type", "text/event-stream");
        for (answer, status) in [
            (json().body(r#"{"choices":[]}"#), "200"),
            (json().body(r#"{"error":{"code":"another"}}"#), "200"),
            (json().body(r#"{"error":{"code":null}}"#), "200"),
            (json().body(&ERROR[1..]), "200"),
            (json().header("content-encoding", "gzip").body(ERROR), "200"),
            (text.body(ERROR), "200"),
            (Answer::new(500).header("content-type", "application/json").body(ERROR), "500"),
        ] {
            let outcome = host.send(chat().body(BODY).answer(answer)).unwrap();
            assert_eq!(outcome.downstream.header(":status").unwrap(), status);
            assert!(outcome.downstream.ended && outcome.stalled.is_none());
        }
    }
}

pub fn a_long_response_is_not_held(start: Start) {
    let chunks = vec!["x".repeat(6_000); 40];
    for setup in hosts() {
        let mut host = start(&setup, CONFIG).unwrap();
        for call in [chat(), chat().http1()] {
            let call = call.body(BODY).answer(json().chunks(&chunks));
            let outcome = host.send(call).unwrap();
            assert_eq!(outcome.downstream.body.len(), 240_000);
            assert_eq!(outcome.downstream.header(":status").unwrap(), "200");
            assert!(outcome.downstream.frames > 30, "{}", outcome.downstream.frames);
        }
        // One frame that is longer than all that is held.
        let answer = json().chunks(["x".to_owned(), "x".repeat(120_000)]);
        let outcome = host.send(chat().body(BODY).answer(answer)).unwrap();
        assert_eq!(outcome.downstream.body.len(), 120_001);
    }
}

pub fn responses_end_as_they_did(start: Start) {
    for setup in hosts() {
        let mut host = start(&setup, CONFIG).unwrap();
        for answer in [Answer::new(204), json(), json().body(""), json().trailer("sum", "1")] {
            for call in [chat(), chat().http1()] {
                let outcome = host.send(call.body(BODY).answer(answer.clone())).unwrap();
                assert!(outcome.downstream.ended && outcome.downstream.body.is_empty());
                assert_eq!(outcome.stalled, None);
            }
        }
    }
}

/// What an operator sees who has not allowed `StopIteration`.
pub fn headers_that_are_not_held_stall_the_stream_and_it_says_why(start: Start) {
    let mut host = start(&Setup::new(), &without_default()).unwrap();
    let outcome = host.send(chat().body("{}")).unwrap();
    assert!(outcome.upstream.headers.is_empty());
    let Some(reason) = outcome.stalled else {
        // The module for Higress does without; it was started there.
        assert_eq!(outcome.buffer_limit, 1000 + 128 * 1024);
        return refused(&outcome, "400", "names no model");
    };
    assert!(!outcome.downstream.ended);
    let expected = "request_headers answered StopIteration, which this host reads as \
                    StopAllIterationAndWatermark";
    assert!(reason.contains(expected), "{reason}");
}

pub fn callbacks_cost_what_they_must(start: Start) {
    let mut host = start(&hosts()[1], CONFIG).unwrap();
    let frames = BODY.as_bytes().chunks(10);
    let answer = json().chunks(ERROR.as_bytes().chunks(10));
    host.send(chat().chunks(frames).answer(answer)).unwrap();
    let headers = calls(&mut host, Phase::RequestHeaders);
    // Only the module for any host asks which one it has.
    assert_eq!(
        headers.replace("proxy_get_property=3", "proxy_get_property=2"),
        "proxy_get_header_map_value=2 proxy_get_property=2 proxy_remove_header_map_value=1 \
         proxy_set_property=1"
    );
    assert_eq!(
        calls(&mut host, Phase::RequestBody),
        "proxy_get_buffer_bytes=1 proxy_get_header_map_value=1 proxy_remove_header_map_value=1 \
         proxy_replace_header_map_value=2"
    );
    assert_eq!(
        calls(&mut host, Phase::ResponseHeaders),
        "proxy_get_header_map_value=3 proxy_get_property=2 proxy_set_property=1"
    );
    assert_eq!(
        calls(&mut host, Phase::ResponseBody),
        "proxy_get_buffer_bytes=1 proxy_replace_header_map_value=1"
    );
    assert_eq!(calls(&mut host, Phase::Done), "");
}

pub fn bad_configurations_name_the_field(start: Start) {
    start(&hosts()[0], include_str!("../../config.json")).unwrap();
    for (configuration, expected) in [
        (String::new(), "missing field `header`"),
        (CONFIG.replace("\"near\",", "\"ne\\nar\","), "models.small.value: the value of a header"),
        (CONFIG.replace("/near", "near"), "models.small.path: it is no path"),
        (CONFIG.replace("/near", "/near?a"), "models.small.path: it is no path"),
        (CONFIG.replace("429", "200"), "errors.rate_limit_exceeded: it is no status of an error"),
        (CONFIG.replace("X-Model", ":path"), "header: \":path\" is no name of a header"),
        (CONFIG.replace("max", "most"), "most_bytes: unknown field"),
    ] {
        let error = start(&hosts()[0], &configuration).unwrap_err().to_string();
        assert!(error.contains(expected), "{configuration}\n{error}");
    }
}
