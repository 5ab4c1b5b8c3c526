//! Plugins as text.

/// A plugin with nothing but these callbacks.
pub fn plugin(abi: &str, callbacks: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
        (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
        (import "env" "proxy_get_buffer_bytes"
            (func $get (param i32 i32 i32 i32 i32) (result i32)))
        (import "env" "proxy_set_buffer_bytes"
            (func $set (param i32 i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 2)
        (func (export "proxy_abi_version_{abi}"))
        (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 4096))
        (data (i32.const 64) "no rules in the configuration")
        {callbacks})"#
    );
    wat::parse_str(text).unwrap()
}

/// A function that makes the bytes of a buffer upper case.
const UPPER: &str = r#"(func $upper (param $buffer i32) (result i32)
            (local $at i32) (local $end i32) (local $byte i32)
            (drop (call $get (local.get $buffer)
                (i32.const 0) (i32.const 0x7fffffff) (i32.const 0) (i32.const 4)))
            (local.set $at (i32.load (i32.const 0)))
            (local.set $end (i32.add (local.get $at) (i32.load (i32.const 4))))
            (block $done (loop $next
                (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
                (local.set $byte (i32.load8_u (local.get $at)))
                (if (i32.le_u (i32.sub (local.get $byte) (i32.const 97)) (i32.const 25))
                    (then (i32.store8 (local.get $at)
                        (i32.sub (local.get $byte) (i32.const 32)))))
                (local.set $at (i32.add (local.get $at) (i32.const 1)))
                (br $next)))
            (drop (call $set (local.get $buffer) (i32.const 0) (i32.const 0x7fffffff)
                (i32.load (i32.const 0)) (i32.load (i32.const 4))))
            (i32.const 0))"#;

/// Makes bodies upper case, which comes to the same however they are cut.
pub fn edit() -> Vec<u8> {
    plugin(
        "0_2_1",
        &[
            UPPER,
            r#"
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (i32.const 0))
        (func (export "proxy_on_request_body") (param i32 i32 i32) (result i32)
            (call $upper (i32.const 0)))
        (func (export "proxy_on_response_body") (param i32 i32 i32) (result i32)
            (call $upper (i32.const 1)))
        (func (export "proxy_on_done") (param i32) (result i32) (i32.const 1))"#,
        ]
        .concat(),
    )
}

/// Asks the cluster `auth` for `/check` about every request, which waits for the answer.
pub fn asking() -> Vec<u8> {
    let headers = pairs(&[(":method", "GET"), (":path", "/check"), (":authority", "a")]);
    let text = format!(
        r#"(module
        (import "env" "proxy_http_call"
            (func $call (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
        (import "env" "proxy_set_effective_context" (func $effective (param i32) (result i32)))
        (import "env" "proxy_continue_stream" (func $continue (param i32) (result i32)))
        (memory (export "memory") 2)
        (global $stream (mut i32) (i32.const 0))
        (func (export "proxy_abi_version_0_2_1"))
        (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 4096))
        (data (i32.const 64) "auth")
        (data (i32.const 128) "{headers}")
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
            (global.set $stream (local.get 0))
            (if (result i32)
                (call $call (i32.const 64) (i32.const 4) (i32.const 128) (i32.const {length})
                    (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
                    (i32.const 500) (i32.const 16))
                (then (i32.const 0))
                (else (i32.const 4))))
        (func (export "proxy_on_http_call_response") (param i32 i32 i32 i32 i32)
            (drop (call $effective (global.get $stream)))
            (drop (call $continue (i32.const 0)))))"#,
        length = headers.len() / 3,
    );
    wat::parse_str(text).unwrap()
}

/// Pairs in the wire format, every byte as an escape of the text format.
fn pairs(pairs: &[(&str, &str)]) -> String {
    let number = |number: usize| u32::try_from(number).unwrap().to_le_bytes();
    let mut wire = number(pairs.len()).to_vec();
    for (name, value) in pairs {
        wire.extend(number(name.len()));
        wire.extend(number(value.len()));
    }
    for (name, value) in pairs {
        wire.extend([name.as_bytes(), b"\0", value.as_bytes(), b"\0"].concat());
    }
    wire.iter().map(|byte| format!("\\{byte:02x}")).collect()
}

/// Refuses its configuration and says why.
pub fn refusing() -> Vec<u8> {
    plugin(
        "0_2_1",
        r#"(func (export "proxy_on_configure") (param i32 i32) (result i32)
            (drop (call $log (i32.const 4) (i32.const 64) (i32.const 29)))
            (i32.const 0))"#,
    )
}

/// Aborts in the callback of this name, whose parameters and result are these.
pub fn trapping(callback: &str, signature: &str) -> Vec<u8> {
    plugin(
        "0_2_1",
        &format!(
            r#"(func $panic (unreachable))
            (func $callback (export "{callback}") {signature} (call $panic) (unreachable))"#
        ),
    )
}

/// Ends its VM on purpose with its second stream, as the SDK does for a fresh one: the word behind
/// its books says so.
pub fn ending() -> Vec<u8> {
    plugin(
        "0_2_1",
        r#"(data (i32.const 1024) "\01\00\00\00\00\00\00\00")
        (func (export "chunkwise_books") (result i32) (i32.const 1024))
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (i32.const 0))
        (func (export "proxy_on_delete") (param i32)
            (if (i32.gt_u (local.get 0) (i32.const 2)) (then
                (i64.store (i32.const 1072) (i64.const 0x21646c6975626572))
                (unreachable))))"#,
    )
}

