//! The plugin natively: the crate `proxy-wasm` and its dispatcher, in this process.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use std::cell::RefCell;

use adopt_after as _;
use bench_host::host::{Profile, Settings};
use bench_host::measure::Phase;
use bench_host::testing::{Answer, Call, TestHost};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use replace::Replace;

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

#[test]
fn it_does_what_the_sdk_does_however_the_body_is_cut() {
    let rules = r#"{"rules": [{"find": "old", "replace": "brand new"}], "request": false}"#;
    let hosts = RefCell::new([start(RULES), TestHost::native::<Replace>(rules).unwrap()]);
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
    let bodies = prop::collection::vec("[old]{0,9}", 0..8);
    let check = |(chunks, sized, trailers): (Vec<String>, bool, bool)| {
        let mut answer = Answer::new(200).chunks(&chunks);
        if sized {
            answer = answer.header("content-length", &chunks.concat().len().to_string());
        }
        if trailers {
            answer = answer.trailer("sum", "1");
        }
        let [adopted, sdk] = hosts.borrow_mut().each_mut().map(|host| {
            let outcome = host.send(Call::get("/").answer(answer.clone())).unwrap();
            let down = outcome.downstream;
            (down.body, down.headers, down.trailers, down.ended, down.frames, outcome.reset)
        });
        prop_assert_eq!(adopted, sdk);
        Ok(())
    };
    runner.run(&(bodies, any::<bool>(), any::<bool>()), check).unwrap();
}
