//! Calls of plugins: what comes back when a service answers, is slow, breaks off or is not there.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use bench_host::testing::{Answer, Call, Setup};
use envoy_tests::envoy;
use serde_json::json;

use crate::stage::{Calls, PATIENCE, Plugin, Stage, Written, lines, same};

const SERVICES: &str = r#"
[cluster.auth]
latency = "10ms"
[[cluster.auth.http]]
match = { header.authorization = "jo" }
headers = { x-user = "jo", x-group = ["a", "b"], x-internal = "no" }
[[cluster.auth.http]]
match = { header.authorization = "broken" }
status = 500
[[cluster.auth.http]]
match = { header.authorization = "slow" }
latency = "5s"
[[cluster.auth.http]]
status = 401
headers = { www-authenticate = "Bearer", content-type = "text/plain", content-length = "12" }
body = "who are you?"

[cluster.also]
latency = "20ms"
[[cluster.also.http]]
match = { header.authorization = "jo", header.cookie = "no" }
status = 403
[[cluster.also.http]]
headers = { x-group = "also" }

[cluster.down]
[[cluster.down.http]]
fail = "connect"

[cluster.gone]
[[cluster.gone.http]]
fail = "disconnect"

[cluster.cut]
[[cluster.cut.http]]
fail = "reset"

[cluster.moderation]
latency = "5ms"
[[cluster.moderation.http]]
match = { body_contains = "bomb" }
json = { flagged = true, category = "violence" }
[[cluster.moderation.http]]
json = { flagged = false }
"#;

/// Serves connections of which each gets these bytes for its request, and is closed.
fn serve(bytes: &'static [u8]) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    // It ends with the process.
    std::thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            let _ = socket.read(&mut [0; 4096]);
            let _ = socket.write_all(bytes);
        }
    });
    port
}

/// Asks the cluster of `x-cluster`, holds the request, and tells all that comes back.
const ASKING: &str = r#"
(func (export "proxy_on_context_create") (param i32 i32))
(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (drop (call $proxy_get_header_map_value (i32.const 0) 'x-cluster' (i32.const 0) (i32.const 4)))
    (i32.store (i32.const 64) (local.get 0))
    (call $status 'call' (call $proxy_http_call
        (i32.load (i32.const 0)) (i32.load (i32.const 4)) PAIRS 'body'
        (i32.const 0) (i32.const 0) (i32.const 300) (i32.const 8)))
    (i32.const 4))
(func (export "proxy_on_http_call_response") (param i32 i32 i32 i32 i32)
    (call $text 'response') (call $argument (local.get 3)) (call $argument (local.get 4))
    (call $flush)
    (call $header (i32.const 6) ':status')
    (call $header (i32.const 6) 'content-length')
    (call $header (i32.const 6) 'content-type')
    (call $header (i32.const 6) 'x-none')
    (call $body (i32.const 4))
    (i64.store (i32.const 16) (i64.const 0))
    (i32.store (i32.const 24) (i32.const 0))
    (call $status 'status' (call $proxy_get_status (i32.const 16) (i32.const 20) (i32.const 24)))
    (call $status 'code' (i32.load (i32.const 16)))
    (call $text 'message ') (call $text (i32.load (i32.const 20)) (i32.load (i32.const 24)))
    (call $flush)
    (call $status 'effective' (call $proxy_set_effective_context (i32.load (i32.const 64))))
    (call $status 'continue' (call $proxy_continue_stream (i32.const 0))))"#;

