//! A guest that does what records in its memory say.
//!
//! A record is an import's place in [`IMPORTS`], how often it is called, whether the callback then
//! returns, what it answers, and the arguments: words of 32 bits. When the VM starts, the guest
//! asks for the configuration of the VM, which begins with a word that says where the records end
//! and one that says how many of them its allocator is to run; its allocator hands out [`BASE`] for
//! it.

use std::fmt::Write as _;

use super::imports::{IMPORTS, Kind};

/// Where the configuration of the VM comes to lie.
pub const BASE: u32 = 4096;

/// Bytes of a record, and of what comes before its arguments.
pub const RECORD: u32 = HEAD + 4 * ARGUMENTS;
const HEAD: u32 = 16;

/// Words that the longest list of arguments takes.
pub const ARGUMENTS: u32 = 14;

/// Pages of memory; the host may not write beyond.
const PAGES: u32 = 4;

/// Callbacks, how many parameters they have, and what they answer where no record says it.
const CALLBACKS: [(&str, usize, Option<u32>); 27] = [
    ("context_create", 2, None),
    ("configure", 2, Some(1)),
    ("request_headers", 3, Some(0)),
    ("request_body", 3, Some(0)),
    ("request_trailers", 2, Some(0)),
    ("request_metadata", 2, Some(0)),
    ("response_headers", 3, Some(0)),
    ("response_body", 3, Some(0)),
    ("response_trailers", 2, Some(0)),
    ("response_metadata", 2, Some(0)),
    ("tick", 1, None),
    ("queue_ready", 2, None),
    ("http_call_response", 5, None),
    ("redis_call_response", 4, None),
    ("grpc_receive_initial_metadata", 3, None),
    ("grpc_receive", 3, None),
    ("grpc_receive_trailing_metadata", 3, None),
    ("grpc_close", 3, None),
    ("new_connection", 1, Some(0)),
    ("downstream_data", 3, Some(0)),
    ("downstream_connection_close", 2, None),
    ("upstream_data", 3, Some(0)),
    ("upstream_connection_close", 2, None),
    ("foreign_function", 3, None),
    ("log", 1, None),
    ("done", 1, Some(1)),
    ("delete", 1, None),
];

/// What does not depend on the imports.
const FIXED: &str = r#"
    (func (export "proxy_abi_version_0_2_1"))
    (global $at (mut i32) (i32.const 0))
    (global $end (mut i32) (i32.const 0))
    (global $inner (mut i32) (i32.const 0))
    (global $heap (mut i32) (i32.const 4096))
    (global $floor (mut i32) (i32.const 4096))
    (func (export "proxy_on_memory_allocate") (param $size i32) (result i32)
        (local $place i32)
        (if (i32.gt_s (global.get $inner) (i32.const 0)) (then
            (global.set $inner (i32.sub (global.get $inner) (i32.const 1)))
            (if (i32.lt_u (global.get $at) (global.get $end)) (then (call $next)))))
        (if (i32.gt_u (local.get $size) (i32.const 0x20000)) (then (return (i32.const 0))))
        (if (i32.gt_u (i32.add (global.get $heap) (local.get $size)) (i32.const 0x38000))
            (then (global.set $heap (global.get $floor))))
        (local.set $place (global.get $heap))
        (global.set $heap (i32.add (global.get $heap) (local.get $size)))
        (local.get $place))
    (func $next (local $record i32) (local $times i32)
        (local.set $record (global.get $at))
        (global.set $at (i32.add (local.get $record) (global.get $record_size)))
        (local.set $times (i32.load offset=4 (local.get $record)))
        (loop $again
            (call $call (local.get $record))
            (local.set $times (i32.sub (local.get $times) (i32.const 1)))
            (br_if $again (i32.gt_s (local.get $times) (i32.const 0)))))
    (func $run (param $answer i32) (result i32)
        (local $record i32)
        (block $out (loop $more
            (local.set $record (global.get $at))
            (br_if $out (i32.ge_u (local.get $record) (global.get $end)))
            (call $next)
            (br_if $more (i32.eqz (i32.load offset=8 (local.get $record))))
            (return (i32.load offset=12 (local.get $record)))))
        (local.get $answer))
    (func (export "proxy_on_vm_start") (param i32 i32) (result i32)
        (drop (call $proxy_get_buffer_bytes (i32.const 6) (i32.const 0) (i32.const 0x7fffffff)
            (i32.const 0) (i32.const 4)))
        (global.set $at (i32.const 4104))
        (global.set $end (i32.load (i32.const 4096)))
        (global.set $inner (i32.load (i32.const 4100)))
        (global.set $floor (global.get $heap))
        (i32.const 1))"#;

/// The module.
pub fn module() -> Vec<u8> {
    let mut text = "(module\n".to_owned();
    for import in IMPORTS {
        let mut parameters = String::new();
        for kind in import.arguments() {
            parameters += match kind {
                Kind::Number | Kind::Period | Kind::Place => "i32 ",
                Kind::Long => "i64 ",
                Kind::Bytes | Kind::Pairs => "i32 i32 ",
            };
        }
        let (module, name) = (import.module, import.name);
        push(
            &mut text,
            format_args!(
                "(import \"{module}\" \"{name}\" (func ${name} (param {parameters}) (result i32)))\n"
            ),
        );
    }
    push(&mut text, format_args!("(memory (export \"memory\") {PAGES})\n"));
    push(&mut text, format_args!("(global $record_size i32 (i32.const {RECORD}))\n"));
    text += FIXED;
    for (name, parameters, answer) in CALLBACKS {
        let parameters = "i32 ".repeat(parameters);
        let code = match answer {
            Some(answer) => format!("(result i32) (call $run (i32.const {answer}))"),
            None => "(drop (call $run (i32.const 0)))".to_owned(),
        };
        push(
            &mut text,
            format_args!("(func (export \"proxy_on_{name}\") (param {parameters}) {code})\n"),
        );
    }
    text += &dispatch();
    text += ")";
    wat::parse_str(&text).expect("the guest is written right")
}

/// The function that makes the call of a record.
fn dispatch() -> String {
    let mut text = "(func $call (param $record i32)\n(block $none\n".to_owned();
    for place in (0..IMPORTS.len()).rev() {
        push(&mut text, format_args!("(block $import_{place} "));
    }
    text += "\n(br_table";
    for place in 0..IMPORTS.len() {
        push(&mut text, format_args!(" $import_{place}"));
    }
    text += " $none (i32.load (local.get $record))))\n";
    for (place, import) in IMPORTS.iter().enumerate() {
        push(&mut text, format_args!("(drop (call ${}", import.name));
        let mut offset = HEAD;
        for kind in import.arguments() {
            let (words, ty) = match kind {
                Kind::Number | Kind::Period | Kind::Place => (1, "i32"),
                Kind::Long => (2, "i64"),
                Kind::Bytes | Kind::Pairs => (2, "i32"),
            };
            push(&mut text, format_args!(" ({ty}.load offset={offset} (local.get $record))"));
            if words == 2 && ty == "i32" {
                let length = offset + 4;
                push(&mut text, format_args!(" (i32.load offset={length} (local.get $record))"));
            }
            offset += 4 * words;
        }
        let close = if place + 1 < IMPORTS.len() { ")" } else { "" };
        push(&mut text, format_args!(")) (return){close}\n"));
    }
    text + "))\n"
}

fn push(text: &mut String, more: std::fmt::Arguments<'_>) {
    text.write_fmt(more).expect("a text takes everything");
}
