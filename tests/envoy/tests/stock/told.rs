//! What operators see of a plugin: metrics, details of its replies, attributes in the access log.

use std::time::{Duration, Instant};

use bench_host::host::Reading;
use bench_host::testing::{Answer, Call, Setup, TestHost};
use envoy_tests::envoy;
use serde_json::{Value, json};

use crate::stage::{Calls, PATIENCE, Plugin, Stage, Written, lines, same};

/// Replies with details that a header of the request names.
const REPLIES: &str = r#"
(func (export "proxy_on_context_create") (param i32 i32))
(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (drop (call $proxy_get_header_map_value (i32.const 0) 'x-details' (i32.const 0) (i32.const 4)))
    (drop (call $proxy_send_local_response (i32.const 403)
        (i32.load (i32.const 0)) (i32.load (i32.const 4))
        'no' (i32.const 0) (i32.const 0) (i32.const -1)))
    (i32.const 1))"#;

#[test]
fn details_of_a_reply_are_the_plugins_own_words() {
    if envoy().is_none() {
        return;
    }
    let written = Written::new();
    let plugin = written.plugin("replies", REPLIES);
    let mut stage = Stage::start(std::slice::from_ref(&plugin), &Calls::default());
    let mut bench = plugin.bench(&Setup::new());
    for (said, shown) in [
        ("plain", json!("plain")),
        ("not on the list", json!("not_on_the_list")),
        ("a\tb", json!("a_b")),
        (r#""quoted" \ 'it'"#, json!(r#""quoted"_\_'it'"#)),
        ("ünïcode", json!("ünïcode")),
        ("", json!("")),
    ] {
        let call = Call::get("/").http1().header("x-details", said);
        let real = stage.send("replies", call.clone(), Duration::ZERO);
        assert_eq!(real.line["details"], shown, "{said}");
        same(&real, &bench.send(call).unwrap(), said);
    }
}

#[test]
fn metrics_have_their_names_in_the_scope_of_wasm() {
    if envoy().is_none() {
        return;
    }
    let quota = json!({"requests": 2, "per_seconds": 3600, "header": "x-key"});
    let quota = Plugin::example("quota").configured(&quota);
    let count = Plugin::example("token-count");
    let attributes = ["ai_log"];
    let calls = Calls { attributes: &attributes, ..Calls::default() };
    let mut stage = Stage::start(&[quota.clone(), count.clone()], &calls);
    let mut bench = quota.bench(&Setup::new());
    for _ in 0..3 {
        let call = || Call::get("/").http1().header("x-key", "me");
        let real = stage.send("quota", call(), Duration::ZERO);
        let outcome = bench.send(call()).unwrap();
        assert_eq!(real.down().status(), outcome.downstream.status());
        assert_eq!(real.details(), outcome.details);
    }
    let mut counting = count.bench(&Setup::new());
    let usage = r#"data: {"model":"gpt-4o","usage":{"prompt_tokens":3,"completion_tokens":4}}"#;
    let answer = Answer::new(200)
        .header("content-type", "text/event-stream")
        .chunks([&format!("{usage}\n\n"), "data: [DONE]\n\n"]);
    let call = Call::post("/").http1().body("{}").answer(answer);
    let real = stage.send("token-count", call.clone(), Duration::from_millis(20));
    let outcome = counting.send(call).unwrap();
    same(&real, &outcome, "token-count");
    // The line is JSON, and so is the text in it, escaped as Higress's log format wants it.
    let logged = |text: &str| {
        let text: String = serde_json::from_str(&format!("\"{text}\"")).unwrap();
        let mut logged: Value = serde_json::from_str(&text).unwrap();
        for time in ["llm_first_token_duration", "llm_service_duration"] {
            assert!(logged[time].take().is_u64());
        }
        logged
    };
    let ours = logged(&outcome.state("ai_log").unwrap());
    assert_eq!(logged(real.line["ai_log"].as_str().unwrap()), ours);
    assert_eq!((&ours["input_token"], &ours["model"]), (&json!(3), &json!("gpt-4o")));
    for host in [&mut bench, &mut counting] {
        same_metrics(&stage, host);
    }
    assert_eq!(stage.gateway.stat("wasmcustom.quota.denied").unwrap(), 1);
    assert_eq!(stage.gateway.stat("wasmcustom.token_count.gpt-4o.output").unwrap(), 4);
    // Prometheus gets them without the scope.
    let prometheus = stage.gateway.admin("/stats/prometheus?usedonly").unwrap();
    for line in ["quota_denied{} 1", "token_count_gpt_4o_output{} 4"] {
        assert!(prometheus.lines().any(|shown| shown == line), "{line}: {prometheus}");
    }
}

/// Every metric of a plugin has the same value in Envoy, behind the name of the scope.
fn same_metrics(stage: &Stage, host: &mut TestHost) {
    let stats = stats(stage);
    for (kind, name, value) in host.proxy().host().metrics.iter() {
        let name = format!("wasmcustom.{}: ", String::from_utf8_lossy(name));
        let line = stats.lines().find_map(|line| line.strip_prefix(&name));
        let line = line.unwrap_or_else(|| panic!("no {name}\n{stats}"));
        match value {
            Reading::Number(number) => assert_eq!(line, number.to_string(), "{kind:?} {name}"),
            Reading::Histogram(histogram) => {
                let has_values = line.trim_start().starts_with("P0(");
                assert_eq!(has_values, histogram.count > 0, "{name}{line}");
            }
        }
    }
}

/// All that Envoy counts. Workers hand over histograms with the first question, for the next.
fn stats(stage: &Stage) -> String {
    let start = Instant::now();
    loop {
        let stats = stage.gateway.admin("/stats?histogram_buckets=summary").unwrap();
        let due = |line: &str| line.starts_with("wasmcustom") && line.contains("No recorded");
        if !stats.lines().any(due) || start.elapsed() > PATIENCE {
            return stats;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Metrics of every kind.
const METRICS: &str = r#"
(func $metric (param $kind i32) (param $at i32) (param $len i32) (param $add i64) (param $set i64)
    (local $id i32)
    (call $status 'define' (call $proxy_define_metric
        (local.get $kind) (local.get $at) (local.get $len) (i32.const 64)))
    (local.set $id (i32.load (i32.const 64)))
    (call $status 'add' (call $proxy_increment_metric (local.get $id) (local.get $add)))
    (call $status 'subtract' (call $proxy_increment_metric (local.get $id) (i64.const -2)))
    (call $status 'record' (call $proxy_record_metric (local.get $id) (local.get $set)))
    (i64.store (i32.const 72) (i64.const 0))
    (call $status 'get' (call $proxy_get_metric (local.get $id) (i32.const 72)))
    (call $status 'value' (i32.load (i32.const 72))))
(func (export "proxy_on_context_create") (param i32 i32))
(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (call $metric (i32.const 0) 'own.counter' (i64.const 5) (i64.const 3))
    (call $metric (i32.const 1) 'own.gauge' (i64.const 5) (i64.const 9))
    (call $metric (i32.const 2) 'own.histogram' (i64.const 5) (i64.const 30))
    (call $metric (i32.const 0) 'own.with space "and" more' (i64.const 1) (i64.const 1))
    (call $metric (i32.const 0) 'own.counter' (i64.const 1) (i64.const 1))
    (call $metric (i32.const 1) 'own.below' (i64.const 1) (i64.const -1))
    (call $metric (i32.const 7) 'own.of no kind' (i64.const 1) (i64.const 1))
    (i32.const 0))"#;

#[test]
fn metrics_of_every_kind_count_alike() {
    if envoy().is_none() {
        return;
    }
    let written = Written::new();
    let plugin = written.plugin("metrics", METRICS);
    let mut stage = Stage::start(std::slice::from_ref(&plugin), &Calls::default());
    let mut bench = plugin.bench(&Setup::new());
    for _ in 0..2 {
        stage.send("metrics", Call::get("/").http1(), Duration::ZERO);
        bench.send(Call::get("/").http1()).unwrap();
    }
    assert_eq!(stage.log("metrics"), lines(&mut bench));
    same_metrics(&stage, &mut bench);
}

/// What is set as a property, by its name, and how the line of JSON shows it.
const ATTRIBUTES: [(&str, &str, Option<&str>); 8] = [
    ("plain", "text", Some("text")),
    ("quoted", r#""a" b"#, Some(r#""a" b"#)),
    ("lines", r"a\0ab\0d\09c", Some("a\nb\r\tc")),
    ("unicode", "ünïcode", Some("ünïcode")),
    ("backslash", r"a\5cb", Some(r"a\b")),
    ("nothing", "", Some("")),
    ("nul", r"a\00b\1f", Some("a\0b\x1f")),
    ("no_utf8", r"\c3\bc\ff\feb", None),
];

#[test]
fn attributes_of_any_bytes_reach_the_access_log() {
    if envoy().is_none() {
        return;
    }
    let sets = ATTRIBUTES
        .map(|(name, value, _)| format!("(drop (call $proxy_set_property '{name}' '{value}'))\n"));
    let body = format!(
        "(func (export \"proxy_on_context_create\") (param i32 i32))
        (func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32)
        {} (i32.const 0))",
        sets.concat()
    );
    let written = Written::new();
    let plugin = written.plugin("attributes", &body);
    let mut names: Vec<_> = ATTRIBUTES.iter().map(|(name, ..)| *name).collect();
    names.push("never_set");
    let mut stage = Stage::start(
        std::slice::from_ref(&plugin),
        &Calls { attributes: &names, ..Calls::default() },
    );
    let mut bench = plugin.bench(&Setup::new());
    let real = stage.send("attributes", Call::get("/").http1(), Duration::ZERO);
    let outcome = bench.send(Call::get("/").http1()).unwrap();
    for (name, _, shown) in ATTRIBUTES {
        let Some(shown) = shown else { continue };
        assert_eq!(real.line[name], shown, "{name}");
        assert_eq!(outcome.state(name).unwrap(), shown, "{name}");
    }
    // What is no UTF-8 is shown byte by byte, as Latin-1 would be.
    assert_eq!(real.line["no_utf8"], "Ã¼ÿþb");
    assert_eq!(real.line["never_set"], json!(null));
}
