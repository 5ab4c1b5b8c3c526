//! Guests as text: what every plugin needs, and callbacks that log themselves.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use std::fmt::Write as _;
use std::path::Path;

use bench_host::engine::StartError;
use bench_host::engine::wasm::{Limits, WasmPlugin};
use bench_host::host::{Profile, Settings, World};
use bench_host::module::Module;
use bench_host::replay::{Options, Run, replay};
use bench_host::testing::TestHost;
use bench_host::traffic::Traffic;

/// Host calls that a guest can make without importing them itself, and their parameters.
const IMPORTS: [(&str, &str); 44] = [
    ("proxy_log", "i32 i32 i32"),
    ("proxy_get_log_level", "i32"),
    ("proxy_get_status", "i32 i32 i32"),
    ("proxy_get_current_time_nanoseconds", "i32"),
    ("proxy_set_tick_period_milliseconds", "i32"),
    ("proxy_get_buffer_bytes", "i32 i32 i32 i32 i32"),
    ("proxy_get_buffer_status", "i32 i32 i32"),
    ("proxy_set_buffer_bytes", "i32 i32 i32 i32 i32"),
    ("proxy_get_header_map_value", "i32 i32 i32 i32 i32"),
    ("proxy_add_header_map_value", "i32 i32 i32 i32 i32"),
    ("proxy_replace_header_map_value", "i32 i32 i32 i32 i32"),
    ("proxy_remove_header_map_value", "i32 i32 i32"),
    ("proxy_get_header_map_pairs", "i32 i32 i32"),
    ("proxy_set_header_map_pairs", "i32 i32 i32"),
    ("proxy_get_header_map_size", "i32 i32"),
    ("proxy_get_property", "i32 i32 i32 i32"),
    ("proxy_set_property", "i32 i32 i32 i32"),
    ("proxy_send_local_response", "i32 i32 i32 i32 i32 i32 i32 i32"),
    ("proxy_continue_stream", "i32"),
    ("proxy_close_stream", "i32"),
    ("proxy_set_effective_context", "i32"),
    ("proxy_done", ""),
    ("proxy_get_shared_data", "i32 i32 i32 i32 i32"),
    ("proxy_set_shared_data", "i32 i32 i32 i32 i32"),
    ("proxy_register_shared_queue", "i32 i32 i32"),
    ("proxy_resolve_shared_queue", "i32 i32 i32 i32 i32"),
    ("proxy_enqueue_shared_queue", "i32 i32 i32"),
    ("proxy_dequeue_shared_queue", "i32 i32 i32"),
    ("proxy_define_metric", "i32 i32 i32 i32"),
    ("proxy_increment_metric", "i32 i64"),
    ("proxy_record_metric", "i32 i64"),
    ("proxy_get_metric", "i32 i32"),
    ("proxy_http_call", "i32 i32 i32 i32 i32 i32 i32 i32 i32 i32"),
    ("proxy_grpc_call", "i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32"),
    ("proxy_grpc_stream", "i32 i32 i32 i32 i32 i32 i32 i32 i32"),
    ("proxy_grpc_send", "i32 i32 i32 i32"),
    ("proxy_grpc_close", "i32"),
    ("proxy_grpc_cancel", "i32"),
    ("proxy_redis_init", "i32 i32 i32 i32 i32 i32 i32"),
    ("proxy_redis_call", "i32 i32 i32 i32 i32"),
    ("proxy_inject_encoded_data_to_filter_chain", "i32 i32 i32"),
    ("proxy_get_upstream_hosts", "i32 i32"),
    ("proxy_set_upstream_override_host", "i32 i32"),
    ("proxy_call_foreign_function", "i32 i32 i32 i32 i32 i32"),
];

