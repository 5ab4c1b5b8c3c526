//! Limits of plugins: every one of them can be chosen, and says so when it is met.

use insta::assert_snapshot;

use super::command::{Folder, message};
use super::plugins::{endless, greedy, talking};

const REPLAY: &str = "replay plugin.wasm --traffic synth:upload,size=10 --no-wall";

fn fails(plugin: Vec<u8>, options: &str) -> String {
    let folder = Folder::new();
    folder.write("plugin.wasm", plugin);
    let output = folder.run(&format!("{REPLAY} {options}"));
    assert_eq!(output.code, 4, "{output:?}");
    message(&output)
}

#[test]
fn instructions() {
    assert_snapshot!(fails(endless(), "--max-fuel 12345"), @"
    plugin.wasm: request 0: the plugin failed in proxy_on_request_headers: it took more than 12 345 instructions, the most for one callback (an endless loop?)
       0: function 5
    ");
}

#[test]
fn time() {
    assert_snapshot!(fails(endless(), "--max-fuel 18446744073709551615 --max-time 200ms"), @"
    plugin.wasm: request 0: the plugin failed in proxy_on_request_headers: it ran longer than 0.2 s, the most for one callback (an endless loop?)
       0: function 5
    ");
}

#[test]
fn memory() {
    assert_snapshot!(fails(greedy(), ""), @"
    plugin.wasm: request 0: the plugin failed in proxy_on_request_headers: it aborted (a panic or a failed assertion); its memory could not grow past 1 GiB
       0: more
    ");
    assert_snapshot!(fails(greedy(), "--max-memory 20MiB"), @"
    plugin.wasm: request 0: the plugin failed in proxy_on_request_headers: it aborted (a panic or a failed assertion); its memory could not grow past 20 MiB
       0: more
    ");
}

#[test]
fn log_lines() {
    let folder = Folder::new();
    folder.write("plugin.wasm", talking(5));
    let output = folder.run(&format!("{REPLAY} --max-log-lines 2 --json result.json"));
    assert_eq!(output.code, 0, "{output:?}");
    let result: serde_json::Value = serde_json::from_str(&folder.read("result.json")).unwrap();
    assert_eq!(result["plugin_log"]["lines"].as_array().unwrap().len(), 2);
    assert_eq!(result["plugin_log"]["dropped"], 3);
}
