//! Properties: any path, any value, in any callback.

use bench_host::host::{Host, Profile, Status, calls};

use super::input::Input;
use super::native::{self, Memory, RESULT, answered};

/// Beginnings that lead somewhere, as no chance finds them.
const BEGINNINGS: [&[u8]; 16] = [
    b"",
    b"request\0headers\0",
    b"request\0",
    b"response\0",
    b"response.trailers.",
    b"connection\0",
    b"source.",
    b"upstream\0",
    b"node\0metadata\0",
    b"xds\0",
    b"metadata\0filter_metadata\0",
    b"filter_state\0wasm.",
    b"wasm.",
    b"trace_span_tag.",
    b"plugin_",
    b"route_",
];

/// Foreign functions that deal with properties.
const FUNCTIONS: [&[u8]; 2] = [b"declare_property", b"set_envoy_filter_state"];

/// Whatever a path says, a guest gets a status; what it could set it can read, and all of what it
/// set stays within the quota.
pub fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let flags = input.byte();
    let mut settings = native::settings(flags & 1 != 0);
    settings.only_given_properties = flags & 2 != 0;
    if flags & 4 != 0 {
        settings.properties.insert(b"given".to_vec(), b"1".to_vec());
        settings.properties.insert(b"a\0b".to_vec(), b"2".to_vec());
        let metadata = serde_json::json!({"NAME": "n", "LABELS": {"a.b": [1, 2.5, null, true]}});
        settings.node.metadata = metadata.as_object().cloned().unwrap_or_default();
    }
    native::run(settings, flags & 8 != 0, &mut input, step);
}

fn step(host: &mut Host, input: &mut Input<'_>) {
    let what = input.byte();
    let place = usize::from(what >> 4);
    match what & 3 {
        0 => drop(get(host, &[BEGINNINGS[place], input.text()].concat())),
        1 | 2 => set(host, &[BEGINNINGS[place], input.text()].concat(), input.text()),
        _ => {
            let name = FUNCTIONS[place % FUNCTIONS.len()];
            let mut memory = Memory::new(host, &[name, input.text()]);
            let (name, arguments) = (memory.span(0), memory.span(1));
            answered(calls::call_foreign_function(&mut memory, name, arguments, RESULT));
        }
    }
}

fn get(host: &mut Host, path: &[u8]) -> Result<Vec<u8>, Status> {
    let mut memory = Memory::new(host, &[path]);
    let path = memory.span(0);
    match answered(calls::get_property(&mut memory, path, RESULT)) {
        Status::Ok => Ok(memory.result()),
        status => Err(status),
    }
}

fn set(host: &mut Host, path: &[u8], value: &[u8]) {
    let before = host.quota.used();
    let mut memory = Memory::new(host, &[path, value]);
    let (at, text) = (memory.span(0), memory.span(1));
    let status = answered(calls::set_property(&mut memory, at, text));
    if status != Status::Ok {
        assert_eq!(host.quota.used(), before, "what was refused is charged");
        return;
    }
    // Names of the proxy hide what was set, and span tags cannot be read; filter state can.
    let state = [b"filter_state\0wasm.", &joined(path)[..]].concat();
    let hidden = host.settings.profile == Profile::Higress
        && (path.starts_with(b"trace_span_tag.") || path == b"wasm_need_rebuild");
    if !hidden && !host.settings.only_given_properties {
        let read = get(host, &state);
        assert_eq!(read.as_deref(), Ok(value), "{:?}", String::from_utf8_lossy(&state));
    }
}

/// Filter state is kept under the path with points.
fn joined(path: &[u8]) -> Vec<u8> {
    path.iter().map(|byte| if *byte == 0 { b'.' } else { *byte }).collect()
}
