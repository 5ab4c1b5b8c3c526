//! `examples/token-count`, and what it allocates.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

#[path = "../../../examples/token-count/tests/behaviour/mod.rs"]
mod behaviour;

use std::sync::LazyLock;

use bench_host::engine::StartError;
use bench_host::measure::Phase;
use bench_host::testing::{Answer, Call, Setup, TestHost, TestModule};

// Compiled once for all tests.
static MODULE: LazyLock<TestModule> = LazyLock::new(|| {
    TestModule::read(&chunkwise_tests::module("token-count")).expect("it was just built")
});

fn start(setup: &Setup, configuration: &str) -> Result<TestHost, StartError> {
    setup.module(&MODULE, configuration)
}

behaviour::tests!(start);

/// Allocations of the body callbacks of an answer, which is sent twice: the first one warms up.
fn allocations(answer: &Answer) -> u64 {
    let mut host = start(&Setup::new(), "").unwrap();
    let mut count = 0;
    for _ in 0..2 {
        let before = host.ledger().phase(Phase::ResponseBody).allocations.unwrap_or_default();
        host.send(Call::get("/").answer(answer.clone())).unwrap();
        let after = host.ledger().phase(Phase::ResponseBody).allocations.unwrap_or_default();
        count = after.count - before.count;
    }
    count
}

#[test]
fn more_chunks_allocate_nothing_more() {
    let event = r#"data: {"model":"m","choices":[{"delta":{"content":"a \"word\""}}],"#;
    for usage in [r#""usage":null}"#, r#""usage":{"prompt_tokens":1,"completion_tokens":2}}"#] {
        let event = format!("{event}{usage}\n\n");
        for size in [7, event.len(), 3 * event.len() + 1] {
            let answer = |events: usize| {
                let stream = event.repeat(events);
                let answer = Answer::new(200).header("content-type", "text/event-stream");
                answer.chunks(stream.as_bytes().chunks(size))
            };
            let (few, many) = (allocations(&answer(50)), allocations(&answer(500)));
            assert_eq!(few, many, "{usage} in chunks of {size}");
            assert!(few > 0, "the books are kept");
        }
    }
    let document = |chunks: usize| {
        let body = format!("\"{}\"", "x".repeat(chunks * 100));
        let answer = Answer::new(200).header("content-type", "application/json");
        let answer = answer.header("content-length", &body.len().to_string());
        answer.chunks(body.as_bytes().chunks(100))
    };
    assert_eq!(allocations(&document(50)), allocations(&document(500)));
}
