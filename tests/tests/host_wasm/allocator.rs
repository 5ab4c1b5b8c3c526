//! Allocators that do what they should not: the guest gets a status or ends, and the host goes on.

use bench_host::engine::Fault;
use bench_host::testing::Call;

use super::guest::{host, log, logging};

/// Reads a body of "abcdefgh" through this allocator, and says what came of it.
fn read(allocator: &str) -> Result<String, Fault> {
    let code = "
        (i32.store (i32.const 0) (i32.const 0)) (i32.store (i32.const 4) (i32.const 0))
        (call $status 'read' (call $proxy_get_buffer_bytes (i32.const 0)
            (i32.const 0) (i32.const 8) (i32.const 0) (i32.const 4)))
        (call $status 'at' (i32.load (i32.const 0)))
        (i32.const 0)";
    let mut host = host(&format!("{allocator}{}", logging(&[("request_body", code)])));
    host.send(Call::post("/").body("abcdefgh"))?;
    let log = log(&mut host);
    let said = log.lines().filter(|line| line.starts_with("read ") || line.starts_with("at "));
    Ok(said.collect::<Vec<_>>().join(", "))
}

fn answering(address: &str) -> String {
    format!(r#"(func $allocate (export "malloc") (param i32) (result i32) (i32.const {address}))"#)
}

#[test]
fn addresses_that_are_no_good_are_statuses() {
    for (address, said) in [
        ("0", "read 6, at 0"),
        // Beyond the end, at its very end, and so far that the length wraps around.
        ("131072", "read 6, at 0"),
        ("131065", "read 6, at 0"),
        ("0xfffffff0", "read 6, at 0"),
        ("-1", "read 6, at 0"),
        // What fits is not the host's business: the last bytes, an odd address, the same again.
        ("131064", "read 0, at 131064"),
        ("70001", "read 0, at 70001"),
    ] {
        assert_eq!(read(&answering(address)).unwrap(), said, "{address}");
    }
}

#[test]
fn memory_that_it_handed_out_before_is_overwritten() {
    let code = "
        (drop (call $proxy_get_header_map_value (i32.const 0) ':method' (i32.const 0) (i32.const 4)))
        (drop (call $proxy_get_header_map_value (i32.const 0) ':path' (i32.const 8) (i32.const 12)))
        (call $say (i32.load (i32.const 0)) (i32.load (i32.const 4)))
        (call $say (i32.load (i32.const 8)) (i32.load (i32.const 12)))
        (i32.const 0)";
    let mut host =
        host(&format!("{}{}", answering("70000"), logging(&[("request_headers", code)])));
    host.send(Call::post("/p")).unwrap();
    assert!(log(&mut host).contains("\n/pST\n/p\n"), "{}", log(&mut host));
}

#[test]
fn so_is_the_argument_that_is_being_read() {
    // The key lies where the value goes; and the results go where the value is.
    let code = "(local.set 1 (i32.const 70000))
        (memory.copy (local.get 1) ':path')
        (call $status 'get' (call $proxy_get_header_map_value
            (i32.const 0) (local.get 1) (i32.const 5) (i32.const 70000) (i32.const 70004)))
        (call $status 'at' (i32.load (i32.const 70000)))
        (call $status 'length' (i32.load (i32.const 70004)))
        (i32.const 0)";
    let code =
        code.replace("(memory.copy (local.get 1) ':path')", "(local.get 1) ':path' (memory.copy)");
    let mut host =
        host(&format!("{}{}", answering("70000"), logging(&[("request_headers", &code)])));
    host.send(Call::post("/path")).unwrap();
    assert!(log(&mut host).contains("\nget 0\nat 70000\nlength 5\n"), "{}", log(&mut host));
}

#[test]
fn one_that_grows_memory_moves_nothing_away() {
    let allocator = r#"(func (export "malloc") (param i32) (result i32)
        (i32.mul (memory.grow (i32.const 1)) (i32.const 65536)))"#;
    assert_eq!(read(allocator).unwrap(), "read 0, at 131072");
}

