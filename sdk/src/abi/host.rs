//! Host calls as safe functions over borrowed memory.
//!
//! Every function here makes exactly one host call and allocates nothing.

use std::ptr;

use super::raw;
use super::types::{Buffer, Direction, Map, Status};
use crate::error::{Error, HostError, Result};
use crate::memory::{Arena, Scope};

/// A length that reaches to the end of any buffer; the host clamps it.
const TO_THE_END: usize = i32::MAX as usize;

/// Writes a line to the proxy's log.
///
/// There is nobody left to tell when logging fails, so the status is dropped.
pub(crate) fn log(level: u32, message: &str) {
    // SAFETY: pointer and length describe a live string, which the host only reads.
    let _ = unsafe { raw::proxy_log(level, message.as_ptr(), message.len()) };
}

/// The level from which on the proxy keeps log lines.
pub(crate) fn log_level() -> Result<u32> {
    let mut level = 0;
    // SAFETY: the pointer is to a live `u32`, which the host writes.
    let status = unsafe { raw::proxy_get_log_level(&raw mut level) };
    done("proxy_get_log_level", status).map(|()| level)
}

/// Copies a part of a buffer into the arena; the host clamps `length`.
#[expect(clippy::mut_from_ref, reason = "each claim hands out memory of its own")]
pub(crate) fn buffer_bytes<'scope>(
    scope: &'scope Scope<'_>,
    buffer: Buffer,
    start: usize,
    length: usize,
) -> Result<&'scope mut [u8]> {
    let wanted = (length != TO_THE_END).then_some(length);
    let answer = fetch_sized(scope, "proxy_get_buffer_bytes", wanted, |data, size| {
        // SAFETY: both out pointers are live, see `fetch`.
        unsafe { raw::proxy_get_buffer_bytes(buffer as u32, start, length, data, size) }
    })?;
    Ok(answer.unwrap_or_default())
}

/// Copies a whole buffer into the arena.
pub(crate) fn whole_buffer<'scope>(
    scope: &'scope Scope<'_>,
    buffer: Buffer,
) -> Result<&'scope [u8]> {
    Ok(&*buffer_bytes(scope, buffer, 0, TO_THE_END)?)
}

/// Has the host write a part of a buffer into memory of its own, for bytes that are kept: as many as
/// it has announced, or it is an error.
pub(crate) fn owned_buffer(
    arena: &Arena,
    buffer: Buffer,
    start: usize,
    length: usize,
) -> Result<Vec<u8>> {
    let bytes = fetch_owned(arena, Vec::new(), "proxy_get_buffer_bytes", |data, size| {
        // SAFETY: both out pointers are live, see `fetch`.
        unsafe { raw::proxy_get_buffer_bytes(buffer as u32, start, length, data, size) }
    })?;
    whole(bytes, length)
}

/// The headers of the answer that is being delivered, written into a buffer that is used again.
pub(crate) fn call_headers(arena: &Arena, buffer: Vec<u8>) -> Result<Vec<u8>> {
    fetch_owned(arena, buffer, "proxy_get_header_map_pairs", |data, size| {
        // SAFETY: the out pointers are live, see `fetch`.
        unsafe { raw::proxy_get_header_map_pairs(Map::CallResponseHeaders as u32, data, size) }
    })
}

/// The body of the answer that is being delivered, written into a buffer that is used again.
pub(crate) fn call_body(arena: &Arena, buffer: Vec<u8>, length: usize) -> Result<Vec<u8>> {
    let bytes = fetch_owned(arena, buffer, "proxy_get_buffer_bytes", |data, size| {
        let body = Buffer::CallResponseBody as u32;
        // SAFETY: the out pointers are live, see `fetch`.
        unsafe { raw::proxy_get_buffer_bytes(body, 0, length, data, size) }
    })?;
    whole(bytes, length)
}

/// Where [`set_buffer`] puts its bytes: the three edits that every host has.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    /// Instead of the first bytes, as many as given; 0 puts them in front.
    Prefix(usize),
    /// Instead of everything.
    All,
    /// Behind everything.
    End,
}

/// Changes a buffer.
pub(crate) fn set_buffer(buffer: Buffer, place: Place, data: &[u8]) -> Result<()> {
    let (start, length) = match place {
        Place::Prefix(length) => (0, length),
        Place::All => (0, TO_THE_END),
        Place::End => (TO_THE_END, 0),
    };
    // SAFETY: pointer and length describe a live slice, which the host only reads.
    let status = unsafe {
        raw::proxy_set_buffer_bytes(buffer as u32, start, length, data.as_ptr(), data.len())
    };
    done("proxy_set_buffer_bytes", status)
}

