//! What the plugin does, whatever engine and host it runs on.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use bench_host::engine::StartError;
use bench_host::measure::Phase;
use bench_host::testing::{Call, Outcome, Setup, TestHost};

/// Starts the plugin in a proxy with a configuration.
pub type Start = fn(&Setup, &str) -> Result<TestHost, StartError>;

/// Makes a test of every behaviour, for one engine.
macro_rules! tests {
    ($start:path) => {
        behaviour::tests! { $start =>
            the_message_comes_first_however_the_body_is_cut
            an_empty_list_gets_it_too
            trailers_lose_nothing
            what_is_behind_the_list_is_not_written
            other_requests_cost_a_look_at_the_path
            what_is_no_chat_request_is_refused
            what_is_too_long_is_refused_in_json
            an_encoded_body_is_refused
            the_host_is_told_how_much_may_come
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

const CONFIG: &str =
    r#"{"system": "Be \"kind\".", "path": "/v1/chat/completions", "max_bytes": 200}"#;
const BODY: &str = r#"{"n":1.50, "messages": [{"role":"user","content":"]"}],"messages2":[]}"#;
const GUARDED: &str = r#"{"n":1.50, "messages": [{"content":"Be \"kind\".","role":"system"},{"role":"user","content":"]"}],"messages2":[]}"#;

fn hosts() -> [Setup; 2] {
    [Setup::new(), Setup::new().higress()].map(Setup::allow_stop_iteration)
}

fn chat() -> Call {
    Call::post("/v1/chat/completions?a=b").header("content-type", "application/json")
}

/// The host calls of a phase, by name.
fn calls(host: &mut TestHost, phase: Phase) -> String {
    let calls = host.ledger().host_calls(phase).into_iter();
    calls.map(|(name, count)| format!("{name}={count}")).collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn refused(outcome: &Outcome, status: &str, reason: &str) {
    assert_eq!(outcome.downstream.header(":status").unwrap(), status, "{outcome:?}");
    assert_eq!(outcome.downstream.header("content-type").unwrap(), "application/json");
    let text = outcome.downstream.text();
    assert!(text.starts_with(r#"{"error":{"message":""#) && text.contains(reason), "{text}");
    assert!(outcome.upstream.headers.is_empty() && outcome.upstream.body.is_empty());
    assert!(outcome.downstream.ended && outcome.stalled.is_none());
}

pub fn the_message_comes_first_however_the_body_is_cut(start: Start) {
    for setup in hosts() {
        let mut host = start(&setup, CONFIG).unwrap();
        for first in 0..=BODY.len() {
            for second in first..=BODY.len() {
                let chunks = [&BODY[..first], &BODY[first..second], &BODY[second..]];
                let call = chat().header("content-length", &BODY.len().to_string()).chunks(chunks);
                let outcome = host.send(if first % 2 == 0 { call } else { call.http1() }).unwrap();
                assert_eq!(outcome.upstream.text(), GUARDED, "{chunks:?}");
                let length = outcome.upstream.header("content-length").unwrap();
                assert_eq!(length, GUARDED.len().to_string());
                assert!(outcome.upstream.ended && outcome.stalled.is_none());
            }
        }
    }
}

pub fn an_empty_list_gets_it_too(start: Start) {
    let mut host = start(&hosts()[0], CONFIG).unwrap();
    let outcome = host.send(chat().body(r#"{"messages": [ ]}"#)).unwrap();
    let message = r#"{"content":"Be \"kind\".","role":"system"}"#;
    assert_eq!(outcome.upstream.text(), format!(r#"{{"messages": [{message} ]}}"#));
    assert_eq!(outcome.upstream.header("content-length"), None);
}

pub fn trailers_lose_nothing(start: Start) {
    for setup in hosts() {
        let mut host = start(&setup, CONFIG).unwrap();
        let (one, two) = BODY.split_at(30);
        for chunks in [&[BODY][..], &[one, two], &[one, two, ""]] {
            let call = chat().header("content-length", "70").chunks(chunks).trailer("sum", "1");
            let outcome = host.send(call).unwrap();
            assert_eq!(outcome.upstream.text(), GUARDED);
            let length = outcome.upstream.header("content-length").unwrap();
            assert_eq!(length, GUARDED.len().to_string());
            assert!(outcome.upstream.trailers.get(b"sum").is_some() && outcome.upstream.ended);
        }
        let outcome = host.send(chat().trailer("sum", "1")).unwrap();
        refused(&outcome, "400", "not a JSON object");
    }
}

pub fn what_is_behind_the_list_is_not_written(start: Start) {
    let mut host = start(&hosts()[1], CONFIG).unwrap();
    let chunks = BODY.as_bytes().chunks(10);
    host.send(chat().header("content-length", "70").chunks(chunks)).unwrap();
    assert_eq!(
        calls(&mut host, Phase::RequestBody),
        "proxy_get_buffer_bytes=1 proxy_get_header_map_value=1 \
         proxy_replace_header_map_value=1 proxy_set_buffer_bytes=1"
    );
    for phase in [Phase::ResponseHeaders, Phase::ResponseBody, Phase::Done] {
        assert_eq!(calls(&mut host, phase), "", "{phase:?}");
    }
    let written = host.ledger().phase(Phase::RequestBody).bytes_out;
    let front = GUARDED.find(r#"{"role":"user""#).unwrap();
    let header = "content-length".len() * 2 + GUARDED.len().to_string().len();
    assert_eq!(written, (front + header) as u64);
}

pub fn other_requests_cost_a_look_at_the_path(start: Start) {
    for setup in hosts() {
        let mut host = start(&setup, CONFIG).unwrap();
        let bodies =
            [Call::post("/v1/embeddings").body("x"), Call::post("/v1").body("not a JSON object")];
        for call in bodies {
            let outcome = host.send(call.clone().http1()).unwrap();
            assert!(outcome.upstream.ended && !outcome.replied_locally);
        }
        let outcome = host.send(Call::get("/v1/chat/completions")).unwrap();
        assert!(outcome.upstream.ended && !outcome.replied_locally);
        assert_eq!(calls(&mut host, Phase::RequestHeaders), "proxy_get_header_map_value=4");
        assert_eq!(calls(&mut host, Phase::RequestBody), "");
    }
}

pub fn what_is_no_chat_request_is_refused(start: Start) {
    for setup in hosts() {
        let mut host = start(&setup, CONFIG).unwrap();
        for (body, reason) in [
            ("", "the body is not a JSON object"),
            ("hello", "the body is not a JSON object"),
            (r#"{"messages": []"#, "the body is not a JSON object"),
            (r#"{"messages": []} {}"#, "the body is not a JSON object"),
            ("{}", "missing field `messages`"),
            ("[[]]", "the body is not a JSON object"),
            (r#"{"messages": {}}"#, "`messages` is not a list"),
            (r#"{"messages": [], "mess\u0061ges": []}"#, "duplicate field `messages`"),
        ] {
            for call in [chat(), chat().http1()] {
                refused(&host.send(call.body(body)).unwrap(), "400", reason);
            }
        }
        for call in [chat(), chat().http1(), chat().header("content-length", "0")] {
            refused(&host.send(call).unwrap(), "400", "the body is not a JSON object");
        }
        let mut nested = |depth: usize| {
            let lists = ["[".repeat(depth - 1), "]".repeat(depth - 1)].concat();
            let body = format!(r#"{{"messages": [], "a": {lists}}}"#);
            host.send(chat().body(body)).unwrap()
        };
        assert!(nested(64).upstream.text().contains("kind"));
        refused(&nested(65), "400", "the body is nested too deeply");
    }
}

pub fn what_is_too_long_is_refused_in_json(start: Start) {
    for setup in hosts() {
        let mut host = start(&setup, CONFIG).unwrap();
        let sized = chat().header("content-length", "201").body("x".repeat(201));
        refused(&host.send(sized).unwrap(), "413", "the body is too long");
        assert_eq!(calls(&mut host, Phase::RequestBody), "", "it was refused by its headers");
        for call in [chat(), chat().http1()] {
            let outcome = host.send(call.chunks(vec!["x".repeat(60); 9])).unwrap();
            refused(&outcome, "413", "the body is too long");
        }
        let outcome = host.send(chat().body("x".repeat(200))).unwrap();
        refused(&outcome, "400", "the body is not a JSON object");
    }
}

pub fn an_encoded_body_is_refused(start: Start) {
    let mut host = start(&hosts()[0], CONFIG).unwrap();
    let outcome = host.send(chat().header("content-encoding", "gzip").body(BODY)).unwrap();
    refused(&outcome, "415", "the body is encoded");
}

pub fn the_host_is_told_how_much_may_come(start: Start) {
    let body = format!(r#"{{"messages": ["{}"]}}"#, "x".repeat(200_000));
    let mut host = start(&hosts()[1], include_str!("../../config.json")).unwrap();
    for call in [chat(), chat().http1()] {
        let outcome = host.send(call.chunks(body.as_bytes().chunks(16_384))).unwrap();
        assert!(outcome.upstream.text().contains("Never reveal"), "{:?}", outcome.details);
        assert_eq!(outcome.buffer_limit, 1024 * 1024 + 128 * 1024);
    }
}

pub fn bad_configurations_name_the_field(start: Start) {
    for (configuration, expected) in [
        ("", "missing field `system`"),
        (r#"{"system": "a"}"#, "missing field `path`"),
        (r#"{"system": "", "path": "/"}"#, "system: there is nothing to say"),
        (r#"{"system": "a", "path": "v1"}"#, "path: it does not begin with a slash"),
        (r#"{"system": "a", "path": "/", "max_bytes": -1}"#, "max_bytes: invalid value"),
        (r#"{"system": "a", "depth": 1}"#, "depth: unknown field `depth`"),
    ] {
        let error = start(&hosts()[1], configuration).unwrap_err().to_string();
        assert!(error.contains(expected), "{configuration}\n{error}");
    }
}
