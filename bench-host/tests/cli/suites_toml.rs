//! `test` with suites of ours.

use insta::assert_snapshot;

use super::command::{Folder, Output};
use super::plugins::{idle, scripted};

fn run(suite: &str, options: &str) -> Output {
    let folder = Folder::new();
    folder.write("plugin.wasm", scripted());
    folder.write("body.txt", "from a file\n");
    folder.write("suite.toml", suite);
    let output = folder.run(&format!("test plugin.wasm suite.toml {options}"));
    let (stdout, _) = output.stdout.rsplit_once("; finished in ").unwrap_or((&output.stdout, ""));
    Output { stdout: stdout.trim_start().to_owned(), ..output }
}

const PASSING: &str = r#"
[defaults]
config = { rules = [1, 2] }
log_level = "debug"
properties = { "one.two" = "default" }

[[case]]
name = "a whole exchange"
http = "2"
chunk = 4
properties = { "one.two" = "given" }

[case.request]
method = "POST"
path = "/a"
headers = [["seen", "no"], ["x", "1"], ["X", "2"]]
body = "ten bytes!"
trailers = { t = "1" }

[case.response]
status = 201
headers = { set-cookie = ["a", "b"] }
body_file = "body.txt"

[case.expect]
local_reply = false
reset = false
details = "via_upstream"
log = ["headers", { matches = "^giv", level = "warn" }]
not_logged = ["nothing", { matches = ".", level = "error" }]

[case.expect.upstream]
headers = { ":method" = "POST", seen = ["no", "yes"], x = { matches = "^2$" }, other = false, host = false }
body = "TEN BYTES!"
body_matches = "B.T"
trailers = { t = true }
frames = 3
ended = true

[case.expect.downstream]
status = 201
headers.set-cookie = ["a", "b"]
body = "FROM A FILE\n"

[[case]]
name = "an answer of the plugin"
request.headers = { deny = "" }
expect.local_reply = true
expect.details = "not_on_the_list"
expect.upstream.reached = false
expect.downstream = { status = 403, headers = { why = "no" }, body = "GO AWAY", ended = true }

[[case]]
name = "a pause"
request = { chunks = ["a", { base64 = "Yg==" }], headers = { pause = "" } }
expect.upstream = { reached = false, ended = false }
expect.downstream.reached = false
"#;