/// The first value of a header; `None` when there is no such header.
pub(crate) fn header<'scope>(
    scope: &'scope Scope<'_>,
    map: Map,
    name: &str,
) -> Result<Option<&'scope [u8]>> {
    let answer = fetch(scope, "proxy_get_header_map_value", |data, size| {
        // SAFETY: the name is a live string that the host only reads; the out pointers are live,
        // see `fetch`.
        unsafe {
            raw::proxy_get_header_map_value(map as u32, name.as_ptr(), name.len(), data, size)
        }
    })?;
    Ok(answer.map(|value| &*value))
}

/// A whole header map in the wire format of [`pairs`](super::pairs).
pub(crate) fn header_pairs<'scope>(scope: &'scope Scope<'_>, map: Map) -> Result<&'scope [u8]> {
    let answer = fetch(scope, "proxy_get_header_map_pairs", |data, size| {
        // SAFETY: the out pointers are live, see `fetch`.
        unsafe { raw::proxy_get_header_map_pairs(map as u32, data, size) }
    })?;
    Ok(answer.map_or(&[], |pairs| &*pairs))
}

/// Puts these headers in the place of all; `pairs` is in the wire format of
/// [`pairs`](super::pairs).
pub(crate) fn set_header_pairs(map: Map, pairs: &[u8]) -> Result<()> {
    // SAFETY: pointer and length describe a live slice, which the host only reads.
    let status =
        unsafe { raw::proxy_set_header_map_pairs(map as u32, pairs.as_ptr(), pairs.len()) };
    done("proxy_set_header_map_pairs", status)
}

/// Adds a header behind those of the same name.
pub(crate) fn add_header(map: Map, name: &str, value: &[u8]) -> Result<()> {
    // SAFETY: both pairs of pointer and length describe live slices, which the host only reads.
    let status = unsafe {
        raw::proxy_add_header_map_value(
            map as u32,
            name.as_ptr(),
            name.len(),
            value.as_ptr(),
            value.len(),
        )
    };
    done("proxy_add_header_map_value", status)
}

/// Sets a header and removes all others of the same name.
pub(crate) fn set_header(map: Map, name: &str, value: &[u8]) -> Result<()> {
    // SAFETY: both pairs of pointer and length describe live slices, which the host only reads.
    let status = unsafe {
        raw::proxy_replace_header_map_value(
            map as u32,
            name.as_ptr(),
            name.len(),
            value.as_ptr(),
            value.len(),
        )
    };
    done("proxy_replace_header_map_value", status)
}

/// Removes all headers of a name.
pub(crate) fn remove_header(map: Map, name: &str) -> Result<()> {
    // SAFETY: pointer and length describe a live string, which the host only reads.
    let status =
        unsafe { raw::proxy_remove_header_map_value(map as u32, name.as_ptr(), name.len()) };
    done("proxy_remove_header_map_value", status)
}

/// A property; its path's segments are separated by NUL. `None` when the host does not know it.
pub(crate) fn property<'scope>(
    scope: &'scope Scope<'_>,
    path: &str,
) -> Result<Option<&'scope [u8]>> {
    let answer = fetch(scope, "proxy_get_property", |data, size| {
        // SAFETY: the path is a live string that the host only reads; the out pointers are live,
        // see `fetch`.
        unsafe { raw::proxy_get_property(path.as_ptr(), path.len(), data, size) }
    })?;
    Ok(answer.map(|value| &*value))
}

/// Sets a property; its path's segments are separated by NUL.
pub(crate) fn set_property(path: &str, value: &[u8]) -> Result<()> {
    // SAFETY: both pairs of pointer and length describe live slices, which the host only reads.
    let status =
        unsafe { raw::proxy_set_property(path.as_ptr(), path.len(), value.as_ptr(), value.len()) };
    done("proxy_set_property", status)
}

/// Lets what a callback of this direction has stopped go on.
pub(crate) fn continue_stream(direction: Direction) -> Result<()> {
    let stream = match direction {
        Direction::Request => 0,
        Direction::Response => 1,
    };
    // SAFETY: the call takes a number.
    let status = unsafe { raw::proxy_continue_stream(stream) };
    done("proxy_continue_stream", status)
}

/// Makes the following calls work on this context, until the callback ends.
pub(crate) fn set_effective_context(context: u32) -> Result<()> {
    // SAFETY: the call takes a number.
    let status = unsafe { raw::proxy_set_effective_context(context) };
    done("proxy_set_effective_context", status)
}

/// The host's clock: nanoseconds since 1970.
pub(crate) fn now() -> Result<u64> {
    let mut now = 0;
    // SAFETY: the pointer is to a live `u64`, which the host writes.
    let status = unsafe { raw::proxy_get_current_time_nanoseconds(&raw mut now) };
    done("proxy_get_current_time_nanoseconds", status).map(|()| now)
}