#[test]
fn what_comes_back_is_what_the_script_says() {
    if envoy().is_none() {
        return;
    }
    let call = [(":method", "POST"), (":path", "/"), (":authority", "a"), ("authorization", "x")];
    let asking = ASKING.replace("PAIRS", &chunkwise_tests::guest::pairs(&call));
    let written = Written::new();
    let asking = written.plugin("asking", &asking);
    let target = |name: &str| json!({"type": "target", "cluster": name, "host": name});
    let auth = Plugin::example("ext-auth");
    let settings = |cluster: &str| {
        json!({
            "service": {"cluster": target(cluster), "path": "/check", "timeout_ms": 300},
            "copy": ["x-user", "x-group"],
        })
    };
    let mut both = settings("auth");
    both["also"] = json!({"cluster": target("also"), "path": "/also", "timeout_ms": 300});
    let mut open = settings("down");
    open["on_failure"] = json!("open");
    let plugins = [
        asking.clone(),
        auth.clone().configured(&settings("auth")).named("auth"),
        auth.clone().configured(&both).named("both"),
        auth.clone().configured(&settings("down")).named("down"),
        auth.clone().configured(&open).named("open"),
        auth.clone().configured(&settings("cut")).named("cut"),
        auth.configured(&settings("gone")).named("gone"),
    ];
    let calls = Calls {
        script: SERVICES,
        served: &["auth", "also"],
        down: &["down"],
        own: &[
            ("gone", serve(b"")),
            ("cut", serve(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nfew")),
        ],
        ..Calls::default()
    };
    let mut stage = Stage::start(&plugins, &calls);
    let setup = Setup::new().upstreams(SERVICES).unwrap();
    let mut differences = Vec::new();
    for cluster in ["auth", "down", "gone", "cut"] {
        let mut bench = asking.bench(&setup);
        let call = Call::post("/").http1().header("x-cluster", cluster).body("question");
        let real = stage.send("asking", call.clone(), Duration::ZERO);
        same(&real, &bench.send(call).unwrap(), cluster);
        if real.log != lines(&mut bench) {
            differences.push((cluster, real.log, lines(&mut bench)));
        }
    }
    assert!(differences.is_empty(), "{differences:#?}");
    for plugin in &plugins[1..] {
        let mut bench = plugin.bench(&setup);
        for user in ["jo", "broken", "slow", "nobody"] {
            let call = Call::get("/a?b=c").http1().header("authorization", user);
            let call = call.header("x-user", "admin").answer(Answer::new(200).body("hello"));
            let denied = call.clone().header("cookie", "no");
            for call in [call, denied] {
                let before = lines(&mut bench).len();
                let real = stage.send(&plugin.name, call.clone(), Duration::ZERO);
                let what = format!("{} {user}", plugin.name);
                same(&real, &bench.send(call).unwrap(), &what);
                assert_eq!(real.log, lines(&mut bench)[before..], "{what}");
            }
        }
    }
    assert_eq!(stage.calls("also"), 8, "each of them was asked once");
}

#[test]
fn a_streamed_answer_is_checked_as_it_comes() {
    if envoy().is_none() {
        return;
    }
    let settings = json!({
        "cluster": {"type": "target", "cluster": "moderation", "host": "m"}, "path": "/check",
        "timeout_ms": 2000, "batch_bytes": 40, "replacement": "Withheld.",
    });
    let plugin = Plugin::example("moderate").configured(&settings);
    let calls = Calls { script: SERVICES, served: &["moderation"], ..Calls::default() };
    let mut stage = Stage::start(std::slice::from_ref(&plugin), &calls);
    let mut bench = plugin.bench(&Setup::new().upstreams(SERVICES).unwrap());
    let event = |text: &str| {
        format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": {"content": text}}]}))
    };
    for texts in [["All is well. ", "Nothing here. ", "Good bye."], ["Fine. ", "A bomb. ", "More."]]
    {
        let mut chunks: Vec<_> = texts.into_iter().map(event).collect();
        chunks.push("data: [DONE]\n\n".to_owned());
        let answer = Answer::new(200).header("content-type", "text/event-stream").chunks(chunks);
        let call = Call::post("/chat").http1().body("{}").answer(answer);
        let real = stage.send("moderate", call.clone(), Duration::from_millis(30));
        same(&real, &bench.send(call).unwrap(), texts[1]);
        assert_eq!(real.down().text().contains("Withheld."), texts[1].contains("bomb"));
    }
    assert_eq!(stage.calls("moderation"), bench.take_callouts().len() as u64);
    assert_eq!(stage.log("moderate"), lines(&mut bench));
}

#[test]
fn a_list_is_fetched_anew_with_every_tick() {
    if envoy().is_none() {
        return;
    }
    // Two VMs ask, that of the worker and that of the main thread.
    let script = r#"
        [cluster.lists]
        [[cluster.lists.http]]
        times = 4
        body = '["127.0.0.1"]'
        [[cluster.lists.http]]
        body = '["10.0.0.1"]'
    "#;
    let settings = json!({
        "service": {"type": "target", "cluster": "lists", "host": "lists"},
        "path": "/refused.json",
        "every_seconds": 1,
    });
    let plugin = Plugin::example("ticks").configured(&settings);
    let calls = Calls { script, served: &["lists"], ..Calls::default() };
    let mut stage = Stage::start(std::slice::from_ref(&plugin), &calls);
    for due in [403, 200] {
        let start = Instant::now();
        let mut seen = None;
        while seen != Some(due) {
            assert!(start.elapsed() < PATIENCE, "{seen:?} instead of {due}");
            let real = stage.send("ticks", Call::get("/").http1(), Duration::ZERO);
            seen = real.down().status();
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    assert!(stage.calls("lists") > 4);

    let setup = Setup::new().upstreams(script).unwrap().property("source.address", "127.0.0.1:1");
    let mut bench = plugin.bench(&setup);
    for due in [403, 200] {
        bench.run_for(Duration::from_millis(3500)).unwrap();
        assert_eq!(bench.send(Call::get("/")).unwrap().downstream.status(), Some(due));
    }
    assert_eq!(stage.log("ticks"), lines(&mut bench));
}
