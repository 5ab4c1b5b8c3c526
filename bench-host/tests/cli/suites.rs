//! `test`: suites of expected results.

use insta::assert_snapshot;

use super::command::{Folder, Output};
use super::plugins::{refusing, scripted};

/// Runs a suite with the scripted plugin; times are taken out of what it prints.
fn run(name: &str, suite: &str, options: &str) -> Output {
    let folder = Folder::new();
    folder.write("plugin.wasm", scripted());
    folder.write(name, suite);
    let output = folder.run(&format!("test plugin.wasm {name} {options}"));
    Output { stdout: untimed(&output.stdout), ..output }
}

fn untimed(stdout: &str) -> String {
    let (before, _) = stdout.rsplit_once("; finished in ").unwrap_or((stdout, ""));
    before.trim_start().to_owned()
}

fn google(suite: &str, options: &str) -> Output {
    run("tests.textpb", suite, options)
}

const PASSING: &str = r#"
# Everything that a runner has to get right.
env { log_level: DEBUG, time_secs: 1700000000 }
test {
  name: "Headers"
  properties { path: "one.two" value: "given" }
  plugin_init { log { exact: "configured" } log { exact: "headers" invert: true } }
  request_headers {
    input { header { key: "Seen" value: "no" } header: { key: "seen" value: "never" } }
    result {
      has_header { key: "SEEN" value: "no, never, yes" }
      no_header { key: "other" }
      headers: [{ regex: "[Ss]een: .*yes" }, { exact: "a: b" invert: true }]
      log [{ exact: "headers" }, { regex: "chu.k" }, { exact: "same time" }, { exact: "given" }]
      log { exact: "configured" invert: true }
    }
  }
}
test {
  name: "HttpText"
  request_headers {
    input { content: "GET https://a.example/b?c HTTP/1.1\r\nHost: x\r\nA: 1\n" "a: 2" }
    result < headers: { exact: ":authority: a.example" }
             has_header { key: ":path" value: "/b?c" } has_header { key: ":scheme" value: "https" }
             no_header { key: "host" } has_header { key: "a" value: "1, 2" } >
  }
  response_headers { input { content: 'HTTP/1.1 404 Not Found\n' }
    result { has_header { key: ":status" value: "\x34\060\u0034" } } }
}
test {
  name: "Denied"
  request_headers {
    input { header { key: "deny" } }
    result {
      immediate { http_status: 403 grpc_status: 7 details: "not on the list" }
      has_header { key: "why" value: "no" }
      no_header { key: "seen" }
      body { exact: "go away" }
    }
  }
  # Nothing is shown to a plugin that has answered.
  request_body { input { content: "abc" } result { body { exact: "" } log { exact: "chunk" invert: true } } }
  response_headers { input { header { key: ":status" value: "200" } } result { no_header { key: ":status" } } }
}
test {
  name: "Chunks" num_chunks: 3
  request_body { input { content: "ten bytes!" } result { body { exact: "TEN BYTES!" } log { exact: "chunk" } } }
}
test {
  name: "Bodies"
  response_body { input { file: "body.txt" } result { body { file: "upper.txt" } } }
  response_body { input { content: "b\377" } result { body { exact: "B\377" } body { regex: "B" invert: true } } }
}
"#;