/// Writing a line of text and numbers, and logging it.
const LOGGING: &str = r#"
    (global $line (mut i32) (i32.const 1024))
    (func $text (param $at i32) (param $len i32)
        (memory.copy (global.get $line) (local.get $at) (local.get $len))
        (global.set $line (i32.add (global.get $line) (local.get $len))))
    (func $number (param $n i32)
        (if (i32.ge_u (local.get $n) (i32.const 10))
            (then (call $number (i32.div_u (local.get $n) (i32.const 10)))))
        (i32.store8 (global.get $line)
            (i32.add (i32.const 48) (i32.rem_u (local.get $n) (i32.const 10))))
        (global.set $line (i32.add (global.get $line) (i32.const 1))))
    (func $argument (param $n i32)
        (call $text ' ')
        (call $number (local.get $n)))
    (func $flush
        (drop (call $proxy_log (i32.const 2) (i32.const 1024)
            (i32.sub (global.get $line) (i32.const 1024))))
        (global.set $line (i32.const 1024)))
    (func $say (param $at i32) (param $len i32)
        (call $text (local.get $at) (local.get $len))
        (call $flush))
    (func $status (param $at i32) (param $len i32) (param $status i32)
        (call $text (local.get $at) (local.get $len))
        (call $argument (local.get $status))
        (call $flush))
    (func $buffer (param $kind i32)
        (drop (call $proxy_get_buffer_bytes (local.get $kind)
            (i32.const 0) (i32.const 0x7fffffff) (i32.const 0) (i32.const 4)))
        (call $text 'buffer ')
        (call $text (i32.load (i32.const 0)) (i32.load (i32.const 4)))
        (call $flush))
    (func $header (param $map i32) (param $at i32) (param $len i32) (local $status i32)
        (local.set $status (call $proxy_get_header_map_value (local.get $map)
            (local.get $at) (local.get $len) (i32.const 0) (i32.const 4)))
        (call $text (local.get $at) (local.get $len))
        (if (local.get $status)
            (then (call $text ' fails') (call $argument (local.get $status)))
            (else
                (call $text '=')
                (call $text (i32.load (i32.const 0)) (i32.load (i32.const 4)))))
        (call $flush))
    (func $body (param $kind i32) (local $status i32)
        (local.set $status (call $proxy_get_buffer_bytes (local.get $kind)
            (i32.const 0) (i32.const 0x7fffffff) (i32.const 0) (i32.const 4)))
        (if (local.get $status)
            (then (call $text 'body fails') (call $argument (local.get $status)))
            (else
                (call $text 'body=')
                (call $text (i32.load (i32.const 0)) (i32.load (i32.const 4)))))
        (call $flush))"#;

const MARKER: &str = r#"(func (export "proxy_abi_version_0_2_1"))"#;
const MEMORY: &str = r#"(memory (export "memory") 2)"#;

/// Memory is handed out once and never taken back, from the second page on.
const ALLOCATOR: &str = r#"
    (global $heap (mut i32) (i32.const 65536))
    (func (export "proxy_on_memory_allocate") (param $size i32) (result i32)
        (global.get $heap)
        (global.set $heap (i32.add (global.get $heap) (local.get $size))))"#;

/// A module with this in it, and with what a plugin needs and this does not have.
///
/// A text in `'…'` stands for its address and its length; `\\hh` in it is a byte. Lines that begin with `(import` may be
/// anywhere; a host call that is made as `$proxy_…` is imported. Memory below 64 is for results,
/// from 1024 to 8191 for the log line, from 8192 to 32767 for texts.
pub fn module(body: &str) -> Vec<u8> {
    let mut text = "(module\n".to_owned();
    let (imports, body): (Vec<_>, Vec<_>) =
        body.lines().partition(|line| line.trim_start().starts_with("(import"));
    text.extend(imports.into_iter().map(|line| format!("{line}\n")));
    let body = body.join("\n");
    for (name, params) in IMPORTS {
        let call = format!("${name}");
        let is_called = [LOGGING, &body].iter().any(|text| {
            text.split(&call)
                .skip(1)
                .any(|rest| !rest.starts_with(|next: char| next == '_' || next.is_alphanumeric()))
        });
        if is_called {
            writeln!(
                text,
                r#"(import "env" "{name}" (func ${name} (param {params}) (result i32)))"#
            )
            .unwrap();
        }
    }
    let given = [
        (MARKER, &["proxy_abi_version"][..]),
        (MEMORY, &["(memory "]),
        (ALLOCATOR, &["\"malloc\"", "\"proxy_on_memory_allocate\""]),
    ];
    for (part, signs) in given {
        if !signs.iter().any(|sign| body.contains(sign)) {
            text.push_str(part);
        }
    }
    text.push_str(LOGGING);
    text.push_str(&body);
    let mut data = Vec::new();
    text = with_texts(&text, &mut data);
    let data: String = data.iter().map(|byte| format!("\\{byte:02x}")).collect();
    write!(text, "\n(data (i32.const {TEXTS}) \"{data}\"))").unwrap();
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// Where texts begin.
const TEXTS: usize = 8192;

/// Puts address and length in the place of every text, and the texts into `data`.
fn with_texts(source: &str, data: &mut Vec<u8>) -> String {
    let mut text = String::new();
    for (at, piece) in source.split('\'').enumerate() {
        if at % 2 == 0 {
            text.push_str(piece);
            continue;
        }
        let piece = unescaped(piece);
        let found = data.windows(piece.len().max(1)).position(|window| window == piece);
        let address = found.unwrap_or_else(|| {
            data.extend_from_slice(&piece);
            data.len() - piece.len()
        });
        write!(text, "(i32.const {}) (i32.const {})", TEXTS + address, piece.len()).unwrap();
    }
    assert!(data.len() < 32_768 - TEXTS, "too many texts");
    text
}

fn unescaped(text: &str) -> Vec<u8> {
    let mut pieces = text.split('\\');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let (byte, rest) = piece.split_at(2);
        bytes.push(u8::from_str_radix(byte, 16).unwrap());
        bytes.extend_from_slice(rest.as_bytes());
    }
    bytes
}

