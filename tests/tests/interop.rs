//! A plugin on the crate `proxy-wasm` that has adopted chunks, arena and books, in wasm.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::num::NonZeroUsize;

use bench_host::engine::wasm::{Limits, WasmPlugin};
use bench_host::host::{Level, Measure, Profile, Settings};
use bench_host::measure::{Allocations, Phase};
use bench_host::module::Module;
use bench_host::replay::{Options, Run, replay};
use bench_host::testing::{Answer, Call, TestHost};
use bench_host::traffic::Traffic;
use chunkwise_tests::module;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

const AFTER: &str = "examples/adopt/after";
const BEFORE: &str = "examples/adopt/before";
const READ: &str = "proxy_get_buffer_bytes";
const WRITE: &str = "proxy_set_buffer_bytes";

fn start(example: &str, configuration: &str) -> TestHost {
    TestHost::wasm(&module(example), configuration).unwrap()
}

fn adopted() -> TestHost {
    start(AFTER, r#"[["old", "brand new"], ["ll", "L"]]"#)
}

fn with_the_sdk() -> TestHost {
    let rules = r#"{"find": "old", "replace": "brand new"}, {"find": "ll", "replace": "L"}"#;
    start("replace", &format!(r#"{{"rules": [{rules}], "request": false}}"#))
}

/// How a response may come.
#[derive(Clone, Debug)]
struct Response {
    chunks: Vec<String>,
    framing: Framing,
    trailers: bool,
}

#[derive(Clone, Copy, Debug)]
enum Framing {
    Frames,
    Sized,
    Chunked,
    Gzip,
}

fn responses() -> impl Strategy<Value = Response> {
    let framing = prop::sample::select(vec![
        Framing::Frames,
        Framing::Sized,
        Framing::Chunked,
        Framing::Gzip,
    ]);
    let chunks = prop::collection::vec("[old]{0,9}", 0..8);
    (chunks, framing, any::<bool>()).prop_map(|(chunks, framing, trailers)| Response {
        chunks,
        framing,
        trailers,
    })
}

impl Response {
    fn call(&self) -> Call {
        let answer = Answer::new(200).chunks(&self.chunks);
        let answer = match self.framing {
            Framing::Frames => answer,
            Framing::Sized => {
                answer.header("content-length", &self.chunks.concat().len().to_string())
            }
            Framing::Chunked => answer.header("transfer-encoding", "chunked"),
            Framing::Gzip => answer.header("content-encoding", "gzip"),
        };
        let call = Call::get("/");
        let call = if matches!(self.framing, Framing::Chunked) { call.http1() } else { call };
        call.answer(if self.trailers { answer.trailer("sum", "1") } else { answer })
    }
}

#[test]
fn it_does_what_the_sdk_does_however_the_body_is_cut() {
    let hosts = RefCell::new((adopted(), with_the_sdk()));
    let mut runner =
        TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(400) });
    let check = |response: Response| {
        let (adopted, sdk) = &mut *hosts.borrow_mut();
        let [one, other] = [adopted, sdk].map(|host| {
            let outcome = host.send(response.call()).unwrap();
            let down = outcome.downstream;
            let length = down.header("content-length").map(|length| length.into_owned());
            let trailers = down.trailers.len();
            (down.text().into_owned(), length, trailers, down.ended, down.frames, outcome.reset)
        });
        prop_assert_eq!(one, other);
        Ok(())
    };
    runner.run(&responses(), check).unwrap();
    // Both made the very same calls for it.
    let (adopted, sdk) = hosts.into_inner();
    let [adopted, sdk] = [adopted, sdk].map(|mut host| {
        let phases = [Phase::ResponseHeaders, Phase::ResponseBody, Phase::ResponseTrailers];
        let lines: Vec<_> = phases.into_iter().map(|phase| costs(&mut host, phase)).collect();
        let said: Vec<_> = host.log().iter().map(|line| line.message.clone()).collect();
        (lines, said)
    });
    assert_eq!(adopted, sdk);
    let (_, read, written) = adopted.0[1];
    assert!(read > 0 && written > 0, "there was something to read and to write");
}

fn costs(host: &mut TestHost, phase: Phase) -> (BTreeMap<String, u64>, u64, u64) {
    let lines = host.ledger().phase(phase);
    let (read, written) = (lines.bytes_in, lines.bytes_out);
    (host.ledger().host_calls(phase), read, written)
}

#[test]
fn before_a_match_across_chunks_was_missed() {
    let answer = Answer::new(200).chunks(["an o", "ld old"]);
    let call = Call::get("/").answer(answer);
    let outcome = start(BEFORE, r#"[["old", "new"]]"#).send(call.clone()).unwrap();
    assert_eq!(outcome.downstream.text(), "an old new");
    let outcome = start(AFTER, r#"[["old", "new"]]"#).send(call).unwrap();
    assert_eq!(outcome.downstream.text(), "an new new");
}

#[test]
fn the_module_says_what_it_is_and_keeps_books() {
    let sdk = Module::read(&module(AFTER)).unwrap().facts.sdk.unwrap();
    assert_eq!(sdk.name, "chunkwise");
    assert_eq!(
        sdk.settings.into_iter().collect::<Vec<_>>(),
        [("interop".to_owned(), "proxy-wasm".to_owned())]
    );
    let mut host = adopted();
    host.send(Call::get("/").answer(Answer::new(200).body("old"))).unwrap();
    let books = host.proxy().guest().heap().books.unwrap();
    assert!(books.allocations.count > 0 && books.live > 0);
    assert_eq!(books.arena, 64 * 1024);
}

fn run(traffic: &str, measure: Measure) -> Run {
    let bytes = fs::read(module(AFTER)).unwrap();
    let plugin = WasmPlugin::compile(&bytes, Limits::COUNTED).unwrap();
    let mut options = Options::new(Settings::new(Profile::Envoy));
    options.configuration = br#"[["http://", "https://"]]"#.to_vec().into();
    options.streams = NonZeroUsize::new(16).unwrap();
    options.measure = measure;
    let run = replay(&plugin, &Traffic::open(traffic).unwrap(), &options, &|_| ()).unwrap();
    assert_eq!((run.failed, run.crashes.len()), (0, 0));
    run
}

#[test]
fn a_chunk_allocates_nothing_and_is_read_once() {
    let traffic = "synth:download,requests=16,size=10240000,chunk=16KiB";
    let run = run(traffic, Measure { time: false, usage: true });
    let lines = run.ledger.phase(Phase::ResponseBody);
    assert_eq!(lines.calls, 10_000);
    assert_eq!(lines.allocations, Some(Allocations::default()));
    assert_eq!((lines.pages_grown, lines.bytes_out), (0, 0));
    let calls = run.ledger.host_calls(Phase::ResponseBody);
    assert_eq!(calls.into_iter().collect::<Vec<_>>(), [(READ.to_owned(), 10_000)]);
    let headers = run.ledger.phase(Phase::ResponseHeaders);
    assert_eq!(headers.allocations, Some(Allocations::default()), "nor do headers");
}

#[test]
fn a_match_in_every_chunk_allocates_nothing_either() {
    let traffic = "synth:download,requests=16,size=1600000,chunk=16000,needle=http://,every=16000";
    let run = run(traffic, Measure { time: false, usage: true });
    let lines = run.ledger.phase(Phase::ResponseBody);
    assert_eq!((lines.calls, lines.pages_grown), (1_600, 0));
    assert_eq!(lines.allocations, Some(Allocations::default()));
    let calls = run.ledger.host_calls(Phase::ResponseBody);
    assert_eq!(calls[READ], 1_600);
    assert!((1..=1_600).contains(&calls[WRITE]), "{calls:?}");
}

#[test]
fn what_is_longer_than_the_arena_comes_whole() {
    let mut host = adopted();
    let long = format!("text/{}", "x".repeat(200_000));
    let body = "an old thing, ".repeat(50_000);
    for round in 0..3 {
        let answer = Answer::new(200).header("content-type", &long).body(&body);
        let outcome = host.send(Call::get("/").answer(answer)).unwrap();
        assert!(outcome.downstream.text() == body.replace("old", "brand new"), "{round}");
        assert_eq!(outcome.downstream.header("content-type").unwrap(), long);
    }
    assert!(host.log().is_empty(), "{:?}", host.log());
}

#[test]
fn bytes_that_are_lost_are_not_passed_over() {
    let mut host = adopted();
    // Longer than any frame of HTTP/2, without a length, and ended by trailers: the one case.
    let frame = format!("{}ol", "x".repeat(100_000));
    let answer = Answer::new(200).chunks([&frame]).trailer("sum", "1");
    let outcome = host.send(Call::get("/").answer(answer)).unwrap();
    assert!(outcome.reset && !outcome.downstream.ended);
    let line = host.log().last().unwrap();
    assert_eq!(line.level, Level::Error);
    assert!(line.message.contains("2 bytes of the body were withheld"), "{}", line.message);
}

#[test]
fn streams_that_take_turns_do_not_mix() {
    let mut host = adopted();
    let calls = (0..16).map(|n| {
        let chunks = [format!("{n} o"), "l".repeat(n % 2 + 1), "d".to_owned(), format!(" {n}")];
        Call::get("/").answer(Answer::new(200).chunks(chunks))
    });
    for (n, outcome) in host.interleave(calls).unwrap().iter().enumerate() {
        let expected =
            if n % 2 == 0 { format!("{n} brand new {n}") } else { format!("{n} oLd {n}") };
        assert_eq!(outcome.downstream.text(), expected);
    }
}

#[test]
fn a_bad_configuration_is_refused_in_words() {
    for (configuration, expected) in
        [(r#"[["", "x"]]"#, "rule 0 has an empty needle"), ("[", "EOF while parsing")]
    {
        let error = TestHost::wasm(&module(AFTER), configuration).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