/// Sets when the plugin's timer fires, in milliseconds; 0 stops it.
pub(crate) fn set_tick_period(milliseconds: u32) -> Result<()> {
    // SAFETY: the call takes a number.
    let status = unsafe { raw::proxy_set_tick_period_milliseconds(milliseconds) };
    done("proxy_set_tick_period_milliseconds", status)
}

/// Sends a request to a cluster; `headers` is in the wire format of [`pairs`](super::pairs). The
/// answer is the call's number.
pub(crate) fn http_call(
    cluster: &str,
    headers: &[u8],
    body: &[u8],
    timeout_milliseconds: u32,
) -> Result<u32> {
    /// The wire format of no trailers at all.
    const NO_TRAILERS: &[u8] = &[0; 4];
    let mut token = 0;
    // SAFETY: all four pairs of pointer and length describe live slices, which the host reads; the
    // last pointer is to a live `u32`, which the host writes.
    let status = unsafe {
        raw::proxy_http_call(
            cluster.as_ptr(),
            cluster.len(),
            headers.as_ptr(),
            headers.len(),
            body.as_ptr(),
            body.len(),
            NO_TRAILERS.as_ptr(),
            NO_TRAILERS.len(),
            timeout_milliseconds,
            &raw mut token,
        )
    };
    done("proxy_http_call", status).map(|()| token)
}

/// A value that all VMs of one id share, and its version. `None` when nobody has set it.
pub(crate) fn shared_data<'scope>(
    scope: &'scope Scope<'_>,
    key: &str,
) -> Result<Option<(&'scope [u8], u32)>> {
    let mut cas = 0;
    let answer = fetch(scope, "proxy_get_shared_data", |data, size| {
        // SAFETY: the key is a live string that the host only reads; the out pointers are live,
        // see `fetch`, and so is that to the version.
        unsafe { raw::proxy_get_shared_data(key.as_ptr(), key.len(), data, size, &raw mut cas) }
    })?;
    Ok(answer.map(|value| (&*value, cas)))
}

/// Sets a shared value. A `cas` of 0 sets it whatever it is; any other refuses when the value is
/// there and its version is another one.
pub(crate) fn set_shared_data(key: &str, value: &[u8], cas: u32) -> Result<()> {
    // SAFETY: both pairs of pointer and length describe live slices, which the host only reads.
    let status = unsafe {
        raw::proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), cas)
    };
    done("proxy_set_shared_data", status)
}

/// Defines a metric, or finds the one of that name; the answer is its number.
pub(crate) fn define_metric(kind: u32, name: &str) -> Result<u32> {
    let mut metric = 0;
    // SAFETY: the name is a live string that the host only reads; the last pointer is to a live
    // `u32`, which the host writes.
    let status =
        unsafe { raw::proxy_define_metric(kind, name.as_ptr(), name.len(), &raw mut metric) };
    done("proxy_define_metric", status).map(|()| metric)
}

/// Adds to a counter or a gauge.
pub(crate) fn increment_metric(metric: u32, by: i64) -> Result<()> {
    // SAFETY: the call takes numbers.
    let status = unsafe { raw::proxy_increment_metric(metric, by) };
    done("proxy_increment_metric", status)
}

/// Sets a gauge, or gives a value to a histogram.
pub(crate) fn record_metric(metric: u32, value: u64) -> Result<()> {
    // SAFETY: the call takes numbers.
    let status = unsafe { raw::proxy_record_metric(metric, value) };
    done("proxy_record_metric", status)
}

/// The value of a counter or a gauge.
pub(crate) fn metric(metric: u32) -> Result<u64> {
    let mut value = 0;
    // SAFETY: the pointer is to a live `u64`, which the host writes.
    let status = unsafe { raw::proxy_get_metric(metric, &raw mut value) };
    done("proxy_get_metric", status).map(|()| value)
}

/// Calls a function that not every host has. `None` when this one does not.
pub(crate) fn foreign_function<'scope>(
    scope: &'scope Scope<'_>,
    name: &str,
    argument: &[u8],
) -> Result<Option<&'scope [u8]>> {
    let answer = fetch(scope, "proxy_call_foreign_function", |data, size| {
        // SAFETY: name and argument are live slices that the host only reads; the out pointers are
        // live, see `fetch`.
        unsafe {
            raw::proxy_call_foreign_function(
                name.as_ptr(),
                name.len(),
                argument.as_ptr(),
                argument.len(),
                data,
                size,
            )
        }
    })?;
    Ok(answer.map(|value| &*value))
}

