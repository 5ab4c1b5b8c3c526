//! Plugins that fail: exit code 4, and a message with the callback and the stack.

use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use insta::assert_snapshot;

use super::command::{Folder, message};
use super::plugins::{endless, refusing, trapping};

#[test]
fn a_configuration_that_is_refused() {
    let folder = Folder::new();
    folder.write("plugin.wasm", refusing());
    folder.write("config.json", "{}");
    let replay = "replay plugin.wasm --traffic traffic.jsonl";
    assert_snapshot!(folder.fails(4, &format!("{replay} --config config.json")), @"config.json: the plugin refused its configuration; it logged: no rules in the configuration");
    assert_snapshot!(folder.fails(4, replay), @"the plugin refused its configuration; it logged: no rules in the configuration (there is no --config)");
}

#[test]
fn a_start_that_traps() {
    let folder = Folder::new();
    let replay = "replay plugin.wasm --traffic traffic.jsonl";
    folder.write("plugin.wasm", trapping("_initialize", ""));
    assert_snapshot!(folder.fails(4, replay), @"
    plugin.wasm: the plugin failed in _initialize: it aborted (a panic or a failed assertion)
       0: panic
       1: callback
    ");
    folder.write("plugin.wasm", trapping("proxy_on_configure", "(param i32 i32) (result i32)"));
    assert_snapshot!(folder.fails(4, replay), @"
    plugin.wasm: the plugin failed in proxy_on_configure: it aborted (a panic or a failed assertion)
       0: panic
       1: callback
    ");
}

#[test]
fn a_module_that_does_not_load() {
    let folder = Folder::new();
    let text = r#"(module (import "env" "table" (table 1 funcref)) (memory (export "memory") 1)
        (func (export "proxy_abi_version_0_2_1"))
        (func (export "malloc") (param i32) (result i32) (i32.const 0)))"#;
    folder.write("plugin.wasm", wat::parse_str(text).unwrap());
    assert_snapshot!(folder.fails(4, "replay plugin.wasm --traffic traffic.jsonl"), @"plugin.wasm: the plugin does not load: it imports env.table, which is not a function; hosts give functions only");
}

#[test]
fn a_crash_still_gets_its_table_and_its_result() {
    let folder = Folder::new();
    folder.write(
        "plugin.wasm",
        trapping("proxy_on_request_body", "(param i32 i32 i32) (result i32)"),
    );
    let output = folder.run("replay plugin.wasm --traffic traffic.jsonl --json result.json");
    assert_eq!(output.code, 4);
    assert_snapshot!(message(&output), @"
    plugin.wasm: request 1: the plugin failed in proxy_on_request_body: it aborted (a panic or a failed assertion)
       0: panic
       1: callback
    ");
    assert!(output.stdout.contains("request_body"), "{}", output.stdout);
    assert!(output.stdout.contains("the plugin crashed"), "{}", output.stdout);

    let result: serde_json::Value = serde_json::from_str(&folder.read("result.json")).unwrap();
    assert_eq!(result["vm"]["crashes"], 1);
    assert_eq!(result["vm"]["created"], 1);
    assert_eq!(result["requests"]["failed"], 4);
    assert_eq!(result["requests"]["completed"], 1);
    assert_eq!(result["vm"]["crash_reasons"][0]["callback"], "proxy_on_request_body");
    assert_eq!(result["vm"]["crash_reasons"][0]["stack"][0], "panic");
}

#[test]
fn an_endless_loop_is_stopped_in_both_passes() {
    let folder = Folder::new();
    folder.write("plugin.wasm", endless());
    for options in ["--no-wall", "--no-fuel --max-time 1s", "--max-fuel 1000000"] {
        let arguments = format!("replay plugin.wasm --traffic synth:json {options}");
        let mut child = folder.command(&arguments).stdout(Stdio::null()).spawn().unwrap();
        let begin = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if begin.elapsed() > Duration::from_secs(60) {
                child.kill().unwrap();
                child.wait().unwrap();
                panic!("{options} never ends");
            }
            thread::sleep(Duration::from_millis(50));
        };
        assert_eq!(status.code(), Some(4), "{options}");
    }
}

#[test]
fn a_crash_outside_of_requests_fails_too() {
    let folder = Folder::new();
    folder.write("plugin.wasm", trapping("proxy_on_done", "(param i32) (result i32)"));
    let output = folder.run("replay plugin.wasm --traffic traffic.jsonl --no-wall");
    assert_eq!(output.code, 4);
    assert!(message(&output).contains("proxy_on_done"), "{output:?}");
}
