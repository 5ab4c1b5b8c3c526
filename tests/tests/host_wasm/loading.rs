//! What a VM runs before the first callback, and which allocator it asks.

use bench_host::testing::Call;

use super::guest::{host, log, logging, module, start_error};

const READ_PATH: &str =
    "(call $status 'get' (call $proxy_get_header_map_value (i32.const 0) ':path'
        (i32.const 0) (i32.const 4)))
    (call $say (i32.load (i32.const 0)) (i32.load (i32.const 4)))
    (i32.const 0)";

fn say(export: &str) -> String {
    let signature = if export == "main" { "(param i32 i32) (result i32)" } else { "" };
    let answer = if export == "main" { "(i32.const 0)" } else { "" };
    format!(r#"(func (export "{export}") {signature} (call $say '{export}') {answer})"#)
}

#[test]
fn initialize_and_main_run_or_else_start() {
    for (exports, order) in [
        (&["_initialize", "main", "_start"][..], "_initialize\nmain\n"),
        (&["_initialize"], "_initialize\n"),
        (&["main", "_start"], "_start\n"),
        (&["main"], ""),
        (&[], ""),
    ] {
        let exports: String = exports.iter().map(|export| say(export)).collect();
        let mut host = host(&format!("{exports}{}", logging(&[])));
        let before = format!("{order}context_create 1 0\nvm_start 1 0\nconfigure 1 3");
        assert_eq!(log(&mut host), before);
    }
}

#[test]
fn the_start_function_runs_first() {
    let mut host = host(
        r#"(global $started (mut i32) (i32.const 0))
           (func $first (global.set $started (i32.const 7)))
           (start $first)
           (func (export "_initialize") (call $status 'started' (global.get $started)))"#,
    );
    assert_eq!(log(&mut host), "started 7");
}

#[test]
fn malloc_is_asked_first() {
    let allocator = |name: &str, at: u32| {
        format!(
            r#"(func (export "{name}") (param i32) (result i32)
                (call $status '{name}' (local.get 0)) (i32.const {at}))"#
        )
    };
    let [malloc, own] =
        [allocator("malloc", 70_000), allocator("proxy_on_memory_allocate", 80_000)];
    for (exports, asked) in [
        (format!("{own}{malloc}"), "malloc"),
        (malloc, "malloc"),
        (own, "proxy_on_memory_allocate"),
    ] {
        let mut host = host(&format!("{exports}{}", logging(&[("request_headers", READ_PATH)])));
        host.send(Call::get("/path")).unwrap();
        let log = log(&mut host);
        assert!(log.contains(&format!("\n{asked} 5\nget 0\n/path\n")), "{log}");
    }
}

#[test]
fn an_empty_value_asks_no_allocator() {
    let code = "(call $status 'get' (call $proxy_get_header_map_value (i32.const 0) 'empty'
            (i32.const 0) (i32.const 4)))
        (call $status 'address' (i32.load (i32.const 0)))
        (call $status 'length' (i32.load (i32.const 4)))
        (i32.const 0)";
    let trap = r#"(func (export "malloc") (param i32) (result i32) (unreachable))"#;
    let mut host = host(&format!("{trap}{}", logging(&[("request_headers", code)])));
    host.send(Call::get("/").header("empty", "")).unwrap();
    assert!(log(&mut host).contains("get 0\naddress 0\nlength 0\n"));
}

#[test]
fn memory_has_to_be_exported() {
    let module = wat::parse_str(
        r#"(module (memory 1) (func (export "proxy_abi_version_0_2_1"))
            (func (export "malloc") (param i32) (result i32) (i32.const 0)))"#,
    );
    insta::assert_snapshot!(
        start_error(&module.unwrap()),
        @"the plugin does not load: it exports no memory"
    );
}

#[test]
fn what_is_no_valid_module_does_not_compile() {
    let error = start_error(b"\0asm\x01\0\0\0\xff").to_string();
    assert!(error.starts_with("the plugin does not compile: "), "{error}");
}

#[test]
fn a_plugin_that_refuses_says_why() {
    let refuse = |callback| {
        let code = "(drop (call $proxy_log (i32.const 3) 'only a warning'))
            (drop (call $proxy_log (i32.const 4) 'no rules'))
            (drop (call $proxy_log (i32.const 5) 'and no hope'))
            (i32.const 0)";
        start_error(&module(&logging(&[(callback, code)]))).to_string()
    };
    insta::assert_snapshot!(
        refuse("configure"),
        @"the plugin refused its configuration; it logged: no rules; and no hope"
    );
    insta::assert_snapshot!(
        refuse("vm_start"),
        @"the plugin refused to start the VM; it logged: no rules; and no hope"
    );
    insta::assert_snapshot!(
        start_error(&module(&logging(&[("configure", "(i32.const 0)")]))),
        @"the plugin refused its configuration without saying why"
    );
}

#[test]
fn the_configuration_is_there_while_it_is_configured() {
    let code = "(call $buffer (i32.const 7)) (i32.const 1)";
    let later = "(call $status 'later' (call $proxy_get_buffer_bytes (i32.const 7)
            (i32.const 0) (i32.const 9) (i32.const 0) (i32.const 4)))
        (i32.const 0)";
    let mut host = host(&logging(&[("configure", code), ("request_headers", later)]));
    host.send(Call::get("/")).unwrap();
    let log = log(&mut host);
    assert!(log.contains("configure 1 3\nbuffer cfg\n"), "{log}");
    assert!(log.contains("\nlater 1\n"), "{log}");
}
