//! Plugins as text.

/// A plugin with nothing but these callbacks.
fn plugin(abi: &str, callbacks: &str) -> Vec<u8> {
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

/// Makes bodies upper case, which comes to the same however they are cut.
pub fn edit() -> Vec<u8> {
    plugin(
        "0_2_1",
        r#"(func $upper (param $buffer i32) (result i32)
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
            (i32.const 0))
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (i32.const 0))
        (func (export "proxy_on_request_body") (param i32 i32 i32) (result i32)
            (call $upper (i32.const 0)))
        (func (export "proxy_on_response_body") (param i32 i32 i32) (result i32)
            (call $upper (i32.const 1)))
        (func (export "proxy_on_done") (param i32) (result i32) (i32.const 1))"#,
    )
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

/// Does nothing, in an ABI of this version.
pub fn idle(abi: &str) -> Vec<u8> {
    plugin(abi, "")
}
