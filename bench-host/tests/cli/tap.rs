//! Output of Envoy's tap filter as traffic.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::command::Folder;

/// Copies a file or a folder of `tests/tap`.
fn copy(folder: &Folder, name: &str) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tap").join(name);
    if !from.is_dir() {
        fs::copy(&from, folder.path(name)).unwrap();
        return;
    }
    fs::create_dir(folder.path(name)).unwrap();
    for entry in fs::read_dir(&from).unwrap() {
        copy(folder, &format!("{name}/{}", entry.unwrap().file_name().to_str().unwrap()));
    }
}

#[test]
fn mixed_streams_are_replayed() {
    let folder = Folder::new();
    copy(&folder, "mixed.json");
    let output = folder.run("replay edit.wasm --traffic mixed.json --no-wall --outputs out");
    assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{}", output.stdout);
    assert!(output.stdout.contains("mixed.json: 3 requests, "), "{}", output.stdout);
    let index = folder.read("out/index.jsonl");
    let lines: Vec<Value> = index.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["label"], "POST http://api.example.com/trailers");
    let headers = lines[0]["upstream"]["headers"].to_string();
    assert!(headers.starts_with(r#"[[":authority","api.example.com"],[":path","/trailers"]"#));
}

#[test]
fn a_folder_is_one_trace_and_says_what_it_lacks() {
    let folder = Folder::new();
    copy(&folder, "streamed");
    let output = folder.run("replay edit.wasm --traffic streamed --no-wall");
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert!(output.stdout.contains("streamed: 6 requests"), "{}", output.stdout);
    for note in ["was cut off by the tap (max_buffered_rx_bytes)", "in the order of their names"] {
        assert!(output.stdout.contains(note), "{}", output.stdout);
    }
}

#[test]
fn a_folder_with_anything_else_is_refused() {
    let folder = Folder::new();
    fs::create_dir(folder.path("taps")).unwrap();
    assert!(folder.fails(2, "replay edit.wasm --traffic taps").contains("taps: the file is empty"));
    folder.write("taps/.hidden", "anything");
    folder.write("taps/notes.json", "{}");
    insta::assert_snapshot!(folder.fails(2, "replay edit.wasm --traffic taps"), @"traffic file taps/notes.json: a file in a folder that is no output of Envoy's tap filter is not read; name it alone, or move it elsewhere");
}
