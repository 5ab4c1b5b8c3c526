//! What tests of plugins can choose and see: `bench_host::testing`.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use std::sync::LazyLock;
use std::time::Duration;

use bench_host::engine::StartError;
use bench_host::host::Direction::{Request, Response};
use bench_host::host::FailurePolicy;
use bench_host::testing::{Call, Setup, TestHost, TestModule, run_together};
use chunkwise_tests::guest::{HIGRESS, log, logging, module, pairs};
use replace::Replace;

static REPLACE: LazyLock<TestModule> =
    LazyLock::new(|| TestModule::read(&chunkwise_tests::module("replace")).unwrap());

fn compiled(body: &str) -> TestModule {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guest.wasm");
    std::fs::write(&path, module(body)).unwrap();
    TestModule::read(&path).unwrap()
}

fn start(setup: &Setup, body: &str) -> TestHost {
    setup.module(&compiled(body), "cfg").unwrap()
}

/// One behaviour, in both engines, in a proxy of its own choice.
#[test]
fn a_behaviour_is_written_once() {
    fn behaviour(start: fn(&Setup, &str) -> Result<TestHost, StartError>) {
        let setup = Setup::new().higress().buffer_limit(77).plugin_name("named");
        let configuration = r#"{"rules": [{"find": "a", "replace": "b"}]}"#;
        let mut host = start(&setup, configuration).unwrap();
        let outcome = host.send(Call::post("/").body("aha").authority("other.example")).unwrap();
        assert_eq!((&*outcome.upstream.text(), outcome.buffer_limit), ("bhb", 77));
        assert_eq!(outcome.upstream.header(":authority").unwrap(), "other.example");
        let refused = start(&setup, "nonsense").unwrap_err();
        assert!(matches!(refused, StartError::Refused { .. }), "{refused}");
    }
    behaviour(|setup, configuration| setup.native::<Replace>(configuration));
    behaviour(|setup, configuration| setup.module(&REPLACE, configuration));
}

#[test]
fn a_stock_envoy_does_not_start_what_is_made_for_higress() {
    let plugin = compiled(&format!("{HIGRESS}{}", logging(&[])));
    let refused = Setup::new().module(&plugin, "").unwrap_err().to_string();
    insta::assert_snapshot!(refused, @"the plugin does not load: it declares ABI 0.2.100, which a stock Envoy does not have; start it with `Setup::higress`");
    assert!(Setup::new().higress().module(&plugin, "").is_ok());
}

const LOOK: &str = "
    (func $property (param $at i32) (param $len i32)
        (drop (call $proxy_get_property (local.get $at) (local.get $len)
            (i32.const 0) (i32.const 4)))
        (call $say (i32.load (i32.const 0)) (i32.load (i32.const 4))))";

#[test]
fn what_is_chosen_is_what_the_plugin_sees() {
    let look = "(call $property 'xds.route_name') (call $property 'xds.cluster_name')
        (call $property 'plugin_name') (call $property 'source.address') (i32.const 1)";
    let script = [("request_headers", look), ("request_body", "unreachable")];
    let setup = Setup::new()
        .route("search")
        .cluster("outbound|80||search.dns")
        .plugin_name("named")
        .property("source.address", "10.0.0.9:4711")
        .allow_stop_iteration()
        .failure_policy(FailurePolicy::FailOpen)
        .with(|settings| settings.quota = 7);
    let mut host = start(&setup, &format!("{LOOK}{}", logging(&script)));
    let outcomes = host.outcomes([Call::post("/").body("ab")]);
    assert!(log(&mut host).contains("search\noutbound|80||search.dns\nnamed\n10.0.0.9:4711\n"));
    assert!(outcomes[0].upstream.ended, "the body came, trapped, and passed");
    assert_eq!(host.proxy().host().settings.quota, 7);
}

#[test]
fn the_outcome_shows_what_the_plugin_asked_for() {
    let set =
        |path: &str, value: &str| format!("(drop (call $proxy_set_property '{path}' '{value}'))");
    let code = [
        &*set("ai_log", "{\"n\":1}"),
        &set("trace_span_tag.user", "jo"),
        &set("set_decoder_buffer_limit", "12345"),
        "(drop (call $proxy_add_header_map_value (i32.const 0) 'a' '1'))",
        &set("clear_route_cache", "off"),
        "(drop (call $proxy_replace_header_map_value (i32.const 0) 'a' '2'))",
        "(drop (call $proxy_set_upstream_override_host '10.0.0.1:80'))",
        "(i32.const 0)",
    ];
    let body = logging(&[("request_headers", &code.concat())]);
    let outcome = start(&Setup::new().higress(), &body).send(Call::get("/")).unwrap();
    assert_eq!(outcome.state("ai_log").unwrap(), "{\"n\":1}");
    assert_eq!(outcome.state("custom_log"), None);
    assert_eq!(outcome.span_tag("user").unwrap(), "jo");
    assert_eq!(outcome.buffer_limit, 12345);
    assert_eq!((outcome.keeps_route, outcome.route_clears), (true, 1));
    assert_eq!(outcome.upstream_override.as_deref(), Some("10.0.0.1:80"));

    let outcome = start(&Setup::new(), &body).send(Call::get("/")).unwrap();
    assert_eq!(outcome.span_tag("user"), None);
    assert_eq!((outcome.buffer_limit, outcome.keeps_route), (16 * 1024 * 1024, false));
    assert_eq!((outcome.route_clears, outcome.upstream_override), (2, None));
}