/// Never comes back from its first callback.
pub fn endless() -> Vec<u8> {
    plugin(
        "0_2_1",
        r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
            (loop $again (br $again)) (unreachable))"#,
    )
}

/// Takes all the memory that it gets in its first callback, and then aborts.
pub fn greedy() -> Vec<u8> {
    plugin(
        "0_2_1",
        r#"(func $more (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
            (loop $again
                (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
            (unreachable))"#,
    )
}

/// Logs this many lines in every callback with headers.
pub fn talking(lines: u32) -> Vec<u8> {
    plugin(
        "0_2_1",
        &format!(
            r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
            (local.set 1 (i32.const {lines}))
            (loop $again
                (drop (call $log (i32.const 4) (i32.const 64) (i32.const 29)))
                (br_if $again (local.tee 1 (i32.sub (local.get 1) (i32.const 1)))))
            (i32.const 0))"#
        ),
    )
}

/// Does one thing for each kind of expectation in a suite, as its request headers ask:
/// - any request: logs `headers` and adds the header `seen: yes` once more;
/// - with a header `deny`: answers with 403, details, a header and a body, and still says continue;
/// - with a header `pause`: pauses;
/// - with a header `trap`: aborts;
/// - bodies: logs `chunk`, and makes them upper case.
pub fn scripted() -> Vec<u8> {
    let text = format!(
        r#"(module
        (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
        (import "env" "proxy_get_buffer_bytes"
            (func $get (param i32 i32 i32 i32 i32) (result i32)))
        (import "env" "proxy_set_buffer_bytes"
            (func $set (param i32 i32 i32 i32 i32) (result i32)))
        (import "env" "proxy_get_header_map_value"
            (func $header (param i32 i32 i32 i32 i32) (result i32)))
        (import "env" "proxy_add_header_map_value"
            (func $add (param i32 i32 i32 i32 i32) (result i32)))
        (import "env" "proxy_get_property" (func $property (param i32 i32 i32 i32) (result i32)))
        (import "env" "proxy_get_current_time_nanoseconds" (func $now (param i32) (result i32)))
        (import "wasi_snapshot_preview1" "clock_time_get"
            (func $wasi_now (param i32 i64 i32) (result i32)))
        (import "env" "proxy_send_local_response"
            (func $reply (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 4)
        (func (export "proxy_abi_version_0_2_1"))
        (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 65536))
        (data (i32.const 64) "headers")
        (data (i32.const 80) "chunk")
        (data (i32.const 96) "seenyes")
        (data (i32.const 112) "denypausetrap")
        (data (i32.const 128) "not on the list")
        (data (i32.const 144) "go away")
        (data (i32.const 160) "\01\00\00\00\03\00\00\00\02\00\00\00why\00no\00")
        (data (i32.const 192) "one\00two")
        (data (i32.const 208) "same time")
        (data (i32.const 224) "configured")
        (func $has (param $at i32) (param $len i32) (result i32)
            (i32.eqz (call $header (i32.const 0) (local.get $at) (local.get $len)
                (i32.const 0) (i32.const 4))))
        (func (export "proxy_on_configure") (param i32 i32) (result i32)
            (drop (call $log (i32.const 2) (i32.const 224) (i32.const 10)))
            (i32.const 1))
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
            (drop (call $log (i32.const 2) (i32.const 64) (i32.const 7)))
            (drop (call $log (i32.const 1) (i32.const 80) (i32.const 5)))
            (drop (call $add (i32.const 0) (i32.const 96) (i32.const 4)
                (i32.const 100) (i32.const 3)))
            (drop (call $now (i32.const 16)))
            (drop (call $wasi_now (i32.const 0) (i64.const 0) (i32.const 24)))
            (if (i64.eq (i64.load (i32.const 16)) (i64.load (i32.const 24)))
                (then (drop (call $log (i32.const 2) (i32.const 208) (i32.const 9)))))
            (if (i32.eqz (call $property (i32.const 192) (i32.const 7)
                    (i32.const 0) (i32.const 4)))
                (then (drop (call $log (i32.const 3)
                    (i32.load (i32.const 0)) (i32.load (i32.const 4))))))
            (if (call $has (i32.const 121) (i32.const 4)) (then (unreachable)))
            (if (call $has (i32.const 116) (i32.const 5)) (then (return (i32.const 1))))
            (if (call $has (i32.const 112) (i32.const 4)) (then
                (drop (call $reply (i32.const 403) (i32.const 128) (i32.const 15)
                    (i32.const 144) (i32.const 7) (i32.const 160) (i32.const 19)
                    (i32.const 7)))))
            (i32.const 0))
        {UPPER}
        (func (export "proxy_on_request_body") (param i32 i32 i32) (result i32)
            (drop (call $log (i32.const 2) (i32.const 80) (i32.const 5)))
            (call $upper (i32.const 0)))
        (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32) (i32.const 0))
        (func (export "proxy_on_response_body") (param i32 i32 i32) (result i32)
            (call $upper (i32.const 1))))"#
    );
    wat::parse_str(text).unwrap()
}

/// Does nothing, in an ABI of this version.
pub fn idle(abi: &str) -> Vec<u8> {
    plugin(abi, "")
}
