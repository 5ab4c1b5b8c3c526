//! What the answers of header callbacks do, in each ABI.

use bench_host::testing::{Answer, Call, Outcome};

use super::guest::{HIGRESS, host, logging, stream_log};

/// The last word on header statuses is the ABI's.
fn answered(abi: &str, answer: u32, call: Call) -> (Outcome, String) {
    let code = format!("(i32.const {answer})");
    let mut host = host(&format!("{abi}{}", logging(&[("request_headers", &code)])));
    let outcome = host.send(call).unwrap();
    let log = stream_log(&mut host);
    (
        outcome,
        log.lines().take_while(|line| !line.starts_with("log")).collect::<Vec<_>>().join("\n"),
    )
}

fn post() -> Call {
    Call::post("/").chunks(["ab", "c"])
}

const ALL: &str = "request_headers 2 4 0\nrequest_body 2 2 0\nrequest_body 2 1 1\n\
                   response_headers 2 1 1";

#[test]
fn zero_and_two_let_headers_pass() {
    // Two is "continue and end the stream", which Envoy does not do for wasm.
    for (abi, answer) in [("", 0), ("", 2), (HIGRESS, 0), (HIGRESS, 2)] {
        let (outcome, log) = answered(abi, answer, post());
        assert_eq!(log, ALL, "{abi} {answer}");
        assert!(outcome.downstream.ended);
    }
}

#[test]
fn one_stops_everything_in_the_old_abi() {
    let (outcome, log) = answered("", 1, post());
    assert_eq!(log, "request_headers 2 4 0");
    assert!(outcome.upstream.headers.is_empty() && !outcome.downstream.ended);
}

#[test]
fn one_holds_the_headers_only_in_the_abi_of_higress() {
    let (outcome, log) = answered(HIGRESS, 1, post());
    assert_eq!(log, ALL);
    assert_eq!(outcome.upstream.text(), "abc");
}

#[test]
fn one_on_headers_that_end_the_stream_holds_them_for_good() {
    let (outcome, log) = answered(HIGRESS, 1, Call::get("/"));
    assert_eq!(log, "request_headers 2 4 1");
    assert!(!outcome.upstream.ended && !outcome.downstream.ended && !outcome.replied_locally);
}

#[test]
fn one_is_let_go_by_trailers_too() {
    let (outcome, _) = answered(HIGRESS, 1, Call::post("/").trailer("t", "1"));
    assert_eq!(outcome.upstream.header(":method").unwrap(), "POST");
    assert!(outcome.upstream.ended && outcome.downstream.ended);
}

#[test]
fn three_four_and_what_is_unknown_stop_everything() {
    for abi in ["", HIGRESS] {
        for answer in [3, 4, 5, u32::MAX] {
            let (outcome, log) = answered(abi, answer, post());
            assert_eq!(log, "request_headers 2 4 0", "{abi} {answer}");
            assert!(outcome.upstream.headers.is_empty() && !outcome.replied_locally);
        }
    }
}

#[test]
fn held_headers_can_be_edited_from_the_body() {
    let edit = "(call $status 'replace'
        (call $proxy_replace_header_map_value (i32.const 0) ':path' '/new')) (i32.const 0)";
    for (abi, held, status, path) in [(HIGRESS, "1", 0, "/new"), (HIGRESS, "0", 2, "/old")] {
        let held = format!("(i32.const {held})");
        let script = logging(&[("request_headers", &held), ("request_body", edit)]);
        let mut host = host(&format!("{abi}{script}"));
        let outcome = host.send(Call::post("/old").body("ab")).unwrap();
        assert_eq!(outcome.upstream.header(":path").unwrap(), path);
        assert!(stream_log(&mut host).contains(&format!("replace {status}\n")));
    }
}

#[test]
fn the_abi_0_1_0_is_not_told_of_the_end() {
    let log = |name: &str| {
        format!(
            r#"(func (export "proxy_on_{name}") (param i32 i32) (result i32)
                (call $text '{name}') (call $argument (local.get 0))
                (call $argument (local.get 1)) (call $flush) (i32.const 0))"#
        )
    };
    let marker = r#"(func (export "proxy_abi_version_0_1_0"))"#;
    let [request, response] = ["request_headers", "response_headers"].map(log);
    let mut host = host(&format!("{marker}{request}{response}"));
    let outcome = host.send(Call::get("/").answer(Answer::new(200).body("x"))).unwrap();
    assert!(outcome.downstream.ended);
    assert_eq!(super::guest::log(&mut host), "request_headers 2 4\nresponse_headers 2 1");
}
