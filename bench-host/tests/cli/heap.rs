//! `heap`: the files, the tables, and what becomes of plugins of which less is known.

use insta::assert_snapshot;
use serde_json::Value;

use super::command::{Folder, Output, message};
use super::plugins::{edit, endless, greedy, refusing};

/// Keeps 100 bytes of each request, and gives 40 back twice; grows by a page with each.
fn keeping() -> Vec<u8> {
    wat::parse_str(
        r#"(module
        (memory (export "memory") 2)
        (global $heap (mut i32) (i32.const 65536))
        (func (export "proxy_abi_version_0_2_1"))
        (func $malloc (export "malloc") (param $size i32) (result i32)
            (global.get $heap)
            (global.set $heap (i32.add (global.get $heap) (local.get $size))))
        (func $free (param i32) nop)
        (func $brief (call $free (call $malloc (i32.const 40))))
        (func $kept (drop (call $malloc (i32.const 100))))
        (func $headers (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
            (call $brief)
            (call $kept)
            (call $brief)
            (drop (memory.grow (i32.const 1)))
            (i32.const 0)))"#,
    )
    .unwrap()
}

fn heap(folder: &Folder, plugin: &[u8], options: &str) -> Output {
    folder.write("plugin.wasm", plugin);
    let command = "heap plugin.wasm --traffic traffic.jsonl --out dhat.json";
    folder.run(&format!("{command} {options}"))
}

#[test]
fn what_a_plugin_keeps_is_named() {
    let folder = Folder::new();
    let output = heap(&folder, &keeping(), "");
    assert_eq!((output.code, output.stderr.as_str()), (0, ""));
    assert_snapshot!(output.stdout);
    let output = heap(&folder, &keeping(), "--top 1 --repeat 3 --streams 2");
    assert_snapshot!("top_1", output.stdout);
}

#[test]
fn the_files_are_the_same_in_every_run() {
    let folder = Folder::new();
    let mut runs = Vec::new();
    for _ in 0..2 {
        assert_eq!(heap(&folder, &keeping(), "").code, 0);
        runs.push(["dhat.json", "dhat.growth.json"].map(|name| folder.read(name)));
    }
    assert_eq!(runs[0], runs[1]);
    assert_snapshot!("dhat", runs[0][0]);
    assert_snapshot!("dhat_growth", runs[0][1]);
}

#[test]
fn the_viewer_finds_all_that_it_asks_for() {
    let folder = Folder::new();
    assert_eq!(heap(&folder, &keeping(), "").code, 0);
    for name in ["dhat.json", "dhat.growth.json"] {
        let file: Value = serde_json::from_str(&folder.read(name)).unwrap();
        super::dhat::check(&file);
    }
}

