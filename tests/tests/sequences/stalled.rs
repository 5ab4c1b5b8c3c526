//! `StopIteration` of header callbacks, and streams that stand still for good.

use bench_host::host::{Profile, Settings};
use bench_host::testing::{Answer, Call, TestHost};

use chunkwise_tests::guest::{HIGRESS, host_in, logging, stream_log};

use super::snippets::*;
use super::steps::*;

const HELD: &str = "(i32.const 1)";

fn host(abi: &str, allow_stop_iteration: bool, script: &[(&str, &str)]) -> TestHost {
    let profile = if abi == HIGRESS { Profile::Higress } else { Profile::Envoy };
    let settings = Settings { allow_stop_iteration, ..Settings::new(profile) };
    let upstreams = "
        [cluster.auth]
        latency = '5ms'
        [[cluster.auth.http]]
        match = { path = '/check' }
        [[cluster.auth.http]]
        fail = 'never'";
    host_in(&format!("{abi}{}", logging(script)), settings, world(upstreams))
}

/// `allow_on_headers_stop_iteration` of a plugin's configuration in Envoy.
#[test]
fn the_body_comes_after_a_stop_where_the_operator_allows_it() {
    let script = [("request_headers", HELD), ("response_headers", HELD)];
    let call = || Call::post("/").body("ab").answer(Answer::new(200).body("cd"));
    let mut allowing = host("", true, &script);
    let outcome = allowing.send(call()).unwrap();
    assert_eq!((&*outcome.upstream.text(), &*outcome.downstream.text()), ("ab", "cd"));
    assert_eq!(outcome.stalled, None);
    insta::assert_snapshot!(stream_log(&mut allowing), @"
    request_headers 2 4 0
    request_body 2 2 1
    response_headers 2 1 0
    response_body 2 2 1
    log 2
    done 2
    delete 2
    ");
    let mut strict = host("", false, &script);
    let outcome = strict.send(call()).unwrap();
    assert!(!outcome.upstream.ended && outcome.upstream.headers.is_empty());
    assert!(!stream_log(&mut strict).contains("request_body"));
}

/// What a stream that is held for good says of itself.
fn stalled(abi: &str, script: &[(&str, &str)], call: Call) -> String {
    let outcome = host(abi, false, script).send(call).unwrap();
    assert!(!outcome.downstream.ended);
    outcome.stalled.unwrap()
}

#[test]
fn a_stop_that_is_read_as_another_one_is_explained() {
    let why = stalled("", &[("request_headers", HELD)], Call::post("/").body("ab"));
    insta::assert_snapshot!(why, @"the plugin held the request: request_headers answered StopIteration, which this host reads as StopAllIterationAndWatermark (ABI up to 0.2.1 without --allow-stop-iteration); nothing resumed the stream, and no call or timer was left that could");
    let why = stalled("", &[("response_headers", HELD)], Call::get("/"));
    assert!(why.starts_with("the plugin held the response: response_headers answered"), "{why}");
}

#[test]
fn headers_without_a_body_that_could_let_them_go_are_explained() {
    let why = stalled(HIGRESS, &[("request_headers", HELD)], Call::get("/"));
    insta::assert_snapshot!(why, @"the plugin held the request: request_headers answered StopIteration to headers that end the message, so no body callback can let them go; nothing resumed the stream, and no call or timer was left that could");
}

#[test]
fn a_last_frame_that_is_held_is_explained() {
    let script = [("request_headers", HELD), ("request_body", HELD)];
    let why = stalled(HIGRESS, &script, Call::post("/").chunks(["a", "b"]));
    insta::assert_snapshot!(why, @"the plugin held the request: request_body answered StopIterationAndBuffer to the last frame; nothing resumed the stream, and no call or timer was left that could");
    let answer = Answer::new(200).body("a").trailer("t", "1");
    let trailers = ("response_trailers", HELD);
    let why = stalled("", &[trailers], Call::get("/").answer(answer));
    assert!(why.contains("the response: response_trailers answered StopIteration;"), "{why}");
}

#[test]
fn a_stream_that_its_own_callback_resumed_is_explained() {
    let script = [("request_headers", &*answering(&resume(0), 4))];
    let why = stalled("", &script, Call::get("/"));
    insta::assert_snapshot!(why, @"the plugin held the request: request_headers answered StopAllIterationAndWatermark; it resumed the stream itself, which has no effect before it has stopped; nothing resumed the stream, and no call or timer was left that could");
}

#[test]
fn a_stream_that_waits_for_somebody_is_told_from_one_that_waits_for_nobody() {
    let never = answering(&http_call("auth", "/silent", 0), 4);
    let why = stalled("", &[("request_headers", &never)], Call::get("/"));
    assert!(why.ends_with("the call that is under way is never answered"), "{why}");
    let script =
        [("configure", &*answering(&tick_period(1_000), 1)), ("request_headers", "(i32.const 4)")];
    let why = stalled("", &script, Call::get("/"));
    assert!(why.ends_with("; nothing resumed the stream for 300 s"), "{why}");
    let forgotten = answering(&http_call("auth", "/check", 100), 4);
    let why = stalled("", &[("request_headers", &forgotten)], Call::get("/"));
    assert!(why.ends_with("and no call or timer was left that could"), "{why}");
}

/// A request that was answered instead is not what keeps the stream.
#[test]
fn an_answer_of_the_plugins_that_it_holds_is_what_stands_still() {
    let deny = reply(403, "no", "denied");
    let answered = [effective(2), deny].concat();
    let script = [
        ("request_headers", &*answering(&http_call("auth", "/check", 100), 4)),
        ("http_call_response", &answered),
        ("response_headers", "(i32.const 4)"),
    ];
    let why = stalled("", &script, Call::get("/"));
    assert!(why.starts_with("the plugin held the response: response_headers"), "{why}");
}
