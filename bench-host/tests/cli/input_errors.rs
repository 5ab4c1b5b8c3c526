//! Bad usage and bad input: exit code 2, and one message that names the file, the place and the
//! reason.

use insta::assert_snapshot;

use super::command::Folder;
use super::plugins::idle;

/// What `replay` says of a plugin file with this content.
fn plugin(content: &[u8]) -> String {
    let folder = Folder::new();
    folder.write("plugin.wasm", content);
    let said = folder.fails(2, "replay plugin.wasm --traffic traffic.jsonl");
    assert!(said.contains("plugin.wasm"), "{said}");
    said
}

#[test]
fn a_plugin_that_is_not_there() {
    let said = Folder::new().fails(2, "replay missing.wasm --traffic traffic.jsonl");
    assert_snapshot!(said, @"there is no file missing.wasm");
    assert_eq!(Folder::new().fails(2, "inspect missing.wasm"), said);
}

#[test]
fn a_plugin_that_is_a_folder() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("plugin.wasm")).unwrap();
    assert_snapshot!(folder.fails(2, "replay plugin.wasm --traffic traffic.jsonl"), @"cannot read plugin.wasm: Is a directory (os error 21)");
}

#[test]
fn plugins_that_are_something_else() {
    assert_snapshot!(plugin(b""), @"plugin.wasm is not a wasm module: the file is empty");
    assert_snapshot!(plugin(b"fn main() {}\n"), @r#"plugin.wasm is not a wasm module: it is text that starts with "fn main() {}""#);
    assert_snapshot!(plugin(b"(module)"), @"plugin.wasm is not a wasm module: it is WebAssembly text: make a binary of it first, `wasm-tools parse plugin.wat -o plugin.wasm` or `wat2wasm plugin.wat`");
    assert_snapshot!(plugin(b"\x1f\x8b\x08\0\0\0\0\0\0\x03"), @"plugin.wasm is not a wasm module: it is compressed with gzip, as the layers of an OCI image are: take the plugin out of it first, `tar -xzf <file>`, or `gunzip` where it is no archive");
    assert_snapshot!(plugin(b"\x7fELF\x02\x01\x01\0"), @"plugin.wasm is not a wasm module: it is a native ELF binary: build the plugin for a wasm target, `cargo build --target wasm32-wasip1`");
    assert_snapshot!(plugin(b"\x01\x02\x03\xff"), @"plugin.wasm is not a wasm module: it starts with the bytes 01 02 03 ff, and a wasm file with 00 61 73 6d");
    let component = wat::parse_str("(component)").unwrap();
    assert_snapshot!(plugin(&component), @"plugin.wasm is a wasm component, and proxies load core modules: build for wasm32-wasip1 instead of wasm32-wasip2, or leave out the step that wraps the module in a component");
}

#[test]
fn a_plugin_that_is_cut_short() {
    let whole = idle("0_2_1");
    assert_snapshot!(plugin(&whole[..whole.len() - 1]), @"plugin.wasm is not a valid wasm module: unexpected end-of-file at byte 239 of 261 (the file seems to be cut short: copy or build it again)");
    assert_snapshot!(plugin(&whole[..whole.len() / 2]), @"plugin.wasm is not a valid wasm module: unexpected end-of-file at byte 124 of 131 (the file seems to be cut short: copy or build it again)");
    assert_snapshot!(plugin(&whole[..6]), @"plugin.wasm is not a wasm module: it ends after 6 of the 8 bytes that start a wasm file: copy or build it again");
}

#[test]
fn a_module_that_is_no_plugin_is_inspected_and_not_run() {
    let folder = Folder::new();
    let module = r#"(module (memory (export "memory") 1) (func (export "add")))"#;
    folder.write("module.wasm", wat::parse_str(module).unwrap());
    assert_snapshot!(folder.fails(2, "replay module.wasm --traffic traffic.jsonl"), @"module.wasm: the module exports no ABI marker such as `proxy_abi_version_0_2_1`: link a proxy-wasm SDK, and build a `cdylib` so that the linker keeps its exports");
    for arguments in ["inspect module.wasm", "inspect --json module.wasm"] {
        let inspected = folder.run(arguments);
        assert_eq!((inspected.code, inspected.stderr.as_str()), (0, ""));
        assert!(inspected.stdout.contains("add"));
    }
}

#[test]
fn the_abi_of_higress_needs_the_host_of_higress() {
    let folder = Folder::new();
    folder.write("plugin.wasm", idle("0_2_100"));
    assert_snapshot!(folder.fails(2, "replay plugin.wasm --traffic traffic.jsonl"), @"plugin.wasm: it declares ABI 0.2.100, which a stock Envoy does not load; use --host higress, or build the plugin without that ABI");
    let accepted = folder.run("replay plugin.wasm --traffic traffic.jsonl --host higress");
    assert_eq!((accepted.code, accepted.stderr.as_str()), (0, ""));
    assert!(accepted.stdout.contains("0.2.100"));
}

/// What `replay` says of a traffic file with this content.
fn traffic(content: &[u8]) -> String {
    let folder = Folder::new();
    folder.write("trace", content);
    let said = folder.fails(2, "replay edit.wasm --traffic trace");
    assert!(said.contains("trace"), "{said}");
    said
}

#[test]
fn traffic_that_is_not_there() {
    assert_snapshot!(Folder::new().fails(2, "replay edit.wasm --traffic missing.har"), @"traffic file missing.har: cannot be read: No such file or directory (os error 2)");
    assert_snapshot!(Folder::new().fails(2, "replay edit.wasm"), @"
    the following required arguments were not provided:
      --traffic <FILE>

    Usage: bench-host replay --traffic <FILE> <PLUGIN>

    For more information, try '--help'.
    ");
}

#[test]
fn traffic_that_is_no_trace() {
    assert_snapshot!(traffic(b""), @"traffic file trace: the file is empty; a trace is a HAR file (an object with `log`), JSON lines (objects with `request` and `response`) or output of Envoy's tap filter");
    assert_snapshot!(traffic(b"# nothing but this\n\n"), @"traffic file trace: the file is empty; a trace is a HAR file (an object with `log`), JSON lines (objects with `request` and `response`) or output of Envoy's tap filter");
    assert_snapshot!(traffic(br#"{"name": "x", "version": 1}"#), @"traffic file trace: not a trace but a JSON object with `name`, `version`; a trace is a HAR file (an object with `log`), JSON lines (objects with `request` and `response`) or output of Envoy's tap filter");
    assert_snapshot!(traffic(b"[]"), @"traffic file trace: not a trace but a JSON array; a trace is a HAR file (an object with `log`), JSON lines (objects with `request` and `response`) or output of Envoy's tap filter");
    assert_snapshot!(traffic(b"GET / HTTP/1.1\r\n"), @"traffic file trace, line 1, column 1: not JSON: expected value; a trace is a HAR file (an object with `log`), JSON lines (objects with `request` and `response`) or output of Envoy's tap filter");
    assert_snapshot!(traffic(b"\x1f\x8b\x08\0\0\0"), @"traffic file trace, line 1: not UTF-8 at byte 1 of the file; it looks like gzip: unpack it first");
    assert_snapshot!(traffic(br#"{"log": {"entries": []}}"#), @"traffic file trace: no request to replay: `log.entries` is empty");
}

#[test]
fn a_har_that_is_cut_short() {
    let har = br#"{"log": {"entries": [
{"request": {"method": "GET", "url": "http://a/", "headers": []}, "resp"#;
    assert_snapshot!(traffic(har), @"traffic file trace, line 2, column 71: truncated: the file ends inside a JSON value; save the trace again");
}

#[test]
fn a_har_with_a_body_that_is_no_base64() {
    let har = r#"{"log": {"entries": [
        {"request": {"method": "GET", "url": "http://a/good"}},
        {"request": {"method": "GET", "url": "http://a/bad?key=secret"},
         "response": {"status": 200, "content": {"encoding": "base64", "text": "aGk*"}}}]}}"#;
    let said = traffic(har.as_bytes());
    assert_snapshot!(said, @"traffic file trace: entry 1 (GET http://a/bad?…): response body: not base64 at byte 3: `*`");
    assert!(!said.contains("secret"), "what comes after ? may be private");
}

#[test]
fn a_line_that_is_wrong() {
    assert_snapshot!(traffic(b"{\"request\": {}}\n{\"request\": {\"path\": 7}}\n"), @"traffic file trace, line 2, column 22: request.path: invalid type: integer `7`, expected a string");
    assert_snapshot!(traffic(b"{\"request\": {}}\n\n{\"request\": {\n"), @"traffic file trace, line 3, column 13: the line ends inside a JSON value; an exchange is written on one line");
    assert_snapshot!(traffic(b"{\"request\": {}}\n{\"requests\": {}}\n"), @"traffic file trace, line 2, column 11: requests: unknown field `requests`, expected one of `request`, `response`, `http`, `start_ms`");
    assert_snapshot!(traffic(b"{\"request\": {\"body\": {\"base64\": \"aGk*\"}}}\n"), @"traffic file trace, line 1, column 39: request.body.base64: not base64 at byte 3: `*`");
}

#[test]
fn generators_that_are_wrong() {
    let synth = |spec: &str| Folder::new().fails(2, &format!("replay edit.wasm --traffic {spec}"));
    assert_snapshot!(synth("synth:flood"), @"traffic `synth:flood`: unknown kind `flood`; use one of upload, download, echo, sse, json");
    assert_snapshot!(synth("synth:upload,length=3"), @"traffic `synth:upload,length=3`: unknown parameter `length`; upload understands size, chunk, requests, seed, framing, needle, every");
    assert_snapshot!(synth("synth:upload,size=many"), @"traffic `synth:upload,size=many`: parameter `size`: `many` is not a size; write a whole number and a unit, such as 64KiB");
    assert_snapshot!(synth("synth:upload,size=1KiB,size=2KiB"), @"traffic `synth:upload,size=1KiB,size=2KiB`: parameter `size` is given twice");
    assert_snapshot!(synth("synth:upload,requests=0"), @"traffic `synth:upload,requests=0`: parameter `requests`: must be at least 1");
    assert_snapshot!(synth("synth:upload,chunk=0"), @"traffic `synth:upload,chunk=0`: parameter `chunk`: `0` is not a possible chunk; use 1 byte or more");
}

#[test]
fn options_that_are_wrong() {
    let option = |option: &str| {
        let arguments = format!("replay edit.wasm --traffic traffic.jsonl {option}");
        Folder::new().fails(2, &arguments)
    };
    assert_snapshot!(option("--config missing.json"), @"cannot read missing.json: No such file or directory (os error 2)");
    assert_snapshot!(option("--chunk 0"), @"
    invalid value '0' for '--chunk <SIZE>': must not be zero

    For more information, try '--help'.
    ");
    assert_snapshot!(option("--chunk 16KX"), @"
    invalid value '16KX' for '--chunk <SIZE>': size `16KX` has the unknown unit `KX`; use KiB, MiB, GiB, TiB (powers of 1024) or KB, MB, GB (powers of 1000)

    For more information, try '--help'.
    ");
    assert_snapshot!(option("--chunk 99999999999GiB"), @"
    invalid value '99999999999GiB' for '--chunk <SIZE>': size `99999999999GiB` is too large; the largest is 18446744073709551615 bytes

    For more information, try '--help'.
    ");
    assert_snapshot!(option("--rate 0"), @"
    invalid value '0' for '--rate <R>': must be a number from 0.001 on

    For more information, try '--help'.
    ");
    assert_snapshot!(option("--rate fast"), @"
    invalid value 'fast' for '--rate <R>': not a number

    For more information, try '--help'.
    ");
    assert_snapshot!(option("--streams 0"), @"
    invalid value '0' for '--streams <N>': number would be zero for non-zero type

    For more information, try '--help'.
    ");
    assert_snapshot!(option("--host nginx"), @"
    invalid value 'nginx' for '--host <HOST>'
      [possible values: envoy, higress]

    For more information, try '--help'.
    ");
    assert_snapshot!(option("--no-fuel --no-wall"), @"--no-fuel and --no-wall together leave nothing to do");
}

#[test]
fn commands_that_do_not_exist() {
    assert_snapshot!(Folder::new().fails(2, "reply"), @"
    unrecognized subcommand 'reply'

      tip: a similar subcommand exists: 'replay'

    Usage: bench-host <COMMAND>

    For more information, try '--help'.
    ");
}

#[test]
fn an_example_that_does_not_exist() {
    let said = Folder::new().fails(2, "build missing");
    assert!(said.contains("missing"), "{said}");
}
