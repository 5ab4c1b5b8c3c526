//! The host's functions as symbols, for plugins of this process.
//!
//! # Safety
//! The contract is the ABI's, for every symbol: each pointer with a length describes a live slice
//! of the caller's, and each out pointer is live and writable, for the time of the call.

use super::caller::host_call;
use crate::host::HeaderMap;
use crate::host::calls::{self, GrpcCallArguments, HttpCallArguments, Out, Span};

/// The address of a pointer, whose provenance is found again by [`host_call`]'s reads and writes.
fn address<T>(pointer: *const T) -> u64 {
    pointer.expose_provenance() as u64
}

fn span(data: *const u8, len: usize) -> Span {
    Span(address(data), len as u64)
}

fn out(data: *mut *mut u8, len: *mut usize) -> Out {
    Out(address(data), address(len))
}

/// The ABI's numbers are 32 bits wide; longer ones mean "to the end".
fn number(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

macro_rules! symbols {
    ($(fn $name:ident($($arg:ident: $ty:ty),* $(,)?) => |$guest:ident| $call:expr;)*) => {$(
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name($($arg: $ty),*) -> u32 {
            host_call(stringify!($name), |$guest| $call)
        }
    )*};
}

symbols! {
    fn proxy_log(level: u32, p: *const u8, n: usize) => |g| calls::log(g, level, span(p, n));
    fn proxy_get_log_level(level: *mut u32) => |g| calls::get_log_level(g, address(level));
    fn proxy_get_current_time_nanoseconds(now: *mut u64)
        => |g| calls::get_current_time(g, address(now));
    fn proxy_set_tick_period_milliseconds(period: u32)
        => |g| calls::set_tick_period(g, period);
    fn proxy_get_buffer_bytes(
        buffer: u32, start: usize, length: usize, p: *mut *mut u8, n: *mut usize,
    ) => |g| calls::get_buffer_bytes(g, buffer, number(start), number(length), out(p, n));
    fn proxy_set_buffer_bytes(
        buffer: u32, start: usize, length: usize, p: *const u8, n: usize,
    ) => |g| calls::set_buffer_bytes(g, buffer, number(start), number(length), span(p, n));
    fn proxy_get_header_map_value(
        map: u32, p: *const u8, n: usize, vp: *mut *mut u8, vn: *mut usize,
    ) => |g| calls::get_header(g, map, span(p, n), out(vp, vn));
    fn proxy_add_header_map_value(
        map: u32, p: *const u8, n: usize, vp: *const u8, vn: usize,
    ) => |g| calls::put_header(g, map, span(p, n), span(vp, vn), HeaderMap::add);
    fn proxy_replace_header_map_value(
        map: u32, p: *const u8, n: usize, vp: *const u8, vn: usize,
    ) => |g| calls::put_header(g, map, span(p, n), span(vp, vn), HeaderMap::set);
    fn proxy_remove_header_map_value(map: u32, p: *const u8, n: usize)
        => |g| calls::remove_header(g, map, span(p, n));
    fn proxy_get_header_map_pairs(map: u32, p: *mut *mut u8, n: *mut usize)
        => |g| calls::get_pairs(g, map, out(p, n));
    fn proxy_set_header_map_pairs(map: u32, p: *const u8, n: usize)
        => |g| calls::set_pairs(g, map, span(p, n));
    fn proxy_get_property(p: *const u8, n: usize, vp: *mut *mut u8, vn: *mut usize)
        => |g| calls::get_property(g, span(p, n), out(vp, vn));
    fn proxy_set_property(p: *const u8, n: usize, vp: *const u8, vn: usize)
        => |g| calls::set_property(g, span(p, n), span(vp, vn));
    fn proxy_send_local_response(
        status: u32, dp: *const u8, dn: usize, bp: *const u8, bn: usize,
        hp: *const u8, hn: usize, grpc: i32,
    ) => |g| {
        let (details, body, headers) = (span(dp, dn), span(bp, bn), span(hp, hn));
        calls::send_local_response(g, status, details, body, headers, grpc.cast_unsigned())
    };
    fn proxy_continue_stream(kind: u32) => |g| calls::continue_stream(g, kind);
    fn proxy_close_stream(kind: u32) => |g| calls::close_stream(g, kind);
    fn proxy_set_effective_context(context: u32)
        => |g| calls::set_effective_context(g, context);
    fn proxy_get_shared_data(
        p: *const u8, n: usize, vp: *mut *mut u8, vn: *mut usize, cas: *mut u32,
    ) => |g| calls::get_shared_data(g, span(p, n), out(vp, vn), address(cas));
    fn proxy_set_shared_data(p: *const u8, n: usize, vp: *const u8, vn: usize, cas: u32)
        => |g| calls::set_shared_data(g, span(p, n), span(vp, vn), cas);
    fn proxy_register_shared_queue(p: *const u8, n: usize, token: *mut u32)
        => |g| calls::register_queue(g, span(p, n), address(token));
    fn proxy_resolve_shared_queue(
        vm: *const u8, vm_len: usize, p: *const u8, n: usize, token: *mut u32,
    ) => |g| calls::resolve_queue(g, span(vm, vm_len), span(p, n), address(token));
    fn proxy_enqueue_shared_queue(token: u32, p: *const u8, n: usize)
        => |g| calls::enqueue(g, token, span(p, n));
    fn proxy_dequeue_shared_queue(token: u32, p: *mut *mut u8, n: *mut usize)
        => |g| calls::dequeue(g, token, out(p, n));
    fn proxy_define_metric(kind: u32, p: *const u8, n: usize, id: *mut u32)
        => |g| calls::define_metric(g, kind, span(p, n), address(id));
    fn proxy_increment_metric(id: u32, by: i64) => |g| calls::increment_metric(g, id, by);
    fn proxy_record_metric(id: u32, value: u64) => |g| calls::record_metric(g, id, value);
    fn proxy_get_metric(id: u32, value: *mut u64) => |g| calls::get_metric(g, id, address(value));
    fn proxy_done() => |g| calls::done(g);
    fn proxy_get_status(code: *mut u32, p: *mut *mut u8, n: *mut usize)
        => |g| calls::get_status(g, address(code), out(p, n));
    fn proxy_http_call(
        cp: *const u8, cn: usize, hp: *const u8, hn: usize, bp: *const u8, bn: usize,
        tp: *const u8, tn: usize, timeout: u32, token: *mut u32,
    ) => |g| {
        let (cluster, headers) = (span(cp, cn), span(hp, hn));
        let (body, trailers) = (span(bp, bn), span(tp, tn));
        let arguments = HttpCallArguments { cluster, headers, body, trailers, timeout };
        calls::http_call(g, arguments, address(token))
    };
    fn proxy_grpc_call(
        gp: *const u8, gn: usize, sp: *const u8, sn: usize, mp: *const u8, mn: usize,
        ip: *const u8, in_: usize, bp: *const u8, bn: usize, timeout: u32, token: *mut u32,
    ) => |g| {
        let arguments = GrpcCallArguments {
            target: span(gp, gn),
            service: span(sp, sn),
            method: span(mp, mn),
            initial_metadata: span(ip, in_),
            message: Some(span(bp, bn)),
            timeout,
        };
        calls::grpc_call(g, arguments, address(token))
    };
    fn proxy_grpc_stream(
        gp: *const u8, gn: usize, sp: *const u8, sn: usize, mp: *const u8, mn: usize,
        ip: *const u8, in_: usize, token: *mut u32,
    ) => |g| {
        let arguments = GrpcCallArguments {
            target: span(gp, gn),
            service: span(sp, sn),
            method: span(mp, mn),
            initial_metadata: span(ip, in_),
            message: None,
            timeout: 0,
        };
        calls::grpc_call(g, arguments, address(token))
    };
    fn proxy_grpc_send(token: u32, p: *const u8, n: usize, end: u32)
        => |g| calls::grpc_send(g, token, span(p, n), end);
    fn proxy_grpc_close(token: u32) => |g| calls::grpc_close(g, token);
    fn proxy_grpc_cancel(token: u32) => |g| calls::grpc_cancel(g, token);
    fn proxy_redis_init(
        cp: *const u8, cn: usize, up: *const u8, un: usize, pp: *const u8, pn: usize, timeout: u32,
    ) => |g| calls::redis_init(g, span(cp, cn), span(up, un), span(pp, pn), timeout);
    fn proxy_redis_call(cp: *const u8, cn: usize, qp: *const u8, qn: usize, token: *mut u32)
        => |g| calls::redis_call(g, span(cp, cn), span(qp, qn), address(token));
    fn proxy_inject_encoded_data_to_filter_chain(p: *const u8, n: usize, end: u32)
        => |g| calls::inject(g, span(p, n), end);
    fn proxy_get_upstream_hosts(p: *mut *mut u8, n: *mut usize)
        => |g| calls::get_upstream_hosts(g, out(p, n));
    fn proxy_set_upstream_override_host(p: *const u8, n: usize)
        => |g| calls::set_upstream_override_host(g, span(p, n));
    fn proxy_call_foreign_function(
        np: *const u8, nn: usize, ap: *const u8, an: usize, p: *mut *mut u8, n: *mut usize,
    ) => |g| calls::call_foreign_function(g, span(np, nn), span(ap, an), out(p, n));
}
