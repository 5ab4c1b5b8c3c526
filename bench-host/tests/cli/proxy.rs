//! The proxy around the plugin: calls that are answered, what becomes of streams when a plugin has
//! failed, and what everything speaks.

use insta::assert_snapshot;
use serde_json::Value;

use super::command::Folder;
use super::plugins::{asking, ending, trapping};

fn result(folder: &Folder, options: &str) -> (i32, Value, String) {
    let replay = "replay plugin.wasm --no-wall --json result.json";
    let output = folder.run(&format!("{replay} {options}"));
    let result = serde_json::from_str(&folder.read("result.json")).unwrap();
    (output.code, result, output.stdout)
}

const UPLOAD: &str = "--traffic synth:upload,size=10,requests=3";

#[test]
fn calls_are_answered_by_a_script() {
    let folder = Folder::new();
    folder.write("plugin.wasm", asking());
    folder.write("upstreams.toml", "[cluster.auth]\nlatency = '5ms'\n[[cluster.auth.http]]\n");
    let (code, result, _) = result(&folder, &format!("{UPLOAD} --upstreams upstreams.toml"));
    assert_eq!((code, &result["requests"]["completed"]), (0, &3.into()));
    let answers = &result["phases"]["call_response"];
    assert_eq!(answers["calls"], 3);
    assert_eq!(answers["host_calls"]["proxy_continue_stream"], 3);
    assert_eq!(result["unmatched_calls"]["count"], 0);
}