#[test]
fn a_suite_that_passes() {
    let output = run(PASSING, "");
    assert_snapshot!(output.stdout, @"
    running 3 tests
    test a whole exchange ... ok
    test an answer of the plugin ... ok
    test a pause ... ok

    test result: ok. 3 passed; 0 failed; 0 filtered out
    ");
    assert_eq!((output.code, output.stderr.as_str()), (0, ""));
}

const FAILING: &str = r#"
[[case]]
name = "everything is otherwise"
response = { headers = { a = "1", b = "2" }, body = "a\nb\nc\n" }

[case.expect]
local_reply = true
details = "other"
log = [{ matches = "^none$" }]
not_logged = ["headers"]

[case.expect.upstream]
reached = false
headers = { seen = "no", missing = true, ":path" = { matches = "x" } }

[case.expect.downstream]
status = 404
headers.a = ["1", "2"]
headers.b = false
body = "A\nX\nC\n"
body_matches = "lower"
trailers.t = true
frames = 7
ended = false

[[case]]
name = "what cannot be read"
request.body_file = "missing"

[[case]]
name = "a trap"
request.headers = { trap = "" }

[[case]]
name = "fine"
"#;

#[test]
fn a_suite_that_fails_says_where_and_how() {
    let output = run(FAILING, "");
    assert_snapshot!(output.stdout, @r#"
    running 4 tests
    test everything is otherwise ... FAILED
    test what cannot be read ... FAILED
    test a trap ... FAILED
    test fine ... ok

    failures:

    ---- everything is otherwise ----
    suite.toml:2:1: upstream: reached differs
      expected: false
        actual: true
    suite.toml:14:42: upstream: header ":path" does not match /x/: "/"
    suite.toml:14:26: upstream: header "missing" is missing
    suite.toml:14:13: upstream: header "seen" differs
      expected: "no"
        actual: "yes"
    suite.toml:2:1: downstream: status differs
      expected: 404
        actual: 200
    suite.toml:18:9: downstream: header "a" differs
      expected: "1", "2"
        actual: "1"
    suite.toml:19:9: downstream: header "b" is there, with value "2"
    suite.toml:22:10: downstream: trailer "t" is missing
    suite.toml:20:8: downstream: body differs
      - expected
      + actual
        A
      - X
      + B
        C
    suite.toml:21:16: downstream: nothing in the body matches /lower/:
    A
    B
    C

    suite.toml:2:1: downstream: ended differs
      expected: false
        actual: true
    suite.toml:2:1: downstream: number of frames differs
      expected: 7
        actual: 1
    suite.toml:2:1: exchange: details differs
      expected: other
        actual: via_upstream
    suite.toml:2:1: exchange: local_reply differs
      expected: true
        actual: false
    suite.toml:9:8: log: a line that matches /^none$/ is missing; logged was
      [info] configured
      [info] headers
    suite.toml:10:15: log: "headers" was logged
    the plugin logged
      [info] configured
      [info] headers

    ---- what cannot be read ----
    suite.toml:26:1: request: cannot read missing: No such file or directory (os error 2)

    ---- a trap ----
    suite.toml:30:1: the plugin failed in proxy_on_request_headers: it aborted (a panic or a failed assertion)
       0: function 13
    the plugin logged
      [info] configured
      [info] headers

    failures:
        everything is otherwise
        what cannot be read
        a trap

    test result: FAILED. 1 passed; 3 failed; 0 filtered out
    "#);
    assert_snapshot!(output.stderr, @"error: the plugin failed in 1 case");
    assert_eq!(output.code, 4);
    assert_eq!(run(FAILING, "--filter otherwise").code, 3);
}

#[test]
fn a_case_brings_its_upstreams() {
    let folder = Folder::new();
    folder.write("asking.wasm", super::plugins::asking());
    folder.write(
        "suite.toml",
        r#"
        [[case]]
        name = "the call is answered"
        upstreams.cluster.auth.http = [{ match = { path = "/check" }, latency = "3ms" }]
        expect.downstream = { status = 200 }

        [[case]]
        name = "the answer comes too late"
        upstreams.cluster.auth.http = [{ latency = "1h" }]
        expect.downstream = { status = 200 }

        [[case]]
        name = "the script makes no sense"
        upstreams.cluster.auth.latenzy = "1h"
        "#,
    );
    let output = folder.run("test asking.wasm suite.toml");
    assert_eq!(output.code, 3, "{output:?}");
    assert!(output.stdout.contains("test the call is answered ... ok"), "{}", output.stdout);
    // Envoy's own answer of 504 lets the request go as well.
    assert!(output.stdout.contains("test the answer comes too late ... ok"), "{}", output.stdout);
    assert!(output.stdout.contains("unknown field `latenzy`"), "{}", output.stdout);
}

#[test]
fn a_bad_suite_is_an_error_with_its_place() {
    let folder = Folder::new();
    folder.write("suite.toml", "[[case]]\nname = 'a'\n[case.expect]\nupstreem = {}\n");
    assert_snapshot!(folder.fails(2, "test edit.wasm suite.toml"), @"suite.toml:4:1: unknown field `upstreem`, expected one of `upstream`, `downstream`, `local_reply`, `details`, `reset`, `log`, `not_logged`");
}

#[test]
fn a_case_may_be_a_benchmark_and_a_suite_may_name_its_plugin() {
    let folder = Folder::new();
    folder.write("suite.toml", "plugin = 'edit.wasm'\n[[case]]\nname = 'a'\nbenchmark = true");
    let output = folder.run("test suite.toml --iterations 5");
    assert_eq!((output.code, output.stderr.as_str()), (0, ""));
    assert!(output.stdout.contains("bench a (5 iterations)"), "{}", output.stdout);
}

#[test]
fn the_abi_of_higress_needs_its_host() {
    let folder = Folder::new();
    folder.write("plugin.wasm", idle("0_2_100"));
    folder.write("suite.toml", "[[case]]\nname = 'a'\n[[case]]\nname = 'b'\nhost = 'higress'");
    let output = folder.run("test plugin.wasm suite.toml");
    assert_eq!(output.code, 4);
    assert!(output.stdout.contains("test a ... FAILED\ntest b ... ok"), "{}", output.stdout);
    assert_eq!(folder.run("test plugin.wasm suite.toml --host higress").code, 0);
}
