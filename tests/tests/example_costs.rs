//! What the examples cost, each with a request that it has nothing to do with and with one that it
//! works on: in exact counters, in `results/examples.csv`.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use bench_host::measure::Phase;
use bench_host::module::Module;
use bench_host::testing::{Answer, Call, Setup, TestHost, TestModule};
use chunkwise_tests::costs::Cost;
use chunkwise_tests::module;
use chunkwise_tests::results::{Results, compiler};

const RESULTS: Results = Results {
    csv: "results/examples.csv",
    page: None,
    test: "example_costs",
    columns: &[
        "plugin",
        "exchange",
        "compiler",
        "module_kib",
        "pages",
        "host_calls",
        "allocations",
        "bytes_allocated",
        "fuel",
    ],
};

/// Exchanges that are sent before one is counted: buffers have been allocated then.
const WARM_UP: usize = 8;

const UPSTREAMS: &str = r#"
[cluster.one]
[[cluster.one.http]]
match = { path = "/auth" }
headers = { x-user = "jo" }
[[cluster.one.http]]
match = { path = "/moderate" }
json = { flagged = false }
[[cluster.one.http]]
json = { paths = ["/shop/"] }
"#;

const CLUSTER: &str = r#"{ "type": "target", "cluster": "one", "host": "one" }"#;

/// A plugin with its configuration, and the exchanges that are counted.
type Case = (&'static str, String, Vec<(&'static str, Call)>);

fn cases() -> Vec<Case> {
    let other = || Call::post("/other").header("content-type", "text/plain").body("text");
    let json = |path| Call::post(path).header("content-type", "application/json");
    let answer = |kind, body: &str| Answer::new(200).header("content-type", kind).body(body);
    let long = format!(r#"{{"model":"m","messages":[{{"content":"{}"}}]}}"#, "x".repeat(100_000));
    let chat = r#"{"model":"m","messages":[{"role":"user","content":"Why?"}]}"#;
    let reply = r#"{"choices":[{"message":{"content":"So."}}]}"#;
    let events = r#"data: {"model":"m","choices":[{"index":0,"delta":{"content":"So."}}]}

data: {"model":"m","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}

data: [DONE]

"#;
    let stream = || Call::get("/").answer(answer("text/event-stream", events));
    let html = || Call::get("/").answer(answer("text/html", "text"));
    let frame = [b'.'; 16 * 1024];
    let frames = |count: usize| Call::post("/").chunks(vec![&frame; count]);
    let service = format!(r#""service": {{"cluster": {CLUSTER}, "path": "/auth"}}"#);
    let by_jo = || Call::get("/").header("authorization", "jo");
    vec![
        (
            "ext-auth",
            format!(r#"{{{service}, "copy": ["x-user"]}}"#),
            vec![("one that is asked about", by_jo())],
        ),
        (
            "ext-auth",
            format!(r#"{{{service}, "copy": ["x-user"], "cache": {{"seconds": 60}}}}"#),
            vec![("a remembered one", by_jo())],
        ),
        (
            "fallback",
            r#"{"path": "/ask", "upstream_path": "/chat", "model": "m", "answer": "?"}"#.into(),
            vec![
                ("another path", other()),
                (
                    "a question",
                    json("/ask")
                        .body(r#"{"question":"Why?"}"#)
                        .answer(answer("application/json", reply)),
                ),
            ],
        ),
        (
            "model-router",
            r#"{"header": "x-model", "models": {"m": {"value": "far"}}}"#.into(),
            vec![
                ("no JSON", other()),
                ("a short body", json("/chat").body(chat)),
                ("a body of 100 KB", json("/chat").body(&long)),
            ],
        ),
        (
            "moderate",
            format!(
                r#"{{"cluster": {CLUSTER}, "path": "/moderate", "batch_bytes": 40,
                     "replacement": "No.", "other": "pass"}}"#
            ),
            vec![("another answer", html()), ("an answer of one batch", stream())],
        ),
        (
            "prompt-guard",
            r#"{"system": "Be kind.", "path": "/chat"}"#.into(),
            vec![
                ("another path", other()),
                ("a short body", json("/chat").body(chat)),
                ("a body of 100 KB", json("/chat").body(&long)),
            ],
        ),
        (
            "rebuild",
            format!(r#"{{"cluster": {CLUSTER}, "tenants": 5}}"#),
            vec![("a known tenant", Call::get("/shop/1").header("x-tenant", "jo"))],
        ),
        (
            "token-count",
            String::new(),
            vec![("another answer", html()), ("an answer of three events", stream())],
        ),
        (
            "upload-scan",
            r#"{"signatures": [{"name": "a worm", "hex": "776f726d"}], "max_bytes": 67108864}"#
                .into(),
            vec![("no body", Call::get("/")), ("512 KiB", frames(32)), ("2 MiB", frames(128))],
        ),
    ]
}

#[test]
fn the_examples_cost_what_the_results_say() {
    let mut rows = Vec::new();
    for (example, configuration, exchanges) in cases() {
        let path = module(example);
        let facts = Module::read(&path).unwrap();
        let plugin = TestModule::read(&path).unwrap();
        // Not bytes: the paths of sources that are in a module differ from machine to machine.
        let size = facts.facts.bytes.div_ceil(1024);
        for (name, call) in exchanges {
            let (cost, pages) = cost(&plugin, &configuration, &call);
            rows.push(format!(
                "{example},{name},{},{size},{pages},{},{},{},{}",
                compiler(&facts),
                cost.host_calls,
                cost.allocations,
                cost.bytes_allocated,
                cost.fuel,
            ));
        }
    }
    RESULTS.check(&rows);
}

/// What one exchange costs from the first callback to the last, and the VM's pages after it.
fn cost(plugin: &TestModule, configuration: &str, call: &Call) -> (Cost, u64) {
    let setup = Setup::new().higress().allow_stop_iteration().upstreams(UPSTREAMS).unwrap();
    let mut host = setup.module(plugin, configuration).unwrap();
    for _ in 0..WARM_UP {
        send(&mut host, call);
    }
    let before = Cost::of(host.ledger(), &Phase::ALL);
    send(&mut host, call);
    let cost = Cost::of(host.ledger(), &Phase::ALL) - before;
    (cost, host.proxy().guest().heap().pages)
}

fn send(host: &mut TestHost, call: &Call) {
    let outcome = host.send(call.clone()).unwrap();
    let status = outcome.downstream.header(":status");
    assert_eq!(status.as_deref(), Some("200"), "{outcome:?}\n{:?}", host.log());
    assert!(outcome.downstream.ended && outcome.stalled.is_none(), "{outcome:?}");
}
