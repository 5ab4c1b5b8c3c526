//! The command `limits`: what fits a budget of memory.

use insta::assert_snapshot;
use serde_json::Value;

use super::command::{Folder, message};

/// A plugin that looks at whole request bodies. `$place` says where a buffer goes, and `$look` what
/// is done with one that is there.
fn holding(place: &str, look: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
        (import "env" "proxy_get_buffer_bytes"
            (func $get (param i32 i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 2)
        (global $next (mut i32) (i32.const 65536))
        (func (export "proxy_abi_version_0_2_1"))
        (func (export "proxy_on_context_create") (param i32 i32))
        (func (export "proxy_on_memory_allocate") (param $size i32) (result i32)
            (local $end i32)
            (local.set $end (i32.add (global.get $next) (local.get $size)))
            (block $room (loop $more
                (br_if $room (i32.ge_u
                    (i32.mul (memory.size) (i32.const 65536)) (local.get $end)))
                (drop (memory.grow (i32.const 1)))
                (br $more)))
            (global.get $next)
            {place})
        (func (export "proxy_on_request_body") (param i32 i32) (param $end i32) (result i32)
            (if (i32.eqz (local.get $end)) (then (return (i32.const 1))))
            (drop (call $get (i32.const 0)
                (i32.const 0) (i32.const 0x7fffffff) (i32.const 0) (i32.const 4)))
            {look}
            (i32.const 0)))"#
    );
    wat::parse_str(text).unwrap()
}

/// Each body takes the place of the one before.
fn clean() -> Vec<u8> {
    holding("", "")
}

/// Each body has a place of its own.
fn leaky() -> Vec<u8> {
    holding("(global.set $next (local.get $end))", "")
}

const SMALL: &str = "--kind upload --most-limit 2MiB --most-streams 4";

fn folder(plugin: Vec<u8>) -> Folder {
    let folder = Folder::new();
    folder.write("plugin.wasm", plugin);
    folder
}

