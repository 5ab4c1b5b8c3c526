//! What the host calls.

#![expect(unsafe_code, reason = "exports have names that others could take")]

use std::cell::RefCell;

use crate::abi::Gateway;
use crate::streams::Streams;

thread_local! {
    static STREAMS: RefCell<Streams> = RefCell::default();
}

fn with<T>(work: impl FnOnce(&mut Streams) -> T) -> T {
    STREAMS.with_borrow_mut(work)
}

fn run(context: u32, name: &'static str, told: &str) -> u32 {
    with(|streams| streams.run(&mut Gateway, context, name, told))
}

fn body(context: u32, name: &'static str, size: u32, end: u32) -> u32 {
    run(context, name, &format!(" {size}{}", ending(end)))
}

fn ending(end: u32) -> &'static str {
    if end == 0 { "" } else { " end" }
}

#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(context: u32, _count: u32, end: u32) -> u32 {
    with(|streams| streams.begin(&mut Gateway, context));
    run(context, "qh", ending(end))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_body(context: u32, size: u32, end: u32) -> u32 {
    body(context, "qb", size, end)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_trailers(context: u32, count: u32) -> u32 {
    run(context, "qt", &format!(" {count}"))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_headers(context: u32, _count: u32, end: u32) -> u32 {
    run(context, "sh", ending(end))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_body(context: u32, size: u32, end: u32) -> u32 {
    body(context, "sb", size, end)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_trailers(context: u32, count: u32) -> u32 {
    run(context, "st", &format!(" {count}"))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_http_call_response(
    _root: u32,
    token: u32,
    _headers: u32,
    size: u32,
    trailers: u32,
) {
    let told = format!(" {size} {trailers}");
    with(|streams| streams.answered(&mut Gateway, token, &told));
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_tick(_root: u32) {
    with(|streams| streams.tick(&mut Gateway));
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_log(context: u32) {
    run(context, "log", "");
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_delete(context: u32) {
    with(|streams| streams.end(&mut Gateway, context));
}
