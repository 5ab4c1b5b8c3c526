//! The five calls to the host that this plugin makes.

#![expect(unsafe_code, reason = "host calls take pointers")]

use crate::rewrite::Body;
use crate::rule::Direction;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_log(level: u32, message: *const u8, size: usize) -> u32;
    fn proxy_get_buffer_bytes(
        buffer: u32,
        start: usize,
        length: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_set_buffer_bytes(
        buffer: u32,
        start: usize,
        length: usize,
        data: *const u8,
        size: usize,
    ) -> u32;
    fn proxy_remove_header_map_value(map: u32, key: *const u8, key_size: usize) -> u32;
}

const OK: u32 = 0;
const ERROR: u32 = 4;

/// The buffers that can be read here, by their numbers in the ABI.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Buffer {
    RequestBody = 0,
    ResponseBody = 1,
    PluginConfiguration = 7,
}

impl From<Direction> for Buffer {
    fn from(direction: Direction) -> Self {
        match direction {
            Direction::Request => Self::RequestBody,
            Direction::Response => Self::ResponseBody,
        }
    }
}

impl Body for Buffer {
    fn set(&mut self, start: usize, length: usize, data: &[u8]) {
        // SAFETY: pointer and length describe a live slice, which the host only reads.
        let status = unsafe {
            proxy_set_buffer_bytes(*self as u32, start, length, data.as_ptr(), data.len())
        };
        if status != OK {
            log_error("the host refused a change of the body");
        }
    }
}

/// Has the host write the first `size` bytes of a buffer to the memory that
/// `proxy_on_memory_allocate` names; returns how many there were, or `None` when there is no
/// memory for them.
pub(crate) fn fetch(buffer: Buffer, size: usize) -> Option<usize> {
    let mut data = core::ptr::null_mut();
    let mut len = 0;
    // SAFETY: both out pointers are to live variables of the types that the host writes.
    let status =
        unsafe { proxy_get_buffer_bytes(buffer as u32, 0, size, &raw mut data, &raw mut len) };
    (status == OK && len <= size).then_some(len)
}

/// Removes `content-length`; a host that finds none says so, and nothing follows from it.
pub(crate) fn remove_content_length(direction: Direction) {
    let map = match direction {
        Direction::Request => 0,
        Direction::Response => 2,
    };
    let key = "content-length";
    // SAFETY: pointer and length describe a live string, which the host only reads.
    let _ = unsafe { proxy_remove_header_map_value(map, key.as_ptr(), key.len()) };
}

/// Writes a line to the proxy's log; when that fails there is nobody left to tell.
pub(crate) fn log_error(message: &str) {
    // SAFETY: pointer and length describe a live string, which the host only reads.
    let _ = unsafe { proxy_log(ERROR, message.as_ptr(), message.len()) };
}
