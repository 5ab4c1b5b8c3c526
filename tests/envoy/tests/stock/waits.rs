//! Bodies that came whole while their headers waited for a task.

use std::time::Duration;

use bench_host::testing::{Answer, Call, Setup};
use envoy_tests::envoy;

use crate::stage::{Calls, Plugin, Stage, same};

/// Envoy 1.40 loses a body that is held while it resumes the headers before it, and let go by the
/// trailers' callback.
#[test]
fn a_body_behind_headers_that_waited_goes_on_with_its_trailers() {
    if envoy().is_none() {
        return;
    }
    let plugin =
        Plugin::new("waits", chunkwise_tests::module("tests/envoy/probe"), "careful waits");
    let mut stage = Stage::start(std::slice::from_ref(&plugin), &Calls::default());
    let mut bench = plugin.bench(&Setup::new());
    for trailers in [false, true] {
        let mut call = Call::post("/").chunks(["abc", "def"]);
        let mut answer = Answer::new(200).chunks(["ghi", "jkl"]);
        if trailers {
            call = call.trailer("x-end", "1");
            answer = answer.trailer("x-end", "2");
        }
        let call = call.answer(answer);
        let real = stage.send(&plugin.name, call.clone(), Duration::ZERO);
        assert_eq!(real.down().text(), "ghijkl", "trailers: {trailers}");
        assert_eq!(real.upstream[0].text(), "abcdef", "trailers: {trailers}");
        assert_eq!(real.upstream[0].trailers.len(), usize::from(trailers));
        same(&real, &bench.send(call).unwrap(), "a body behind headers that waited");
    }
}