#[test]
fn a_plugin_without_names_has_its_growth_only() {
    let folder = Folder::new();
    let text = r#"(module (memory (export "memory") 1)
        (func (export "proxy_abi_version_0_2_1"))
        (func (export "malloc") (param i32) (result i32) (i32.const 8))
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
            (memory.grow (i32.const 1))))"#;
    let output = heap(&folder, &wat::parse_str(text).unwrap(), "");
    assert_eq!(output.code, 0);
    assert_snapshot!(output.stderr, @r#"warning: plugin.wasm: the allocator cannot be found, so only growth of memory is known: the module has no names of functions: build it without stripping them (Rust: strip = "debuginfo"; C++ and Zig: no -s, no -fstrip; AssemblyScript: --debug)"#);
    assert_snapshot!(output.stdout, @"
    Memory: 1 page at first, 5 pages more in 5 steps
    Who made it grow
      bytes  steps  where
    ─────────────────────────────────────────────────────
    327 680      5  proxy_on_request_headers
     65 536      1  [memory that the module begins with]

    Files for DHAT's viewer (dh_view.html): dhat.json, dhat.growth.json
    ");
    let file: Value = serde_json::from_str(&folder.read("dhat.json")).unwrap();
    super::dhat::check(&file);
    assert_snapshot!(file["mode"].as_str().unwrap(), @r#"wasm-heap (nothing is known of it: the module has no names of functions: build it without stripping them (Rust: strip = "debuginfo"; C++ and Zig: no -s, no -fstrip; AssemblyScript: --debug))"#);
}

#[test]
fn outputs_are_those_of_a_replay() {
    let folder = Folder::new();
    assert_eq!(heap(&folder, &edit(), "--outputs watched").code, 0);
    let replay = "replay plugin.wasm --traffic traffic.jsonl --no-wall --outputs plain";
    assert_eq!(folder.run(replay).code, 0);
    let files = |name: &str| {
        let mut files: Vec<_> = std::fs::read_dir(folder.path(name)).unwrap().collect();
        files.sort_by_key(|file| file.as_ref().unwrap().file_name());
        let read = |file: std::io::Result<std::fs::DirEntry>| {
            let file = file.unwrap();
            (file.file_name(), std::fs::read(file.path()).unwrap())
        };
        files.into_iter().map(read).collect::<Vec<_>>()
    };
    assert_eq!(files("watched"), files("plain"));
    assert!(files("plain").len() > 5);
}

#[test]
fn plugins_that_fail_leave_what_is_known() {
    let folder = Folder::new();
    let output = heap(&folder, &greedy(), "--max-memory 4MiB");
    assert_eq!(output.code, 4);
    assert_snapshot!(output.stderr, @"
    warning: plugin.wasm: the allocator cannot be found, so only growth of memory is known: none of the module's functions has the name of an allocator that is known
    error: plugin.wasm: request 0: the plugin failed in proxy_on_request_headers: it aborted (a panic or a failed assertion); its memory could not grow past 4 MiB
       0: more
    ");
    assert_snapshot!(output.stdout, @"
    Memory: 2 pages at first, 48 pages more in 3 steps; 1 refused
    Who made it grow
        bytes  steps  where
    ───────────────────────────────────────────────────────
    3 145 728      3  more
      131 072      1  [memory that the module begins with]

    Files for DHAT's viewer (dh_view.html): dhat.json, dhat.growth.json
    ");
    let output = heap(&folder, &endless(), "--max-fuel 1000");
    assert_eq!(output.code, 4);
    assert!(output.stderr.contains("it took more than 1 000 instructions"), "{output:?}");
    let output = heap(&folder, &refusing(), "");
    assert_eq!((output.code, output.stdout.as_str()), (4, ""));
    assert_snapshot!(message(&output), @"the plugin refused its configuration; it logged: no rules in the configuration");
}

#[test]
fn bad_input_is_refused() {
    let folder = Folder::new();
    folder.write("plugin.wasm", keeping());
    let fails = |arguments: &str| folder.fails(2, arguments);
    assert_snapshot!(fails("heap missing.wasm --traffic traffic.jsonl --out d.json"), @"there is no file missing.wasm");
    assert_snapshot!(fails("heap plugin.wasm --traffic missing.har --out d.json"), @"traffic file missing.har: cannot be read: No such file or directory (os error 2)");
    assert_snapshot!(folder.run("heap plugin.wasm --traffic traffic.jsonl --out no/d.json").stderr, @"error: cannot write no/d.json: No such file or directory (os error 2)");
    let rewritten = r#"(module (import "chunkwise_heap" "freed" (func))
        (memory (export "memory") 1) (func (export "proxy_abi_version_0_2_1"))
        (func (export "malloc") (param i32) (result i32) (i32.const 8)))"#;
    folder.write("plugin.wasm", wat::parse_str(rewritten).unwrap());
    assert_snapshot!(fails("heap plugin.wasm --traffic traffic.jsonl --out d.json"), @"plugin.wasm: the module imports chunkwise_heap: it has been rewritten already; give the original");
}
