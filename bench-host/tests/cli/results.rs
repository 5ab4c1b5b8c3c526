//! The result file: its keys, and that it is the same every time.

use serde_json::Value;

use super::command::Folder;

/// Every key that scripts may rely on; `*` stands for each phase.
const KEYS: &str = "
    schema
    plugin.path plugin.sha256 plugin.bytes plugin.abi plugin.sdk
    host.profile host.engine host.engine_version host.cpu host.fuel
    traffic.source traffic.requests traffic.chunks traffic.bytes
    requests.completed requests.local_replies requests.failed
    phases.*.calls phases.*.latency_ns phases.*.fuel phases.*.host_calls
    phases.*.bytes_in phases.*.bytes_out phases.*.guest phases.*.pages_grown
    heap.pages_initial heap.pages_final heap.pages_peak
    heap.live_bytes heap.live_peak heap.arena_bytes heap.timeline
    vm.created vm.rebuilds vm.crashes vm.instantiate_ns vm.configure_ns";

const PHASES: [&str; 9] = [
    "request_headers",
    "request_body",
    "request_trailers",
    "response_headers",
    "response_body",
    "response_trailers",
    "done",
    "tick",
    "call_response",
];

fn replay(options: &str) -> Value {
    let folder = Folder::new();
    let arguments =
        format!("replay edit.wasm --traffic traffic.jsonl --json result.json {options}");
    let output = folder.run(&arguments);
    assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{options}");
    serde_json::from_str(&folder.read("result.json")).unwrap()
}

/// Takes away what may differ.
fn same(mut value: Value) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(map) => {
                map.retain(|key, _| !key.ends_with("_ns") && key != "cpu");
                map.values_mut().for_each(strip);
            }
            Value::Array(values) => values.iter_mut().for_each(strip),
            _ => {}
        }
    }
    strip(&mut value);
    value
}

#[test]
fn every_key_is_there() {
    let result = replay("");
    for key in KEYS.split_whitespace() {
        let phases: &[&str] = if key.contains('*') { &PHASES } else { &[""] };
        for phase in phases {
            let pointer = format!("/{}", key.replace('*', phase).replace('.', "/"));
            assert!(result.pointer(&pointer).is_some(), "{pointer} is missing");
        }
    }
    let body = &result["phases"]["request_body"];
    for key in ["mean", "p50", "p90", "p99", "p999", "max"] {
        assert!(body["latency_ns"][key].is_number(), "{key}");
    }
    for key in ["total", "per_call"] {
        assert!(body["fuel"][key].as_f64().unwrap() > 0.0, "{key}");
    }
    assert_eq!(result.get("gate"), None);
}

#[test]
fn numbers_are_those_of_the_traffic() {
    let result = replay("");
    assert_eq!(result["schema"], 1);
    assert_eq!(result["plugin"]["path"], "edit.wasm");
    assert_eq!(result["plugin"]["abi"], "0.2.1");
    assert_eq!(result["host"]["profile"], "envoy");
    assert_eq!(result["traffic"]["requests"], 5);
    assert_eq!(result["requests"]["completed"], 5);
    assert_eq!(result["requests"]["failed"], 0);
    // Two whole bodies, chunks and an empty frame in HTTP/1, an empty body: 1 + 3 + 1 + 1.
    let request = &result["phases"]["request_body"];
    assert_eq!(request["calls"], 6);
    assert_eq!(request["host_calls"]["proxy_get_buffer_bytes"], 6);
    assert_eq!(request["host_calls"]["proxy_set_buffer_bytes"], 6);
    assert_eq!(request["bytes_in"], 11 + 5 + 2);
    assert_eq!(request["bytes_out"], 11 + 5 + 2);
    // Of responses, also an empty chunk in the middle: 1 + 4 + 1 + 1.
    let response = &result["phases"]["response_body"];
    assert_eq!(response["calls"], 7);
    assert_eq!(response["bytes_in"], 10 + 3 + 2);
    assert_eq!(result["traffic"]["chunks"], 6 + 7);
    assert_eq!(result["traffic"]["bytes"], 18 + 15);
    // No such export, and no books.
    assert_eq!(result["phases"]["request_trailers"]["calls"], 0);
    assert_eq!(request["guest"], Value::Null);
    assert_eq!(result["heap"]["live_bytes"], Value::Null);
    assert_eq!(result["heap"]["pages_initial"], 2);
    assert_eq!(result["vm"]["created"], 1);
}

#[test]
fn a_chunk_can_be_a_byte() {
    let result = replay("--chunk 1");
    // Recorded chunks stay as they are; only whole bodies are cut.
    assert_eq!(result["phases"]["request_body"]["calls"], 11 + 3 + 1 + 2);
    assert_eq!(result["phases"]["request_body"]["bytes_in"], 18);
    assert_eq!(result["phases"]["response_body"]["calls"], 10 + 4 + 1 + 2);
    assert_eq!(result["requests"]["completed"], 5);
}

#[test]
fn two_runs_are_equal() {
    for options in [
        "",
        "--no-fuel",
        "--no-wall",
        "--host higress",
        "--chunk 1 --streams 3",
        "--streams 4 --workers 2 --repeat 3",
        "--rate 2000 --repeat 2",
    ] {
        assert_eq!(same(replay(options)), same(replay(options)), "{options}");
    }
}

#[test]
fn repetitions_and_workers_add_up() {
    let once = replay("");
    let often = replay("--streams 4 --workers 2 --repeat 3");
    assert_eq!(often["requests"]["completed"], 15);
    assert_eq!(often["vm"]["created"], 2);
    for (phase, costs) in once["phases"].as_object().unwrap() {
        if ["vm_start", "configure", "context_create"].contains(&phase.as_str()) {
            continue;
        }
        for key in ["calls", "bytes_in", "bytes_out"] {
            let three_times = costs[key].as_u64().unwrap() * 3;
            assert_eq!(often["phases"][phase][key], three_times, "{phase} {key}");
        }
        let three_times = costs["fuel"]["total"].as_u64().unwrap() * 3;
        assert_eq!(often["phases"][phase]["fuel"]["total"], three_times, "{phase}");
    }
}

#[test]
fn what_was_skipped_is_null() {
    let uncounted = replay("--no-fuel");
    assert_eq!(uncounted["host"]["fuel"], false);
    assert_eq!(uncounted["phases"]["request_body"]["fuel"], Value::Null);
    assert!(uncounted["phases"]["request_body"]["latency_ns"].is_object());
    let untimed = replay("--no-wall");
    assert_eq!(untimed["host"]["fuel"], true);
    assert_eq!(untimed["phases"]["request_body"]["latency_ns"], Value::Null);
    assert!(untimed["phases"]["request_body"]["fuel"].is_object());
}