#[test]
fn one_that_never_returns_is_stopped() {
    let endless = r#"(func $allocate (export "malloc") (param i32) (result i32)
        (loop $again (br $again)) (unreachable))"#;
    insta::assert_snapshot!(read(endless).unwrap_err(), @"
    the plugin failed in proxy_on_request_body, inside its call of proxy_get_buffer_bytes: it took more than 10 000 000 instructions, the most for one callback (an endless loop?)
       0: allocate
       1: request_body
    ");
}

#[test]
fn one_that_takes_all_memory_says_so() {
    let greedy = r#"(func $allocate (export "malloc") (param i32) (result i32)
        (loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
        (unreachable))"#;
    insta::assert_snapshot!(read(greedy).unwrap_err(), @"
    the plugin failed in proxy_on_request_body, inside its call of proxy_get_buffer_bytes: it aborted (a panic or a failed assertion); its memory could not grow past 16 MiB
       0: allocate
       1: request_body
    ");
}

#[test]
fn one_that_recurses_overflows_its_stack() {
    let deep = r#"(func $allocate (export "malloc") (param i32) (result i32)
        (i32.add (call $allocate (local.get 0)) (i32.const 1)))"#;
    let fault = read(deep).unwrap_err();
    assert_eq!(fault.reason, "its stack overflowed (too deep a recursion?)");
    assert_eq!(fault.host_call.as_deref(), Some("proxy_get_buffer_bytes"));
    assert!(fault.more_frames > 1_000, "{}", fault.more_frames);
}

/// Host calls inside the allocator that hand something over in turn, so deep.
fn nested(depth: u32) -> String {
    format!(
        r#"(global $depth (mut i32) (i32.const 0))
        (func $allocate (export "malloc") (param i32) (result i32)
            (global.set $depth (i32.add (global.get $depth) (i32.const 1)))
            (if (i32.lt_u (global.get $depth) (i32.const {depth}))
                (then (drop (call $proxy_get_buffer_bytes (i32.const 0)
                    (i32.const 0) (i32.const 8) (i32.const 32) (i32.const 36)))))
            (i32.const 70000))"#
    )
}

#[test]
fn allocations_may_lie_in_one_another_up_to_a_depth() {
    assert_eq!(read(&nested(2)).unwrap(), "read 0, at 70000");
    assert_eq!(read(&nested(64)).unwrap(), "read 0, at 70000");
    let fault = read(&nested(65)).unwrap_err();
    assert_eq!(fault.reason, "its allocator makes host calls that allocate in turn, 64 deep");
    assert_eq!(fault.host_call.as_deref(), Some("proxy_get_buffer_bytes"));
}

#[test]
fn a_trap_after_an_inner_allocation_names_the_outer_call() {
    let allocator = r#"(func $allocate (export "malloc") (param i32) (result i32)
        (if (i32.eq (local.get 0) (i32.const 8))
            (then
                (drop (call $proxy_get_header_map_value
                    (i32.const 0) ':path' (i32.const 32) (i32.const 36)))
                (unreachable)))
        (i32.const 70000))"#;
    insta::assert_snapshot!(read(allocator).unwrap_err(), @"
    the plugin failed in proxy_on_request_body, inside its call of proxy_get_buffer_bytes: it aborted (a panic or a failed assertion)
       0: allocate
       1: request_body
    ");
}

#[test]
fn a_trap_in_an_inner_allocation_names_the_inner_call() {
    let allocator = r#"(func $allocate (export "malloc") (param i32) (result i32)
        (if (i32.eq (local.get 0) (i32.const 1)) (then (unreachable)))
        (drop (call $proxy_get_header_map_value
            (i32.const 0) ':path' (i32.const 32) (i32.const 36)))
        (i32.const 70000))"#;
    insta::assert_snapshot!(read(allocator).unwrap_err(), @"
    the plugin failed in proxy_on_request_body, inside its call of proxy_get_header_map_value: it aborted (a panic or a failed assertion)
       0: allocate
       1: allocate
       2: request_body
    ");
}
