//! What the answers of callbacks do to headers and frames under ABI 0.2.1, with
//! `allow_on_headers_stop_iteration` and without it.

use std::time::Duration;

use bench_host::testing::{Answer, Call, Setup};
use envoy_tests::envoy;
use serde_json::json;

use crate::stage::{Calls, Plugin, Stage, Written, lines, same};

/// Answers callbacks by the digits of `x-plan`, one after the other, and 0 when there are no more.
/// `x-resume` resumes that half of the stream, by the digit, when a call is answered, which is long
/// after all frames have come.
const PLANNED: &str = r#"
(global $next (mut i32) (i32.const 0))
(global $end (mut i32) (i32.const 0))
(global $resume (mut i32) (i32.const 9))
(func $planned (result i32) (local $digit i32)
    (if (i32.lt_u (global.get $next) (global.get $end)) (then
        (local.set $digit (i32.sub (i32.load8_u (global.get $next)) (i32.const 48)))
        (global.set $next (i32.add (global.get $next) (i32.const 1)))))
    (call $text ' ->') (call $argument (local.get $digit)) (call $flush)
    (local.get $digit))
(func (export "proxy_on_context_create") (param i32 i32))
(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (drop (call $proxy_get_header_map_value (i32.const 0) 'x-plan' (i32.const 0) (i32.const 4)))
    (global.set $next (i32.load (i32.const 0)))
    (global.set $end (i32.add (i32.load (i32.const 0)) (i32.load (i32.const 4))))
    (i32.store (i32.const 64) (local.get 0))
    (if (i32.eqz (call $proxy_get_header_map_value
            (i32.const 0) 'x-resume' (i32.const 0) (i32.const 4)))
        (then
            (global.set $resume (i32.sub (i32.load8_u (i32.load (i32.const 0))) (i32.const 48)))
            (drop (call $proxy_http_call 'later' PAIRS (i32.const 0) (i32.const 0)
                (i32.const 0) (i32.const 0) (i32.const 5000) (i32.const 8)))))
    (call $text 'request_headers') (call $argument (local.get 2)) (call $planned))
(func (export "proxy_on_request_body") (param i32 i32 i32) (result i32)
    (call $body (i32.const 0))
    (call $text 'request_body') (call $argument (local.get 1)) (call $argument (local.get 2))
    (call $planned))
(func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
    (call $text 'response_headers') (call $argument (local.get 2)) (call $planned))
(func (export "proxy_on_response_body") (param i32 i32 i32) (result i32)
    (call $body (i32.const 1))
    (call $text 'response_body') (call $argument (local.get 1)) (call $argument (local.get 2))
    (call $planned))
(func (export "proxy_on_http_call_response") (param i32 i32 i32 i32 i32)
    (drop (call $proxy_set_effective_context (i32.load (i32.const 64))))
    (call $status 'resume' (call $proxy_continue_stream (global.get $resume))))"#;

const SERVICES: &str = r#"
[cluster.later]
latency = "400ms"
[[cluster.later.http]]
body = "now"
"#;

#[test]
fn answers_do_to_frames_what_the_bench_host_says() {
    if envoy().is_none() {
        return;
    }
    let call = [(":method", "GET"), (":path", "/"), (":authority", "a")];
    let planned = PLANNED.replace("PAIRS", &chunkwise_tests::guest::pairs(&call));
    let written = Written::new();
    let idle = json!({"stream_idle_timeout": "0.7s"});
    let plugins = [
        written.plugin("planned", &planned).manager(idle.clone()),
        written.plugin("allowed", &planned).manager(idle).allow(),
    ];
    let calls = Calls { script: SERVICES, served: &["later"], ..Calls::default() };
    let mut stage = Stage::start(&plugins, &calls);
    let setup = Setup::new().upstreams(SERVICES).unwrap();
    let mut differences = Vec::new();
    for plugin in &plugins {
        // Callbacks in their order: request headers, three chunks and the end of the body.
        for (plan, resume) in [
            ("0000", None),
            ("01110", None),
            ("02220", None),
            ("03330", None),
            ("03010", None),
            ("01010", None),
            ("02010", None),
            ("10000", Some("0")),
            ("11110", Some("0")),
            ("20000", Some("0")),
            ("30000", Some("0")),
            ("40000", Some("0")),
            ("31110", Some("0")),
            ("41111", Some("0")),
            ("01111", Some("0")),
            ("02222", Some("0")),
            ("03333", Some("0")),
            // The response's three chunks and its end follow the request's five callbacks.
            ("0000001110", None),
            ("0000002220", None),
            ("0000003330", None),
            ("0000003010", None),
            ("000001", None),
            ("0000010000", Some("1")),
            ("0000030000", Some("1")),
            ("0000040000", Some("1")),
            ("0000001111", Some("1")),
        ] {
            let answer = Answer::new(200).header("x-of", "upstream").chunks(["d", "ef", "g"]);
            let call = Call::post("/").http1().chunks(["a", "bc", "d"]).answer(answer);
            let call = call.header("x-plan", plan);
            let call = match resume {
                Some(half) => call.header("x-resume", half),
                None => call,
            };
            // On a busy machine two chunks may arrive as one.
            let mut played = played(&mut stage, plugin, &setup, &call);
            for _ in 0..4 {
                if played.is_ok() {
                    break;
                }
                played = self::played(&mut stage, plugin, &setup, &call);
            }
            differences.extend(played.err().map(|what| format!("{plan} {resume:?}: {what}")));
        }
    }
    assert!(differences.is_empty(), "{}:\n{}", differences.len(), differences.join("\n"));
}

/// Sends a request in both, and says what is different.
fn played(stage: &mut Stage, plugin: &Plugin, setup: &Setup, call: &Call) -> Result<(), String> {
    let mut bench = plugin.bench(setup);
    let outcome = bench.send(call.clone()).unwrap();
    let real = stage.send(&plugin.name, call.clone(), Duration::from_millis(30));
    // An answer that this stream did not wait for must not resume the next one.
    std::thread::sleep(Duration::from_millis(500));
    let (log, ours) = (&real.log, lines(&mut bench));
    let stalls = outcome.stalled.is_some();
    // The reply of the idle timeout passes the plugin's callbacks as well.
    let alike = if stalls { log.starts_with(&ours) } else { *log == ours };
    if !alike || stalls != real.details().contains("timeout") {
        return Err(format!("{} {} {log:#?} {ours:#?}", plugin.name, real.line));
    }
    if !stalls {
        same(&real, &outcome, &plugin.name);
    }
    Ok(())
}