/// Sends bytes of a response's body on, past this filter. Hosts of ABI 0.2.100 only.
pub(crate) fn inject(data: &[u8]) -> Result<()> {
    // SAFETY: pointer and length describe a live slice, which the host only reads.
    let status =
        unsafe { raw::proxy_inject_encoded_data_to_filter_chain(data.as_ptr(), data.len(), 0) };
    done("proxy_inject_encoded_data_to_filter_chain", status)
}

/// The upstream's endpoints and what is known of them, in the wire format of
/// [`pairs`](super::pairs). Hosts of ABI 0.2.100 only.
pub(crate) fn upstream_hosts<'scope>(scope: &'scope Scope<'_>) -> Result<&'scope [u8]> {
    let answer = fetch(scope, "proxy_get_upstream_hosts", |data, size| {
        // SAFETY: the out pointers are live, see `fetch`.
        unsafe { raw::proxy_get_upstream_hosts(data, size) }
    })?;
    Ok(answer.map_or(&[], |hosts| &*hosts))
}

/// Chooses the endpoint that the request goes to. Hosts of ABI 0.2.100 only.
pub(crate) fn set_upstream_host(address: &[u8]) -> Result<()> {
    // SAFETY: pointer and length describe a live slice, which the host only reads.
    let status = unsafe { raw::proxy_set_upstream_override_host(address.as_ptr(), address.len()) };
    done("proxy_set_upstream_override_host", status)
}

/// Answers the request instead of the upstream; `headers` is in the wire format of
/// [`pairs`](super::pairs).
pub(crate) fn send_local_response(
    status_code: u32,
    details: &str,
    headers: &[u8],
    body: &[u8],
    grpc_status: Option<u8>,
) -> Result<()> {
    /// The host derives it from the status code.
    const NO_GRPC_STATUS: i32 = -1;
    // SAFETY: all three pairs of pointer and length describe live slices, which the host reads.
    let status = unsafe {
        raw::proxy_send_local_response(
            status_code,
            details.as_ptr(),
            details.len(),
            body.as_ptr(),
            body.len(),
            headers.as_ptr(),
            headers.len(),
            grpc_status.map_or(NO_GRPC_STATUS, i32::from),
        )
    };
    done("proxy_send_local_response", status)
}

/// Makes a call that returns data, and borrows what the host wrote into the arena.
///
/// `None` is the host's "not found".
fn fetch<'scope>(
    scope: &'scope Scope<'_>,
    call: &'static str,
    raw: impl FnOnce(*mut *mut u8, *mut usize) -> u32,
) -> Result<Option<&'scope mut [u8]>> {
    fetch_sized(scope, call, None, raw)
}

/// [`fetch`], where it is known how many bytes will come.
fn fetch_sized<'scope>(
    scope: &'scope Scope<'_>,
    call: &'static str,
    wanted: Option<usize>,
    raw: impl FnOnce(*mut *mut u8, *mut usize) -> u32,
) -> Result<Option<&'scope mut [u8]>> {
    let answer = scope.receive(wanted, raw).ok_or(Error::ForeignMemory { call })?;
    match Status::from(answer.status) {
        Status::Ok => match scope.claim(answer.data, answer.size) {
            Some(bytes) => Ok(Some(bytes)),
            None => Err(Error::ForeignMemory { call }),
        },
        Status::NotFound => Ok(None),
        status => Err(HostError::new(call, status).into()),
    }
}

/// Makes a call that returns data, which the host writes into `buffer`. What is not there is empty.
fn fetch_owned(
    arena: &Arena,
    buffer: Vec<u8>,
    call: &'static str,
    raw: impl FnOnce(*mut *mut u8, *mut usize) -> u32,
) -> Result<Vec<u8>> {
    #[cfg(feature = "proxy-wasm")]
    if arena.is_lending() {
        // The host asks another allocator, so the bytes pass through the arena.
        let scope = arena.scope();
        return Ok(fetch(&scope, call, raw)?.map_or_else(Vec::new, |bytes| bytes.to_vec()));
    }
    let mut status = Status::Ok;
    let written = arena.lend(buffer, || {
        let mut data = ptr::null_mut();
        let mut size = 0;
        status = Status::from(raw(&raw mut data, &raw mut size));
        (data, size)
    });
    match status {
        Status::Ok => written.ok_or(Error::ForeignMemory { call }),
        Status::NotFound => Ok(Vec::new()),
        status => Err(HostError::new(call, status).into()),
    }
}

/// A guard must not take a part of a body for the whole of it.
fn whole(bytes: Vec<u8>, wanted: usize) -> Result<Vec<u8>> {
    match bytes.len() {
        got if got != wanted => Err(Error::ShortRead { wanted, got }),
        _ => Ok(bytes),
    }
}

fn done(call: &'static str, status: u32) -> Result<()> {
    match Status::from(status) {
        Status::Ok => Ok(()),
        status => Err(HostError::new(call, status).into()),
    }
}
