//! The plugin natively: the crate `proxy-wasm` and its dispatcher, in this process.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use adopt_after as _;
use bench_host::host::{Profile, Settings};
use bench_host::measure::Phase;
use bench_host::testing::{Answer, Call, TestHost};

const RULES: &str = r#"[["old", "brand new"]]"#;

fn start(configuration: &str) -> TestHost {
    let settings = Settings::new(Profile::Envoy);
    TestHost::start(&bench_host::native_exports!(), settings, configuration).unwrap()
}

#[test]
fn a_match_across_chunks_is_found() {
    let mut host = start(RULES);
    let answer = Answer::new(200).header("content-length", "8").chunks(["an o", "l", "d o"]);
    let outcome = host.send(Call::get("/").answer(answer)).unwrap();
    assert_eq!(outcome.downstream.text(), "an brand new o");
    assert_eq!(outcome.downstream.header("content-length"), None);
    assert!(outcome.downstream.ended);
}

#[test]
fn what_has_no_match_is_read_once_and_not_written() {
    let mut host = start(RULES);
    let answer = Answer::new(200).chunks(["nothing"; 100]);
    host.send(Call::get("/").answer(answer)).unwrap();
    let calls = host.ledger().host_calls(Phase::ResponseBody);
    assert_eq!(calls.into_iter().collect::<Vec<_>>(), [("proxy_get_buffer_bytes".into(), 100)]);
    assert_eq!(host.ledger().phase(Phase::ResponseBody).bytes_out, 0);
}
