//! What goes where: files, stdout, stderr.

use std::collections::BTreeSet;
use std::fs;
use std::process::Stdio;

use serde_json::{Value, json};

use super::command::Folder;

const REPLAY: &str = "replay edit.wasm --traffic traffic.jsonl";

#[test]
fn results_go_to_stdout_and_nothing_else_does() {
    let folder = Folder::new();
    let output = folder.run(REPLAY);
    assert_eq!((output.code, output.stderr.as_str()), (0, ""));
    assert!(output.stdout.contains("request_body"), "{}", output.stdout);
    assert!(!output.stdout.contains('\u{1b}'), "no colours outside of a terminal");
    let inspected = folder.run("inspect edit.wasm");
    assert_eq!((inspected.code, inspected.stderr.as_str()), (0, ""));
    assert!(inspected.stdout.contains("proxy_on_request_body"));
}

#[test]
fn help_and_version_are_results() {
    for arguments in ["--help", "--version", "replay --help"] {
        let output = Folder::new().run(arguments);
        assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{arguments}");
        assert!(!output.stdout.is_empty());
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let folder = Folder::new();
    for arguments in [REPLAY, "inspect edit.wasm"] {
        let mut child = folder
            .command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{arguments}");
        assert_eq!(output.status.code(), Some(0), "{arguments}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_our_own_failure() {
    let folder = Folder::new();
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output = folder.command("inspect edit.wasm").stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.starts_with("error: cannot write"), "{stderr}");
}

#[test]
fn files_that_cannot_be_written_are_named() {
    let folder = Folder::new();
    folder.write("file", "");
    for (option, named) in [
        ("--json missing/result.json", "missing/result.json"),
        ("--json .", "."),
        ("--outputs file", "file"),
        ("--outputs file/below", "file/below"),
    ] {
        let output = folder.run(&format!("{REPLAY} {option}"));
        assert_eq!(output.code, 2, "{option}");
        let named = format!("cannot write {named}: ");
        assert!(super::command::message(&output).starts_with(&named), "{option}: {output:?}");
    }
}

#[test]
fn outputs_are_what_both_sides_received() {
    let folder = Folder::new();
    let output = folder.run(&format!("{REPLAY} --outputs out"));
    assert_eq!((output.code, output.stderr.as_str()), (0, ""));
    let bodies =
        [("", ""), ("HELLO WORLD", "HELLO, YOU"), ("ABCDE", "FGH"), ("", ""), ("AB", "CD")];
    let mut expected = BTreeSet::from(["index.jsonl".to_owned()]);
    for (number, (upstream, downstream)) in bodies.into_iter().enumerate() {
        for (side, body) in [("upstream", upstream), ("downstream", downstream)] {
            let name = format!("{number:06}.{side}.body");
            assert_eq!(folder.read(&format!("out/{name}")), body, "{name}");
            expected.insert(name);
        }
    }
    let entries = fs::read_dir(folder.path("out")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.collect::<BTreeSet<_>>(), expected);

    let index = folder.read("out/index.jsonl");
    let lines: Vec<Value> = index.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 5);
    assert_eq!(
        lines[4],
        json!({
            "request": 4,
            "label": "GET https://example.com/trailers",
            "upstream": {
                "file": "000004.upstream.body",
                "headers": [
                    [":method", "GET"],
                    [":scheme", "https"],
                    [":authority", "example.com"],
                    [":path", "/trailers"]
                ],
                "body_bytes": 2,
                "trailers": [["t", "1"]],
                "ended": true
            },
            "downstream": {
                "file": "000004.downstream.body",
                "headers": [[":status", "200"]],
                "body_bytes": 2,
                "trailers": [["grpc-status", "0"]],
                "ended": true
            }
        })
    );
}

#[test]
fn outputs_do_not_depend_on_chunks_streams_and_passes() {
    let folder = Folder::new();
    let sorted = |name: &str| {
        let index = folder.read(&format!("{name}/index.jsonl"));
        index.lines().map(str::to_owned).collect::<BTreeSet<_>>()
    };
    folder.run(&format!("{REPLAY} --outputs plain"));
    for (number, options) in
        ["--chunk 1", "--streams 4", "--workers 2", "--no-fuel", "--no-wall"].iter().enumerate()
    {
        let name = format!("out{number}");
        let output = folder.run(&format!("{REPLAY} --outputs {name} {options}"));
        assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{options}");
        assert_eq!(sorted(&name), sorted("plain"), "{options}");
        for body in ["000001.upstream.body", "000002.downstream.body"] {
            let [one, other] = ["plain", &name].map(|name| folder.read(&format!("{name}/{body}")));
            assert_eq!(one, other, "{options}");
        }
    }
}
