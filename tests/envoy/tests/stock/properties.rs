//! Every property of `docs/properties.md`, read in three callbacks, in both.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use bench_host::host::decode_pairs;
use bench_host::testing::{Answer, Call, Setup};
use bench_host::traffic::Exchange;
use envoy_tests::{envoy, upstream};
use serde_json::json;

use crate::stage::{Calls, Stage, Written, lines};

/// Reads a property and logs how it went, how long the value is and how it begins.
const READ: &str = r#"
(memory (export "memory") 64)
(func $digit (param $n i32)
    (i32.store8 (global.get $line) (i32.add (local.get $n)
        (select (i32.const 87) (i32.const 48) (i32.gt_u (local.get $n) (i32.const 9)))))
    (global.set $line (i32.add (global.get $line) (i32.const 1))))
(func $hex (param $at i32) (param $len i32)
    (block $end (loop $next
        (br_if $end (i32.eqz (local.get $len)))
        (call $digit (i32.shr_u (i32.load8_u (local.get $at)) (i32.const 4)))
        (call $digit (i32.and (i32.load8_u (local.get $at)) (i32.const 15)))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (local.set $len (i32.sub (local.get $len) (i32.const 1)))
        (br $next))))
(func $property (param $number i32) (param $at i32) (param $len i32) (local $status i32)
    (i64.store (i32.const 0) (i64.const 0))
    (local.set $status (call $proxy_get_property
        (local.get $at) (local.get $len) (i32.const 0) (i32.const 4)))
    (call $number (local.get $number))
    (call $argument (local.get $status))
    (call $argument (i32.load (i32.const 4)))
    (call $text ' ')
    (call $hex (i32.load (i32.const 0)) (select (i32.load (i32.const 4)) (i32.const 1000)
        (i32.lt_u (i32.load (i32.const 4)) (i32.const 1000))))
    (call $flush))
(func (export "proxy_on_context_create") (param i32 i32))
(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (drop (call $proxy_set_property 'NAME' 'v'))
    (call $say 'request_headers') (call $all) (i32.const 0))
(func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
    (call $say 'response_headers') (call $all) (i32.const 0))
(func (export "proxy_on_response_trailers") (param i32 i32) (result i32)
    (call $say 'response_trailers') (call $all) (i32.const 0))
(func (export "proxy_on_log") (param i32) (call $say 'log') (call $all))
(func (export "proxy_on_tick") (param i32)
    (call $say 'tick') (call $all)
    (drop (call $proxy_set_tick_period_milliseconds (i32.const 0))))
(func (export "proxy_on_configure") (param i32 i32) (result i32)
    (call $say 'configure') (call $all)
    (drop (call $proxy_set_tick_period_milliseconds (i32.const 50)))
    (i32.const 1))
"#;

/// The names in the page's table, and some that nobody has.
fn names() -> Vec<String> {
    let page = include_str!("../../../../docs/properties.md");
    let (_, table) = page.split_once("| property | encoding |").unwrap();
    let rows = table.lines().take_while(|line| !line.is_empty());
    let names = rows.filter_map(|row| row.strip_prefix("| `")?.split_once('`'));
    let mut names: Vec<_> = names.map(|(name, _)| name.to_owned()).collect();
    for more in [
        "",
        "request",
        "response",
        "connection",
        "upstream",
        "source",
        "destination",
        "xds",
        "filter_state",
        "nobody",
        "request.nobody",
        "response.nobody",
        "connection.nobody",
        "source.nobody",
        "upstream.nobody",
        "xds.nobody",
        "request.headers.nobody",
        "xds.node.cluster",
    ] {
        names.push(more.to_owned());
    }
    names
}

/// A path with a NUL between segments: where they end is known from the groups.
fn path(name: &str) -> String {
    match name.strip_prefix("filter_state.") {
        Some(key) => format!(r"filter_state\00{key}"),
        None => name.replace('.', r"\00"),
    }
}

/// What was answered in a callback: status, length, how the value begins.
type Answers = BTreeMap<(String, String), Said>;
type Said = (u32, usize, Vec<u8>);

fn answers(names: &[String], log: &[String]) -> Answers {
    let mut callback = "";
    let mut answers = Answers::new();
    for line in log {
        let words: Vec<_> = line.split(' ').collect();
        let [number, status, length, hex] = words[..] else {
            callback = line;
            continue;
        };
        let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        let value = (0..hex.len() / 2).map(|at| digit(2 * at)).collect();
        let name = names[number.parse::<usize>().unwrap()].clone();
        let answer = (status.parse().unwrap(), length.parse().unwrap(), value);
        answers.insert((callback.to_owned(), name), answer);
    }
    answers
}

