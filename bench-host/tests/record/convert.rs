//! Traces made of other traces.

use std::fs;

use super::recorder::command;

const HAR: &str = r#"{"log": {"entries": [
    {"request": {"method": "GET", "url": "http://a/?token=S3CRET",
        "headers": [{"name": "Authorization", "value": "S3CRET"}]},
     "response": {"status": 200, "content": {"text": "hi"}}}]}}"#;

#[test]
fn several_become_one_and_a_trace_can_replace_itself() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("site.har"), HAR).unwrap();
    fs::write(folder.path().join("t.jsonl"), "{\"response\": {\"body\": [\"a\", \"b\"]}}").unwrap();
    let output = command(&folder)
        .args(["record", "site.har", "t.jsonl", "--out", "t.jsonl"])
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    insta::assert_snapshot!(stderr, @r"
    recorded 2 exchanges in t.jsonl; 2 values redacted
    note: bodies are not redacted; look for secrets in them before you share the trace
    ");
    assert_eq!(output.status.code(), Some(0));
    let trace = fs::read_to_string(folder.path().join("t.jsonl")).unwrap();
    insta::assert_snapshot!(trace, @r#"
    {"request":{"method":"GET","scheme":"http","authority":"a","path":"/?token=[redacted]","headers":[["authorization","[redacted]"]]},"response":{"status":200,"body":"hi"},"http":"1.1"}
    {"request":{"method":"GET","scheme":"https","authority":"example.com","path":"/"},"response":{"status":200,"body":["a","b"]},"http":"1.1"}
    "#);
}

#[test]
fn messages() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("broken"), "{\"request\": {}}\n{]").unwrap();
    let said = |arguments: &str| {
        let output = command(&folder).arg("record").args(arguments.split(' ')).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments}");
        assert!(!folder.path().join("t").exists());
        String::from_utf8(output.stderr).unwrap().lines().next().unwrap().to_owned()
    };
    insta::assert_snapshot!(said("broken --out t"), @"error: traffic file broken, line 2, column 2: key must be a string");
    insta::assert_snapshot!(said("missing --out t"), @"error: traffic file missing: cannot be read: No such file or directory (os error 2)");
    insta::assert_snapshot!(said("--out t"), @"error: the following required arguments were not provided:");
    insta::assert_snapshot!(said("--upstream https://a --out t"), @"error: invalid value 'https://a' for '--upstream <URL>': an upstream is spoken to without TLS: name its port without TLS, or put a proxy in between that adds TLS");
    insta::assert_snapshot!(said("--upstream http://a/b --out t"), @"error: invalid value 'http://a/b' for '--upstream <URL>': only scheme, host and port are taken: paths and queries pass as they come");
    insta::assert_snapshot!(said("--upstream a:80 --out t"), @"error: invalid value 'a:80' for '--upstream <URL>': not a URL such as http://127.0.0.1:8080");
    insta::assert_snapshot!(said("a.har --upstream http://a --out t"), @"error: the argument '[FILE]...' cannot be used with '--upstream <URL>'");
    insta::assert_snapshot!(said("a.har --requests 5 --out t"), @"error: the argument '[FILE]...' cannot be used with '--requests <N>'");
    insta::assert_snapshot!(said("--upstream http://a --for 5 --out t"), @"error: invalid value '5' for '--for <TIME>': not a time; write a whole number and s, m or h, such as 30s");
    insta::assert_snapshot!(said("synth:upload,size=1GiB --out t"), @"left out: POST https://synth.example/upload: request: a generated body of 1073741824 bytes is too long to be written down; replay its `synth:` notation instead");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let output =
        command(&folder).args(["record", "synth:sse", "--out", "/dev/full"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said, "error: cannot write /dev/full: No space left on device (os error 28)\n");
}