#[test]
fn a_call_without_a_rule_is_named() {
    let folder = Folder::new();
    folder.write("plugin.wasm", asking());
    folder.write("upstreams.toml", "[[cluster.auth.http]]\nmatch = { path = '/other' }\n");
    let (code, result, table) = result(&folder, &format!("{UPLOAD} --upstreams upstreams.toml"));
    assert_eq!((code, &result["unmatched_calls"]["count"]), (0, &3.into()));
    let warning = table.split_once("3 calls that").unwrap().1;
    assert_snapshot!(warning, @"
    no upstream script answers:
       auth: http GET /check
    ");
}

#[test]
fn a_cluster_that_nobody_knows_is_named_too() {
    let folder = Folder::new();
    folder.write("plugin.wasm", asking());
    let (code, result, _) = result(&folder, UPLOAD);
    assert_eq!((code, &result["requests"]["completed"]), (0, &3.into()));
    let unmatched = serde_json::json!({
        "count": 3, "first": ["auth: no script has this cluster"]
    });
    assert_eq!(result["unmatched_calls"], unmatched);
}

#[test]
fn a_script_that_makes_no_sense_is_told_with_its_place() {
    let folder = Folder::new();
    folder.write("plugin.wasm", asking());
    folder.write("upstreams.toml", "[cluster.auth]\nlatenzy = '5ms'\n");
    let arguments = format!("replay plugin.wasm {UPLOAD} --upstreams upstreams.toml");
    assert_snapshot!(folder.fails(2, &arguments), @"upstream script upstreams.toml, line 2, column 1: cluster.auth.latenzy: unknown field `latenzy`, expected one of `latency`, `hosts`, `store`, `http`, `grpc`, `redis`");
    let arguments = format!("replay plugin.wasm {UPLOAD} --upstreams missing.toml");
    assert_snapshot!(folder.fails(2, &arguments), @"upstream script missing.toml: cannot be read: No such file or directory (os error 2)");
    let arguments = format!("replay plugin.wasm {UPLOAD} --vm-config missing.json");
    assert_snapshot!(folder.fails(2, &arguments), @"cannot read missing.json: No such file or directory (os error 2)");
}

#[test]
fn the_failure_policy_says_what_becomes_of_streams() {
    let folder = Folder::new();
    let body = trapping("proxy_on_request_body", "(param i32 i32 i32) (result i32)");
    folder.write("plugin.wasm", body);
    for (options, completed, crashes) in [
        ("", 0, 1),
        ("--failure-policy fail-open", 3, 1),
        ("--failure-policy fail-reload", 0, 1),
        // The first recovery waits for nothing.
        ("--host higress", 0, 2),
    ] {
        let (code, result, _) = result(&folder, &format!("{UPLOAD} {options}"));
        let seen = (&result["requests"]["completed"], &result["vm"]["crashes"]);
        assert_eq!((code, seen), (4, (&completed.into(), &crashes.into())), "{options}");
    }
}

#[test]
fn a_plugin_that_holds_requests_for_good_is_told_of() {
    let folder = Folder::new();
    folder.write("plugin.wasm", asking());
    // The plugin forgets all streams but the newest, and lets that one go alone.
    folder.write("upstreams.toml", "[[cluster.auth.http]]\n");
    let options = format!("{UPLOAD} --upstreams upstreams.toml --streams 3");
    let (code, result, table) = result(&folder, &options);
    assert_eq!((code, &result["requests"]["failed"]), (0, &2.into()));
    let why = table.split_once("2 requests failed").unwrap().1.trim();
    assert_snapshot!(why, @"2 x the plugin held the request: request_headers answered StopAllIterationAndWatermark; nothing resumed the stream, and no call or timer was left that could");
}

#[test]
fn http1_has_a_frame_more() {
    let folder = Folder::new();
    folder.write("plugin.wasm", super::plugins::edit());
    for (version, frames) in [(1, 6), (2, 3)] {
        let (_, result, _) = result(&folder, &format!("{UPLOAD} --http {version}"));
        assert_eq!(result["phases"]["request_body"]["calls"], frames);
    }
}

/// A plugin of ABI 0.2.1 whose headers wait for the body.
#[test]
fn headers_wait_for_the_body_where_the_operator_allows_it() {
    let folder = Folder::new();
    let answers = |callback: &str, answer: u32| {
        format!(
            r#"(func (export "{callback}") (param i32 i32 i32) (result i32) (i32.const {answer}))"#
        )
    };
    let callbacks =
        [answers("proxy_on_request_headers", 1), answers("proxy_on_request_body", 0)].concat();
    folder.write("plugin.wasm", super::plugins::plugin("0_2_1", &callbacks));
    let (_, result, _) = result(&folder, &format!("{UPLOAD} --allow-stop-iteration"));
    assert_eq!(result["requests"]["completed"], 3);
    assert_eq!(result["options"]["allow_stop_iteration"], true);
    let (_, result, table) = self::result(&folder, UPLOAD);
    assert_eq!(
        (&result["requests"]["failed"], &result["phases"]["request_body"]["calls"]),
        (&3.into(), &0.into())
    );
    assert!(table.contains("(ABI up to 0.2.1 without --allow-stop-iteration)"), "{table}");

    let suite = |key: &str| {
        format!(
            "[[case]]\nname = 'held'\n{key}\nrequest = {{ method = 'POST', body = 'ab' }}\n\
             expect.upstream.body = 'ab'\n"
        )
    };
    folder.write("key.toml", suite("allow_stop_iteration = true"));
    assert_eq!(folder.run("test plugin.wasm key.toml").code, 0);
    folder.write("suite.toml", suite(""));
    assert_eq!(folder.run("test plugin.wasm suite.toml --allow-stop-iteration").code, 0);
    let output = folder.run("test plugin.wasm suite.toml");
    assert_eq!(output.code, 3);
    assert!(output.stdout.contains("the stream stood still: the plugin held"), "{}", output.stdout);
}

#[test]
fn a_vm_that_ends_itself_is_a_rebuild_where_it_is_made_anew() {
    let folder = Folder::new();
    folder.write("plugin.wasm", ending());
    let counts = |result: &Value| {
        let (vm, requests) = (&result["vm"], &result["requests"]);
        [
            &vm["created"],
            &vm["rebuilds"],
            &vm["crashes"],
            &requests["completed"],
            &requests["failed"],
        ]
        .map(|count| count.as_u64().unwrap())
    };
    // Every VM has two streams. One that comes within a second finds no VM.
    let five = "--traffic synth:upload,size=10,requests=5 --failure-policy";
    let (code, slow, table) = result(&folder, &format!("{five} fail-reload --rate 0.9"));
    assert_eq!((code, counts(&slow)), (0, [3, 2, 0, 5, 0]), "{table}");
    let (code, fast, _) = result(&folder, &format!("{five} fail-reload --rate 10"));
    assert_eq!((code, counts(&fast)), (0, [1, 0, 0, 2, 3]));
    // With any other policy it is a crash.
    for policy in ["fail-closed", "fail-open"] {
        let (code, closed, _) = result(&folder, &format!("{five} {policy} --rate 0.9"));
        assert_eq!((code, counts(&closed)[1..3].to_vec()), (4, vec![0, 1]), "{policy}");
    }
    let replay = "replay plugin.wasm --no-wall";
    let told = folder.run(&format!("{replay} {five} fail-closed")).stderr;
    assert_snapshot!(told.lines().next().unwrap(), @"error: plugin.wasm: request 1: the plugin failed in proxy_on_delete: it ended its VM to be given a fresh one, which a proxy does with the failure policy FAIL_RELOAD alone");
}