#[test]
fn a_suite_that_passes() {
    let folder = Folder::new();
    folder.write("plugin.wasm", scripted());
    std::fs::create_dir(folder.path("suite")).unwrap();
    folder.write("suite/tests.textpb", PASSING);
    folder.write("suite/body.txt", "from a file\n");
    folder.write("suite/upper.txt", "FROM A FILE\n");
    let output = folder.run("test plugin.wasm suite/tests.textpb");
    assert_snapshot!(untimed(&output.stdout), @"
    running 5 tests
    test Headers ... ok
    test HttpText ... ok
    test Denied ... ok
    test Chunks ... ok
    test Bodies ... ok

    test result: ok. 5 passed; 0 failed; 0 filtered out
    ");
    assert_eq!((output.code, output.stderr.as_str()), (0, ""));
}

const FAILING: &str = r#"
test {
  name: "Headers"
  request_headers {
    input { header { key: "a" value: "1" } }
    result {
      has_header { key: "a" value: "2" }
      has_header { key: "b" value: "2" }
      no_header { key: "seen" }
      headers { regex: "c: .*" }
      log { exact: "chunk" }
      log { regex: "head.*" invert: true }
      immediate { http_status: 403 }
    }
  }
}
test { name: "Pause" request_headers { input { header { key: "pause" } } } }
test { name: "OnlyPause" request_headers { input { header { key: "pause" } } result { immediate { } } } }
test { name: "Denied" request_headers { input { header { key: "deny" } } } }
test { name: "Numbers" request_headers { input { header { key: "deny" } }
  result { immediate { http_status: 404 grpc_status: 3 details: "none" } } } }
test { name: "Body" response_body { input { content: "a\nb\nc\nd\n" }
  result { body { exact: "A\nX\nC\nD\n" } body { regex: "A" } } } }
test { name: "File" response_body { input { file: "missing" } } }
test { name: "Regex" response_body { result { body { regex: "(" } body { } } } }
test { name: "Fine" }
"#;

#[test]
fn a_suite_that_fails_says_where_and_how() {
    let output = google(FAILING, "");
    assert_snapshot!(output.stdout, @r#"
    running 9 tests
    test Headers ... FAILED
    test Pause ... FAILED
    test OnlyPause ... FAILED
    test Denied ... FAILED
    test Numbers ... FAILED
    test Body ... FAILED
    test File ... FAILED
    test Regex ... FAILED
    test Fine ... ok

    failures:

    ---- Headers ----
    tests.textpb:7:7: request_headers: header "a" differs
      expected: "2"
        actual: "1"
    tests.textpb:8:7: request_headers: header "b" is missing
    tests.textpb:9:7: request_headers: header "seen" is there, with value "yes"
    tests.textpb:10:7: request_headers: expected a header that matches all of /c: .*/
    there is
      a: 1
      seen: yes
    tests.textpb:13:7: request_headers: expected an immediate response, and the plugin let the message go on
    tests.textpb:11:7: request_headers: expected a log line: chunk
    there is
      headers
      same time
    tests.textpb:12:7: request_headers: expected no log line that matches all of /head.*/
    there is
      headers
      same time
    the plugin logged
      configured
      headers
      same time

    ---- Pause ----
    tests.textpb:17:22: request_headers: expected the message to go on, and the plugin paused it
    the plugin logged
      configured
      headers
      same time

    ---- OnlyPause ----
    tests.textpb:18:87: request_headers: expected an immediate response, and the plugin only paused it
    the plugin logged
      configured
      headers
      same time

    ---- Denied ----
    tests.textpb:19:23: request_headers: expected the message to go on, and the plugin answered with status 403
    the plugin logged
      configured
      headers
      same time

    ---- Numbers ----
    tests.textpb:21:12: request_headers: http_status differs
      expected: 404
        actual: 403
    tests.textpb:21:12: request_headers: grpc_status differs
      expected: 3
        actual: 7
    tests.textpb:21:12: request_headers: details differs
      expected: none
        actual: not on the list
    the plugin logged
      configured
      headers
      same time

    ---- Body ----
    tests.textpb:23:12: response_body: body differs
      - expected
      + actual
        A
      - X
      + B
        C
        D
    tests.textpb:23:43: response_body: expected a body that matches all of /A/
    there is
      A
      B
      C
      D
    the plugin logged
      configured

    ---- File ----
    tests.textpb:24:21: response_body: cannot read missing: No such file or directory (os error 2)

    ---- Regex ----
    tests.textpb:25:47: response_body: bad regular expression: regex parse error:
        (
        ^
    error: unclosed group
    tests.textpb:25:67: response_body: a matcher needs `exact`, `regex` or `file`
    the plugin logged
      configured

    failures:
        Headers
        Pause
        OnlyPause
        Denied
        Numbers
        Body
        File
        Regex

    test result: FAILED. 1 passed; 8 failed; 0 filtered out
    "#);
    assert_snapshot!(output.stderr, @"error: 8 cases came out otherwise than expected");
    assert_eq!(output.code, 3);
}

#[test]
fn a_plugin_that_traps_fails_its_case_and_the_run_goes_on() {
    let suite = r#"
        test { name: "Trap" request_headers { input { header { key: "trap" } } } }
        test { name: "Next" request_headers { } }"#;
    let output = google(suite, "");
    assert_snapshot!(output.stdout, @"
    running 2 tests
    test Trap ... FAILED
    test Next ... ok

    failures:

    ---- Trap ----
    tests.textpb:2:9: the plugin failed in proxy_on_request_headers: it aborted (a panic or a failed assertion)
       0: function 13
    the plugin logged
      configured
      headers
      same time

    failures:
        Trap

    test result: FAILED. 1 passed; 1 failed; 0 filtered out
    ");
    assert_snapshot!(output.stderr, @"error: the plugin failed in 1 case");
    assert_eq!(output.code, 4);
}

#[test]
fn a_plugin_that_does_not_start_fails_every_case() {
    let folder = Folder::new();
    folder.write("plugin.wasm", refusing());
    folder.write("tests.textproto", "test { name: 'one' } test { name: 'two' }");
    let output = folder.run("test plugin.wasm tests.textproto");
    assert_snapshot!(untimed(&output.stdout), @"
    running 2 tests
    test one ... FAILED
    test two ... FAILED

    failures:

    ---- one ----
    tests.textproto:1:1: the plugin refused its configuration; it logged: no rules in the configuration

    ---- two ----
    tests.textproto:1:22: the plugin refused its configuration; it logged: no rules in the configuration

    failures:
        one
        two

    test result: FAILED. 0 passed; 2 failed; 0 filtered out
    ");
    assert_eq!(output.code, 4);
}

#[test]
fn a_bad_suite_is_an_error_with_every_place() {
    let folder = Folder::new();
    let said = |name: &str, suite: &str| {
        folder.write(name, suite);
        folder.fails(2, &format!("test edit.wasm {name}"))
    };
    assert_snapshot!(said("a.textpb", "test {\n  nmae: 'x'\n  request_headers { expect { } }\n}"), @r#"
    a.textpb:2:3: unknown field "nmae" in message "Test"
    a.textpb:3:21: unknown field "expect" in message "Invocation"
    "#);
    assert_snapshot!(said("b.textpb", "test {\n  name: 'x\n}"), @"b.textpb:2:9: this string has no closing ' on its line");
    assert_snapshot!(said("c.yaml", ""), @"c.yaml is not a suite: name it .toml, or .textpb, .textproto or .prototxt for the format of Google's service-extensions tests");
    assert_snapshot!(folder.fails(2, "test edit.wasm missing.textpb"), @"cannot read missing.textpb: No such file or directory (os error 2)");
    assert_snapshot!(said("d.prototxt", "env { config_path: 'no.json' }"), @"cannot read no.json: No such file or directory (os error 2)");
    assert_snapshot!(folder.fails(2, "test d.prototxt"), @"d.prototxt names no plugin: run `bench-host test <plugin.wasm> <suite>`");
}

#[test]
fn cases_are_listed_and_filtered() {
    assert_snapshot!(google(PASSING, "--list").stdout, @"
    Headers: test
    HttpText: test
    Denied: test
    Chunks: test
    Bodies: test

    5 tests
    ");
    let output = google(FAILING, "--filter Den");
    assert!(output.stdout.contains("running 1 test\n"), "{}", output.stdout);
    assert!(output.stdout.contains("0 passed; 1 failed; 8 filtered out"), "{}", output.stdout);
}

#[test]
fn the_suite_may_name_plugin_and_configuration() {
    let folder = Folder::new();
    folder.write("plugin.wasm", scripted());
    folder.write("config.json", "{}");
    folder.write(
        "tests.textpb",
        "env { wasm_path: 'plugin.wasm' config_path: 'config.json' } test { name: 'one' }",
    );
    assert_eq!(folder.run("test tests.textpb").code, 0);
    // The command line goes before the suite.
    folder.write("other.wasm", refusing());
    assert_eq!(folder.run("test other.wasm tests.textpb").code, 4);
}

const BENCH: &str = r#"
env { num_additional_streams: 5 additional_stream_advance_rate: 2 }
test { name: "All" benchmark: true num_chunks: 4
  request_headers { input { header { key: "a" value: "1" } } }
  request_body { input { content: "eight by" } }
  response_headers { input { header { key: ":status" value: "200" } } }
  response_body { input { content: "four" } } }
test { name: "Denied" benchmark: true
  request_headers { input { header { key: "deny" } } result { immediate { } } }
  response_headers { input { header { key: ":status" value: "200" } } } }"#;

#[test]
fn benchmarks_time_each_callback() {
    let folder = Folder::new();
    folder.write("plugin.wasm", scripted());
    folder.write("tests.textpb", BENCH);
    let bench = "test plugin.wasm tests.textpb --iterations 20 --json";
    let result = |name: &str| {
        let output = folder.run(&format!("{bench} {name}"));
        assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{output:?}");
        let result: serde_json::Value = serde_json::from_str(&folder.read(name)).unwrap();
        (output.stdout, result)
    };
    let (stdout, first) = result("first.json");
    assert!(stdout.contains("bench All (20 iterations, 5 streams beside it)"), "{stdout}");
    let bench = &first["cases"][0]["bench"];
    let calls = |phase: &str| {
        let phases = bench["phases"].as_array().unwrap();
        let of = phases.iter().find(|of| of["phase"] == phase).unwrap();
        (of["calls"].as_u64().unwrap(), of["fuel_calls"].as_u64().unwrap())
    };
    assert_eq!(calls("request_headers"), (20, 20));
    assert_eq!(calls("request_body"), (80, 80));
    assert_eq!(calls("response_body"), (80, 80));
    // The one that answered is not shown anything more.
    let denied = first["cases"][1]["bench"]["phases"].to_string();
    assert!(!denied.contains("response_headers"), "{denied}");
    // Instructions do not depend on the run.
    let (_, second) = result("second.json");
    let fuel = |result: &serde_json::Value| {
        let phases = result["cases"][0]["bench"]["phases"].as_array().unwrap().clone();
        phases.iter().map(|phase| phase["fuel_total"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(fuel(&first), fuel(&second));
    assert!(!google(BENCH, "--no-bench").stdout.contains("bench"));
}

#[test]
fn junit_tells_failures_from_errors() {
    let folder = Folder::new();
    folder.write("plugin.wasm", scripted());
    folder.write(
        "tests.textpb",
        r#"test { name: "Fine" }
        test { name: "<Wrong>" request_headers { input { header { key: "pause" } } } }
        test { name: "Trap" request_headers { input { header { key: "trap" } } } }"#,
    );
    let output = folder.run("test plugin.wasm tests.textpb --junit results.xml");
    assert_eq!(output.code, 4);
    let xml = folder.read("results.xml");
    // Times are the only thing that differs.
    let parts = xml.split(" time=\"").enumerate().map(|(at, part)| match at {
        0 => part,
        _ => part.split_once('"').unwrap().1,
    });
    assert_snapshot!(parts.collect::<String>(), @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites name="bench-host" tests="3" skipped="0" failures="1" errors="1">
        <testsuite name="tests.textpb" tests="3" skipped="0" errors="1" failures="1">
            <testcase name="Fine" classname="tests.textpb"/>
            <testcase name="&lt;Wrong&gt;" classname="tests.textpb">
                <failure message="request_headers: expected the message to go on, and the plugin paused it">tests.textpb:2:32: request_headers: expected the message to go on, and the plugin paused it
    </failure>
                <system-out>configured
    headers
    same time</system-out>
            </testcase>
            <testcase name="Trap" classname="tests.textpb">
                <error message="the plugin failed in proxy_on_request_headers: it aborted (a panic or a failed assertion)">the plugin failed in proxy_on_request_headers: it aborted (a panic or a failed assertion)
       0: function 13</error>
                <system-out>configured
    headers
    same time</system-out>
            </testcase>
        </testsuite>
    </testsuites>
    "#);
}
