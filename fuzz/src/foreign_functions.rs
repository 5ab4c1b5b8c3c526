//! Foreign functions: zlib, expressions, filter state.

use bench_host::host::{Host, Status, calls};

use super::input::Input;
use super::native::{self, Memory, RESULT, answered};

/// Names by their place; a place behind them stands for a name that the input gives.
const NAMES: [&[u8]; 12] = [
    b"expr_create",
    b"expr_evaluate",
    b"expr_delete",
    b"compress",
    b"uncompress",
    b"declare_property",
    b"set_envoy_filter_state",
    b"clear_route_cache",
    b"get_log_level",
    b"set_global_max_requests_per_io_cycle",
    b"inject_encoded_data_to_filter_chain",
    b"inject_encoded_data_to_filter_chain_on_header",
];

/// Whatever its arguments, a function answers with a status. An expression that was made can be
/// evaluated and deleted at any time; what is compressed is uncompressed again.
pub fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let flags = input.byte();
    native::run(native::settings(flags & 1 != 0), flags & 2 != 0, &mut input, step);
}

fn step(host: &mut Host, input: &mut Input<'_>) {
    let what = input.byte();
    let name = match NAMES.get(usize::from(what & 15)) {
        Some(name) => name,
        None => input.text(),
    };
    let arguments = match what >> 4 {
        // Long texts are few, and short ones many.
        0 => {
            let length = u16::from_le_bytes([input.byte(), input.byte()]);
            input.bytes(length.into())
        }
        _ => input.text(),
    };
    match (name, call(host, name, arguments)) {
        (b"expr_create", Ok(token)) => {
            assert_eq!(token.len(), 4, "a token has four bytes");
            let value = call(host, b"expr_evaluate", &token);
            assert_ne!(value, Err(Status::NotFound), "an expression is there");
            if what & 0x80 != 0 {
                assert_eq!(call(host, b"expr_delete", &token), Ok(Vec::new()));
                assert_eq!(call(host, b"expr_evaluate", &token), Err(Status::NotFound));
            }
        }
        (b"compress", Ok(packed)) => {
            assert_eq!(call(host, b"uncompress", &packed).as_deref(), Ok(arguments));
        }
        _ => {}
    }
}

fn call(host: &mut Host, name: &[u8], arguments: &[u8]) -> Result<Vec<u8>, Status> {
    let mut memory = Memory::new(host, &[name, arguments]);
    let (name, arguments) = (memory.span(0), memory.span(1));
    match answered(calls::call_foreign_function(&mut memory, name, arguments, RESULT)) {
        Status::Ok => Ok(memory.result()),
        status => Err(status),
    }
}