#[test]
fn calls_are_seen_as_the_upstream_saw_them() {
    let call = |cluster: &str, fields: &[(&str, &str)], body: &str| {
        let fields = pairs(fields);
        format!(
            "(drop (call $proxy_http_call '{cluster}' {fields} '{body}' ''
                (i32.const 500) (i32.const 8)))"
        )
    };
    let fields = [(":method", "PUT"), (":path", "/a?b"), (":authority", "x"), ("k", "v")];
    let script = [
        &call("auth", &fields, "hello"),
        &call("nobody", &fields, ""),
        &call("auth", &[(":method", "GET")], ""),
        "(i32.const 0)",
    ];
    let setup = Setup::new().upstreams("[[cluster.auth.http]]").unwrap();
    let mut host = start(&setup, &logging(&[("request_headers", &script.concat())]));
    host.send(Call::get("/")).unwrap();
    let calls = host.take_callouts();
    assert_eq!(calls.len(), 1, "{calls:?}");
    let call = &calls[0];
    assert_eq!((&*call.cluster, &*call.method(), &*call.path()), ("auth", "PUT", "/a?b"));
    assert_eq!((&*call.text(), call.header("k").unwrap()), ("hello", "v".into()));
    assert_eq!((call.timeout, call.trailers.len()), (Some(Duration::from_millis(500)), 0));
    assert!(host.take_callouts().is_empty());
    assert!(Setup::new().upstreams("nonsense").is_err());
}

/// Sets a value at every tick, on condition that it is still the first one that it ever saw.
fn setting(period: u32) -> String {
    let configure = format!(
        "(drop (call $proxy_set_tick_period_milliseconds (i32.const {period}))) (i32.const 1)"
    );
    let set = "
        (i32.store (i32.const 8) (i32.const 0))
        (drop (call $proxy_get_shared_data 'value' (i32.const 0) (i32.const 4) (i32.const 8)))
        (call $status 'read' (i32.load (i32.const 8)))
        (call $status 'set' (call $proxy_set_shared_data 'value' 'me' (global.get $seen)))
        (if (i32.eqz (global.get $seen))
            (then (global.set $seen (i32.load (i32.const 8)))))";
    format!(
        "(global $seen (mut i32) (i32.const 0)){}",
        logging(&[("configure", &configure), ("tick", set)])
    )
}

/// Two workers of one proxy see what the other has set, in the order of time.
#[test]
fn workers_share_data_and_time() {
    let setup = Setup::new().workers();
    let mut first = start(&setup, &setting(10));
    let mut second = start(&setup, &setting(15));
    let before = (first.slot().now(), second.slot().now());
    assert_eq!(before.0, before.1);
    run_together(&mut [&mut first, &mut second], Duration::from_millis(32)).unwrap();
    assert_eq!(first.slot().now(), second.slot().now());
    // At 10, 15, 20 and 30 ms; each sees what has been set before, by whomever.
    let ticks = |host: &mut TestHost| {
        let log = log(host);
        let lines = log.lines().filter(|line| line.starts_with("read") || line.starts_with("set"));
        lines.collect::<Vec<_>>().join(", ")
    };
    assert_eq!(ticks(&mut first), "read 0, set 0, read 2, set 0, read 3, set 8");
    assert_eq!(ticks(&mut second), "read 1, set 0, read 3, set 8");

    let mut alone = start(&Setup::new(), &setting(10));
    assert_ne!(alone.slot().now(), first.slot().now(), "it has a clock of its own");
    alone.run_for(Duration::from_millis(11)).unwrap();
    assert_eq!(ticks(&mut alone), "read 0, set 0");
}

/// A response that waits for an answer, with a look at what has gone on in between.
#[test]
fn a_stream_is_driven_event_by_event() {
    let fields = pairs(&[(":method", "GET"), (":path", "/"), (":authority", "x")]);
    let ask = format!(
        "(drop (call $proxy_http_call 'auth' {fields} '' '' (i32.const 500) (i32.const 8)))
         (i32.const 1)"
    );
    let then = "(drop (call $proxy_set_effective_context (i32.const 2)))
        (drop (call $proxy_continue_stream (i32.const 1)))";
    let script = [
        ("response_body", &*ask),
        ("http_call_response", then),
        ("log", "(if (i32.eq (local.get 0) (i32.const 3)) (then unreachable))"),
    ];
    let upstreams = "[cluster.auth]\nlatency = '5ms'\n[[cluster.auth.http]]";
    let setup = Setup::new().upstreams(upstreams).unwrap();
    let mut host = start(&setup, &logging(&script));
    let stream = host.open();
    host.headers(stream, Request, &[(":method", "GET"), (":path", "/")], true).unwrap();
    assert!(host.seen(stream, Request).unwrap().ended);
    host.headers(stream, Response, &[(":status", "200")], false).unwrap();
    host.frame(stream, Response, "ab", false).unwrap();
    host.trailers(stream, Response, &[("t", "1")]).unwrap();
    let seen = host.seen(stream, Response).unwrap();
    assert_eq!((&*seen.text(), seen.trailers.len(), seen.ended), ("ab", 1, true));
    let outcome = host.close(stream).unwrap().unwrap();
    assert_eq!((&*outcome.details, outcome.downstream.frames), ("via_upstream", 1));
    assert!(host.seen(stream, Response).is_none() && host.close(stream).unwrap().is_none());

    let stream = host.open();
    host.headers(stream, Response, &[(":status", "200")], false).unwrap();
    host.frame(stream, Response, "ab", true).unwrap();
    assert!(!host.seen(stream, Response).unwrap().ended, "it waits for the answer");
    let fault = host.close(stream).unwrap_err();
    assert_eq!(fault.callback, "proxy_on_log");
    assert!(host.close(stream).unwrap().is_none(), "a fault is told once");
}
