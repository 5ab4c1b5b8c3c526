//! The calls to the host, on the raw ABI.

#![expect(unsafe_code, reason = "host calls take pointers")]

use std::ptr;

use crate::host::Host;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_log(level: u32, message: *const u8, size: usize) -> u32;
    fn proxy_get_header_map_value(
        map: u32,
        key: *const u8,
        key_size: usize,
        value: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_get_header_map_pairs(map: u32, pairs: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_add_header_map_value(
        map: u32,
        key: *const u8,
        key_size: usize,
        value: *const u8,
        size: usize,
    ) -> u32;
    fn proxy_replace_header_map_value(
        map: u32,
        key: *const u8,
        key_size: usize,
        value: *const u8,
        size: usize,
    ) -> u32;
    fn proxy_remove_header_map_value(map: u32, key: *const u8, key_size: usize) -> u32;
    fn proxy_get_buffer_bytes(
        buffer: u32,
        start: u32,
        length: u32,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_set_buffer_bytes(
        buffer: u32,
        start: u32,
        length: u32,
        data: *const u8,
        size: usize,
    ) -> u32;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: i32,
    ) -> u32;
    fn proxy_continue_stream(kind: u32) -> u32;
    fn proxy_close_stream(kind: u32) -> u32;
    fn proxy_http_call(
        cluster: *const u8,
        cluster_size: usize,
        headers: *const u8,
        headers_size: usize,
        body: *const u8,
        body_size: usize,
        trailers: *const u8,
        trailers_size: usize,
        timeout: u32,
        token: *mut u32,
    ) -> u32;
    fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
    fn proxy_get_property(
        path: *const u8,
        path_size: usize,
        value: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_set_property(path: *const u8, path_size: usize, value: *const u8, size: usize) -> u32;
    fn proxy_call_foreign_function(
        name: *const u8,
        name_size: usize,
        argument: *const u8,
        argument_size: usize,
        result: *mut *mut u8,
        result_size: *mut usize,
    ) -> u32;
    fn proxy_set_effective_context(context: u32) -> u32;
}

/// The gateway.
#[derive(Debug)]
pub(crate) struct Gateway;

/// Memory for the host to write into; [`taken`] takes it back.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    Box::into_raw(vec![0_u8; size].into_boxed_slice()).cast()
}

/// Makes a call that gives bytes, and takes them.
fn taken(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> (u32, Vec<u8>) {
    let (mut data, mut size) = (ptr::null_mut(), 0_usize);
    let status = call(&raw mut data, &raw mut size);
    if data.is_null() {
        return (status, Vec::new());
    }
    // SAFETY: the host asked `proxy_on_memory_allocate` for just so many bytes, and gives them once.
    let bytes = unsafe { Box::from_raw(ptr::slice_from_raw_parts_mut(data, size)) };
    (status, bytes.into_vec())
}

/// Header fields in the wire format.
fn wire(pairs: &[(&str, &str)]) -> Vec<u8> {
    let word = |size: usize| u32::try_from(size).unwrap_or_default().to_le_bytes();
    let mut wire = word(pairs.len()).to_vec();
    for (name, value) in pairs {
        wire.extend(word(name.len()));
        wire.extend(word(value.len()));
    }
    for text in pairs.iter().flat_map(|(name, value)| [name, value]) {
        wire.extend(text.as_bytes());
        wire.push(0);
    }
    wire
}

impl Host for Gateway {
    fn get_header(&mut self, map: u32, name: &str) -> (u32, Vec<u8>) {
        // SAFETY: pointers and lengths are those of live memory, here and in all that follow.
        taken(|data, size| unsafe {
            proxy_get_header_map_value(map, name.as_ptr(), name.len(), data, size)
        })
    }

    fn pairs(&mut self, map: u32) -> (u32, Vec<u8>) {
        // SAFETY: as above.
        taken(|data, size| unsafe { proxy_get_header_map_pairs(map, data, size) })
    }

    fn add(&mut self, map: u32, name: &str, value: &str) -> u32 {
        let (key, value) = (name.as_bytes(), value.as_bytes());
        // SAFETY: as above.
        unsafe {
            proxy_add_header_map_value(map, key.as_ptr(), key.len(), value.as_ptr(), value.len())
        }
    }

    fn set(&mut self, map: u32, name: &str, value: &str) -> u32 {
        let (key, value) = (name.as_bytes(), value.as_bytes());
        let (to, size) = (value.as_ptr(), value.len());
        // SAFETY: as above.
        unsafe { proxy_replace_header_map_value(map, key.as_ptr(), key.len(), to, size) }
    }

    fn remove(&mut self, map: u32, name: &str) -> u32 {
        // SAFETY: as above.
        unsafe { proxy_remove_header_map_value(map, name.as_ptr(), name.len()) }
    }

    fn buffer(&mut self, kind: u32, start: u32, length: u32) -> (u32, Vec<u8>) {
        // SAFETY: as above.
        taken(|data, size| unsafe { proxy_get_buffer_bytes(kind, start, length, data, size) })
    }

    fn put(&mut self, kind: u32, start: u32, length: u32, data: &str) -> u32 {
        // SAFETY: as above.
        unsafe { proxy_set_buffer_bytes(kind, start, length, data.as_ptr(), data.len()) }
    }

    fn reply(&mut self, status: u32, details: &str, body: &str, headers: &[(&str, &str)]) -> u32 {
        let headers = wire(headers);
        // SAFETY: as above.
        unsafe {
            proxy_send_local_response(
                status,
                details.as_ptr(),
                details.len(),
                body.as_ptr(),
                body.len(),
                headers.as_ptr(),
                headers.len(),
                -1,
            )
        }
    }

    fn resume(&mut self, kind: u32) -> u32 {
        // SAFETY: no pointers.
        unsafe { proxy_continue_stream(kind) }
    }

    fn close(&mut self, kind: u32) -> u32 {
        // SAFETY: no pointers.
        unsafe { proxy_close_stream(kind) }
    }

    fn call(&mut self) -> (u32, u32) {
        let (cluster, mut token) = ("service", 0);
        let headers = wire(&[(":method", "GET"), (":path", "/"), (":authority", "service")]);
        // SAFETY: as above.
        let status = unsafe {
            proxy_http_call(
                cluster.as_ptr(),
                cluster.len(),
                headers.as_ptr(),
                headers.len(),
                ptr::null(),
                0,
                ptr::null(),
                0,
                10_000,
                &raw mut token,
            )
        };
        (status, token)
    }

    fn tick(&mut self, period: u32) -> u32 {
        // SAFETY: no pointers.
        unsafe { proxy_set_tick_period_milliseconds(period) }
    }

    fn property(&mut self, path: &str) -> (u32, Vec<u8>) {
        let path = path.replace('.', "\0");
        // SAFETY: as above.
        taken(|data, size| unsafe { proxy_get_property(path.as_ptr(), path.len(), data, size) })
    }

    fn set_property(&mut self, path: &str, value: &str) -> u32 {
        // SAFETY: as above.
        unsafe { proxy_set_property(path.as_ptr(), path.len(), value.as_ptr(), value.len()) }
    }

    fn foreign(&mut self, name: &str) -> u32 {
        let (at, len) = (name.as_ptr(), name.len());
        // SAFETY: as above.
        taken(|data, size| unsafe {
            proxy_call_foreign_function(at, len, ptr::null(), 0, data, size)
        })
        .0
    }

    fn act_on(&mut self, context: u32) -> u32 {
        // SAFETY: no pointers.
        unsafe { proxy_set_effective_context(context) }
    }

    fn log(&mut self, line: &str) {
        // SAFETY: as above.
        let _ = unsafe { proxy_log(2, line.as_ptr(), line.len()) };
    }
}