#[test]
fn properties_are_the_same_in_every_callback() {
    if envoy().is_none() {
        return;
    }
    let names = names();
    let mut body = READ.to_owned();
    body.push_str("(func $all\n");
    for (number, name) in names.iter().enumerate() {
        writeln!(body, "(call $property (i32.const {number}) '{}')", path(name)).unwrap();
    }
    body.push(')');
    let written = Written::new();
    let manager = json!({"generate_request_id": false, "preserve_external_request_id": true});
    let plugin = written.plugin("reader", &body).manager(manager);
    let mut stage = Stage::start(std::slice::from_ref(&plugin), &Calls::default());
    let setup = Setup::new().route("default").cluster("upstream").with(|settings| {
        "reader".clone_into(&mut settings.plugin_root_id);
        "reader".clone_into(&mut settings.vm_id);
        "node-1".clone_into(&mut settings.node.id);
        "gateway".clone_into(&mut settings.node.cluster);
        settings.node.metadata.insert("KEY".to_owned(), json!("v"));
    });
    let mut bench = plugin.bench(&setup);
    bench.run_for(Duration::from_millis(200)).unwrap();
    let start = std::time::Instant::now();
    while !stage.log("reader").iter().any(|line| line == "tick") {
        assert!(start.elapsed() < crate::stage::PATIENCE);
    }
    let answer = Answer::new(200).header("name", "v").chunks(["d", "ef"]).trailer("name", "v");
    let call = Call::post("/a?b=c").header("referer", "r").header("user-agent", "u");
    let call = call.header("x-request-id", "1").header("name", "v").header("name", "w");
    let call = call.header("x-forwarded-proto", "https").chunks(["a", "bc"]).answer(answer);
    stage.send("reader", call.clone(), Duration::ZERO);
    // The client has no TLS.
    let mut exchange = Exchange::from(call.header(upstream::EXCHANGE, "1"));
    exchange.request.headers.replace(":scheme", "http");
    bench.send(exchange.into()).unwrap();
    let (real, ours) = (answers(&names, &stage.log("reader")), answers(&names, &lines(&mut bench)));
    assert_eq!(real.len(), 6 * names.len(), "every property in six callbacks");
    let mut text = String::new();
    for ((callback, name), real) in &real {
        let ours = &ours[&(callback.clone(), name.clone())];
        if !alike(callback, name, real, ours) {
            let show = |said: &Said| (said.0, said.1, said.2.escape_ascii().to_string());
            let (real, ours) = (show(real), show(ours));
            writeln!(text, "{callback} {name}: {real:?} in Envoy, {ours:?} here").unwrap();
        }
    }
    assert!(text.is_empty(), "\n{text}");
}

/// What only a real network has: how long it takes.
const TIMES: [&str; 2] = ["response.backend_latency", "upstream.cx_pool_ready_duration"];

/// Whose bytes depend on the machine and the moment; status and length do not.
const CHANCE: [&str; 10] = [
    "connection.id",
    "connection_id",
    "destination.address",
    "destination.port",
    "request.duration",
    "request.time",
    "source.address",
    "source.port",
    "upstream.local_address",
    "upstream.port",
];

fn alike(callback: &str, name: &str, real: &Said, ours: &Said) -> bool {
    // Envoy adds `date` and `server` behind its filters.
    let added = callback == "log"
        && ["headers", "headers_bytes", "total_size"]
            .iter()
            .any(|of| name.strip_prefix("response.") == Some(of));
    if TIMES.contains(&name) && ours.0 == 1 {
        return true;
    }
    if name.ends_with("headers") || name.ends_with("trailers") {
        let fields = |answer: &Said| {
            let mut fields: Vec<_> = decode_pairs(&answer.2)
                .into_iter()
                .map(|(name, value)| (name.to_vec(), value.to_vec()))
                .filter(|(name, _)| !added || (name != b"date" && name != b"server"))
                .collect();
            fields.sort();
            fields
        };
        return real.0 == ours.0 && fields(real) == fields(ours);
    }
    match name {
        // A port may have fewer digits, Envoy's node lists all its extensions, and only its virtual
        // hosts have names.
        "upstream.address" | "xds.node" | "xds.virtual_host_name" => real.0 == ours.0,
        _ if added => real.0 == ours.0 && real.1 == ours.1,
        _ if CHANCE.contains(&name) => real.0 == ours.0 && real.1 == ours.1,
        _ => real == ours,
    }
}
