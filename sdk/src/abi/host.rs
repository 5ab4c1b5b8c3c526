//! Host calls as safe functions over borrowed memory.
//!
//! Every function here makes exactly one host call and allocates nothing.

use std::ptr;

use super::raw;
use super::types::{Buffer, Map, Status};
use crate::error::{Error, HostError, Result};
use crate::memory::Scope;

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
    let answer = fetch(scope, "proxy_get_buffer_bytes", |data, size| {
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

/// Answers the request instead of the upstream; `headers` is in the wire format of
/// [`pairs`](super::pairs).
pub(crate) fn send_local_response(
    status_code: u32,
    details: &str,
    headers: &[u8],
    body: &[u8],
) -> Result<()> {
    /// The host derives the gRPC status itself.
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
            NO_GRPC_STATUS,
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
    let mut data = ptr::null_mut();
    let mut size = 0;
    match Status::from(raw(&raw mut data, &raw mut size)) {
        Status::Ok => match scope.claim(data, size) {
            Some(bytes) => Ok(Some(bytes)),
            None => Err(Error::ForeignMemory { call }),
        },
        Status::NotFound => Ok(None),
        status => Err(HostError::new(call, status).into()),
    }
}

fn done(call: &'static str, status: u32) -> Result<()> {
    match Status::from(status) {
        Status::Ok => Ok(()),
        status => Err(HostError::new(call, status).into()),
    }
}