#[test]
fn what_fits_is_found() {
    let folder = folder(clean());
    let files = "--json out.json --csv out.csv";
    let limits = format!("limits plugin.wasm --budget 3MiB --workers 2 {SMALL} {files}");
    let output = folder.run(&limits);
    assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{output:?}");
    assert_snapshot!(output.stdout, @"
    plugin    plugin.wasm
    budget    3.0 MiB of linear memory for 2 workers, 1.5 MiB each, on envoy
    fits      a buffer limit of 1.4 MiB (1441792 bytes) with one stream at once;
              at least 4 streams with one of 1.0 MiB

    streams        largest   linear memory         all     held by
    at once   buffer limit         of a VM   2 workers   the proxy
    ────────────────────────────────────────────────────────────────
          1        1.4 MiB         1.4 MiB     2.9 MiB     2.8 MiB
          2        1.4 MiB         1.4 MiB     2.9 MiB     5.5 MiB
          4        1.4 MiB         1.4 MiB     2.9 MiB    11.0 MiB

    one stream, bodies as long as the limit: the most memory, then kept
      16.0 KiB  ███ 128.0 KiB, 128.0 KiB
      32.0 KiB  ███ 128.0 KiB, 128.0 KiB
      64.0 KiB  ███ 128.0 KiB, 128.0 KiB
     128.0 KiB  ████ 192.0 KiB, 192.0 KiB
     256.0 KiB  ███████ 320.0 KiB, 320.0 KiB
     512.0 KiB  ███████████ 576.0 KiB, 576.0 KiB
       1.0 MiB  █████████████████████ 1.1 MiB, 1.1 MiB
       2.0 MiB  ████████████████████████████████████████ 2.1 MiB, 2.1 MiB

    leak      cannot tell: linear memory stays the same, but only whole pages of 64.0 KiB are known
    ");
    let file: Value = serde_json::from_str(&folder.read("out.json")).unwrap();
    assert_eq!((&file["schema"], &file["workers"]), (&1.into(), &2.into()));
    assert_eq!(file["budget_bytes"], 3 << 20);
    let points = file["points"].as_array().unwrap();
    for point in points {
        // Two pages and the body, whatever it is.
        let whole = point["body_bytes"].as_u64() <= point["buffer_limit_bytes"].as_u64();
        let held = if whole { point["body_bytes"].as_u64().unwrap() } else { 0 };
        let pages = (65_536 + held).div_ceil(65_536).max(2);
        assert_eq!(point["peak_bytes"], pages * 65_536, "{point}");
        assert_eq!(point["is_steady"], true);
    }
    for fit in file["frontier"].as_array().unwrap() {
        let limit = fit["buffer_limit_bytes"].as_u64().unwrap();
        // One page and the limit stay within a half of the budget, and an eighth more does not.
        assert!(limit + 65_536 <= 3 << 19 && limit + limit / 8 + 131_072 > 3 << 19, "{fit}");
    }
    assert_eq!(folder.read("out.csv").lines().count(), points.len() + 1);
    // The same file every time.
    let before = folder.read("out.json");
    folder.run(&limits);
    assert_eq!(folder.read("out.json"), before);
}

#[test]
fn a_leak_is_warned_of() {
    let output = folder(leaky()).run(&format!("limits plugin.wasm --budget 64MiB {SMALL}"));
    assert_eq!(output.code, 0, "{output:?}");
    let (_, end) = output.stdout.split_once("\nleak ").unwrap();
    assert_snapshot!(end.trim_start(), @"
    grows: 16384 bytes of linear memory a request; no limit fits for long, `bench-host heap` shows where

    Warnings
      memory is not flat: with 1 stream at once and bodies of 32.0 KiB it grew again when the same requests came again
    ");
}

#[test]
fn a_budget_that_nothing_fits_is_a_gate() {
    let output = folder(clean()).run(&format!("limits plugin.wasm --budget 64KiB {SMALL}"));
    assert_eq!(output.code, 3, "{output:?}");
    assert_snapshot!(message(&output), @"the budget of 64.0 KiB is passed over by the least of all limits");
    assert!(output.stdout.contains("fits      nothing"), "{}", output.stdout);
}

#[test]
fn a_plugin_that_crashes_does_not_fit() {
    let large = "(if (i32.gt_u (i32.load (i32.const 4)) (i32.const 100000)) (then unreachable))";
    let plugin = folder(holding("", large));
    let output = plugin.run(&format!("limits plugin.wasm --budget 64MiB {SMALL}"));
    assert_eq!(output.code, 4, "{output:?}");
    assert_snapshot!(message(&output), @"
    plugin.wasm: with bodies of 128.0 KiB: the plugin failed in proxy_on_request_body: it aborted (a panic or a failed assertion)
       0: function 4
    ");
    assert!(output.stdout.contains("a buffer limit of 96.0 KiB"), "{}", output.stdout);
}

#[test]
fn a_plugin_that_is_not_concerned_is_told() {
    let output = folder(clean()).run(
        "limits plugin.wasm --budget 1MiB --kind download \
                                      --most-limit 1MiB --most-streams 1",
    );
    assert_eq!(output.code, 0);
    assert!(output.stdout.contains("the plugin read nothing of any body"), "{}", output.stdout);
}

#[test]
fn bad_usage_is_named() {
    let folder = folder(clean());
    for (arguments, expected) in [
        ("limits plugin.wasm", "--budget <SIZE>"),
        ("limits plugin.wasm --budget 0", "must not be zero"),
        ("limits plugin.wasm --budget 1MiB --kind odd", "invalid value 'odd'"),
        ("limits none.wasm --budget 1MiB", "none.wasm"),
        ("limits plugin.wasm --budget 1MiB --header x", "write NAME=VALUE"),
    ] {
        let output = folder.run(arguments);
        assert_eq!(output.code, 2, "{output:?}");
        assert!(output.stderr.contains(expected), "{arguments}: {}", output.stderr);
    }
}