/// Fields as they cross the border, as a text in `'…'`: how many, the lengths, then every name and
/// value with a NUL behind it.
pub fn pairs(fields: &[(&str, &str)]) -> String {
    let number = |number: usize| u32::try_from(number).unwrap().to_le_bytes();
    let mut wire = number(fields.len()).to_vec();
    for (name, value) in fields {
        wire.extend(number(name.len()));
        wire.extend(number(value.len()));
    }
    for (name, value) in fields {
        for text in [name, value] {
            wire.extend_from_slice(text.as_bytes());
            wire.push(0);
        }
    }
    let bytes: String = wire.iter().map(|byte| format!("\\{byte:02x}")).collect();
    format!("'{bytes}'")
}

/// Callbacks by their names without `proxy_on_`, with how many parameters they have and what they
/// answer where no script says it.
pub const CALLBACKS: [(&str, usize, Option<u32>); 27] = [
    ("context_create", 2, None),
    ("vm_start", 2, Some(1)),
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
    ("log", 1, None),
    ("done", 1, Some(1)),
    ("delete", 1, None),
];

/// All callbacks; each logs its name and its arguments and then does what `script` says, which has
/// to leave the answer. Parameters are `(local.get 0)` and so on: context, count or size, end.
pub fn logging(script: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (name, params, answer) in CALLBACKS {
        let signature = "i32 ".repeat(params);
        let result = if answer.is_some() { "(result i32)" } else { "" };
        write!(
            text,
            "\n(func ${name} (export \"proxy_on_{name}\") (param {signature}) {result}\n\
             (call $text '{name}')"
        )
        .unwrap();
        for param in 0..params {
            write!(text, " (call $argument (local.get {param}))").unwrap();
        }
        text.push_str(" (call $flush)\n");
        let scripted = script.iter().find(|(of, _)| *of == name).map(|(_, code)| *code);
        match (scripted, answer) {
            (Some(code), _) => text.push_str(code),
            (None, Some(answer)) => write!(text, "(i32.const {answer})").unwrap(),
            (None, None) => {}
        }
        text.push(')');
    }
    for (name, _) in script {
        assert!(CALLBACKS.iter().any(|(known, ..)| known == name), "{name}");
    }
    text
}

/// A marker of the ABI in which `StopIteration` of a header callback is what it says.
pub const HIGRESS: &str = r#"(func (export "proxy_abi_version_0_2_100"))"#;

/// Few enough instructions that an endless loop ends soon.
pub const LIMITS: Limits =
    Limits { fuel: Some(10_000_000), deadline: None, memory: 16 * 1024 * 1024, ..Limits::COUNTED };

/// The plugin of a module.
pub fn plugin(body: &str) -> WasmPlugin {
    WasmPlugin::compile(&module(body), LIMITS).unwrap()
}

/// A proxy as the module's ABI wants it, holding at most `buffer_limit` bytes of a direction.
pub fn limited(body: &str, buffer_limit: usize) -> TestHost {
    let settings = Settings { buffer_limit: Some(buffer_limit), ..Settings::new(Profile::Higress) };
    host_in(body, settings, World::default())
}

/// A proxy with these settings, except what the module's ABI decides, in this world.
pub fn host_in(body: &str, settings: Settings, world: World) -> TestHost {
    let (plugin, settings) = adapted(body, settings);
    TestHost::start_in(&plugin, settings, world, "cfg").unwrap()
}

/// The plugin of a module, and settings as the module's ABI wants them.
pub fn adapted(body: &str, mut settings: Settings) -> (WasmPlugin, Settings) {
    let bytes = module(body);
    let plugin = WasmPlugin::compile(&bytes, LIMITS).unwrap();
    settings.adapt_to(&Module::parse(Path::new("guest.wasm"), bytes).unwrap().facts);
    (plugin, settings)
}

/// A proxy as the module's ABI wants it.
pub fn host(body: &str) -> TestHost {
    limited(body, 1024 * 1024)
}

/// Why a module does not start on a stock Envoy.
pub fn start_error(bytes: &[u8]) -> StartError {
    let start = |plugin: WasmPlugin| {
        TestHost::start(&plugin, Settings::new(Profile::Envoy), "cfg").map(drop)
    };
    WasmPlugin::compile(bytes, LIMITS).and_then(start).unwrap_err()
}

/// What a guest has logged, a line each.
pub fn log(host: &mut TestHost) -> String {
    let lines = host.log().iter().map(|line| line.message.as_str());
    lines.collect::<Vec<_>>().join("\n")
}

/// What a guest has logged since its stream began.
pub fn stream_log(host: &mut TestHost) -> String {
    let log = log(host);
    let (_, stream) = log.split_once("context_create 2 1\n").expect("a stream was opened");
    stream.to_owned()
}

/// Replays traffic, keeping every log line.
pub fn run(plugin: &WasmPlugin, traffic: &str) -> Run {
    let mut options = Options::new(Settings::new(Profile::Envoy));
    options.settings.log_level = bench_host::host::Level::Trace;
    replay(plugin, &Traffic::open(traffic).unwrap(), &options, &|_| ()).unwrap()
}
