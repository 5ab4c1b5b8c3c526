//! Guests that make a host call without end: the host's memory stays bounded, and it goes on.
//!
//! Each flood runs in a process of its own, so that the peak of memory is its own.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use bench_host::engine::wasm::{Limits, WasmPlugin};
use bench_host::host::{Clock, Profile, Settings, Shared, World};
use bench_host::module::Module;
use bench_host::testing::{Answer, Call, TestHost};
use bench_host::upstream::Upstreams;

/// A host call that is made again and again.
struct Flood {
    name: &'static str,
    /// The host call, and how many parameters it has.
    import: (&'static str, usize),
    /// The callback in which it floods.
    callback: &'static str,
    times: u32,
    /// Its arguments; `$n` counts the calls, and its bytes are at 4096 too, so that names differ.
    arguments: &'static str,
    /// What comes before the first call.
    before: &'static str,
    /// Time that passes afterwards.
    run_for: Duration,
}

const fn flood(
    name: &'static str,
    import: (&'static str, usize),
    times: u32,
    arguments: &'static str,
) -> Flood {
    let callback = "request_headers";
    Flood { name, import, callback, times, arguments, before: "", run_for: Duration::ZERO }
}

/// Addresses: the number at 4096 (4 bytes), zeros in 64 KiB at 0x10000 and in 1 MiB at 0x100000,
/// headers of a call at 8192.
fn floods() -> Vec<Flood> {
    let k = 1000;
    vec![
        flood("metrics", ("proxy_define_metric", 4), 100 * k, "0 4096 4 16"),
        flood("long metrics", ("proxy_define_metric", 4), 10 * k, "0 4096 61440 16"),
        flood("log lines", ("proxy_log", 3), 100 * k, "2 4096 100"),
        flood("long log lines", ("proxy_log", 3), 10 * k, "2 0x100000 0x100000"),
        flood("queue items", ("proxy_enqueue_shared_queue", 3), 200 * k, "1 4096 1024"),
        flood("empty queue items", ("proxy_enqueue_shared_queue", 3), 600 * k, "1 4096 0"),
        flood("queues", ("proxy_register_shared_queue", 3), 200 * k, "4096 4 16"),
        flood("shared data", ("proxy_set_shared_data", 5), 2 * k, "4096 4 0x100000 0x100000 0"),
        flood("small shared data", ("proxy_set_shared_data", 5), 200 * k, "4096 4 4096 4 0"),
        flood("http calls", ("proxy_http_call", 10), 100 * k, "8192 3 8256 61 0 0 0 0 9 16"),
        flood(
            "http calls with bodies",
            ("proxy_http_call", 10),
            2 * k,
            "8192 3 8256 61 0x100000 0x100000 0 0 9 16",
        ),
        flood("grpc calls", ("proxy_grpc_call", 12), 100 * k, "8196 1 0 0 0 0 0 0 0 0 9 16"),
        flood(
            "grpc calls with messages",
            ("proxy_grpc_call", 12),
            2 * k,
            "8196 1 0 0 0 0 0 0 0x100000 0x100000 9 16",
        ),
        flood("grpc streams", ("proxy_grpc_stream", 9), 100 * k, "8196 1 0 0 0 0 0 0 16"),
        Flood {
            before: "(drop (call $proxy_grpc_stream (i32.const 8196) (i32.const 1) (i32.const 0)
                (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
                (i32.const 16)))",
            ..flood("grpc messages", ("proxy_grpc_send", 4), 10 * k, "6 0x100000 0x100000 0")
        },
        Flood {
            before: "(drop (call $proxy_redis_init (i32.const 8200) (i32.const 5) (i32.const 0)
                (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 9)))",
            ..flood("redis calls", ("proxy_redis_call", 5), 100 * k, "8200 5 8212 14 16")
        },
        Flood {
            before: "(drop (call $proxy_redis_init (i32.const 8200) (i32.const 5) (i32.const 0)
                (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 9)))",
            ..flood(
                "long redis calls",
                ("proxy_redis_call", 5),
                2 * k,
                "8200 5 0x100000 0x100000 16",
            )
        },
        flood("redis clients", ("proxy_redis_init", 7), 100 * k, "8200 5 4096 4 4096 4 9"),
        flood("headers", ("proxy_add_header_map_value", 5), 5000 * k, "0 4096 4 4096 4"),
        flood(
            "long headers",
            ("proxy_add_header_map_value", 5),
            2 * k,
            "0 4096 4 0x100000 0x100000",
        ),
        flood("replaced headers", ("proxy_replace_header_map_value", 5), 20 * k, "0 4096 4 4096 4"),
        flood("pairs", ("proxy_set_header_map_pairs", 3), 10 * k, "0 8256 61"),
        flood("properties", ("proxy_set_property", 4), 300 * k, "4096 4 4096 4"),
        flood("long properties", ("proxy_set_property", 4), 2 * k, "4096 4 0x100000 0x100000"),
        flood("a long property", ("proxy_set_property", 4), 10 * k, "4100 4 0x100000 0x100000"),
        Flood {
            callback: "request_body",
            ..flood(
                "appended body",
                ("proxy_set_buffer_bytes", 5),
                2 * k,
                "0 -1 0 0x100000 0x100000",
            )
        },
        Flood {
            callback: "request_body",
            ..flood("body in pieces", ("proxy_set_buffer_bytes", 5), 10_000 * k, "0 -1 0 4096 1")
        },
        Flood {
            callback: "request_body",
            ..flood("prepended body", ("proxy_set_buffer_bytes", 5), 100 * k, "0 0 0 4096 1")
        },
        Flood {
            callback: "response_body",
            ..flood(
                "injections",
                ("proxy_inject_encoded_data_to_filter_chain", 3),
                2 * k,
                "0x100000 0x100000 0",
            )
        },
        Flood {
            callback: "response_body",
            ..flood(
                "small injections",
                ("proxy_inject_encoded_data_to_filter_chain", 3),
                100 * k,
                "4096 1 0",
            )
        },
        flood(
            "local replies",
            ("proxy_send_local_response", 8),
            100 * k,
            "200 4096 4 4096 4 0 0 -1",
        ),
        flood(
            "long local replies",
            ("proxy_send_local_response", 8),
            2 * k,
            "200 4096 4 0x100000 0x100000 0 0 -1",
        ),
        flood("continued streams", ("proxy_continue_stream", 1), 100 * k, "0"),
        flood("closed streams", ("proxy_close_stream", 1), 100 * k, "0"),
        flood("upstream hosts", ("proxy_set_upstream_override_host", 2), 100 * k, "4096 1000"),
        flood(
            "foreign functions",
            ("proxy_call_foreign_function", 6),
            100 * k,
            "4096 4 4096 4 16 20",
        ),
        flood("periods", ("proxy_set_tick_period_milliseconds", 1), 10_000 * k, "1"),
        Flood {
            run_for: Duration::from_secs(100),
            ..flood("ticks", ("proxy_set_tick_period_milliseconds", 1), 1, "1")
        },
    ]
}

const UPSTREAMS: &str = r#"
    [cluster.web]
    [[cluster.web.http]]
    [cluster.g]
    [[cluster.g.grpc]]
    messages = [{ text = "m", when = "each" }]
    [cluster.cache]
    store = true
"#;

/// `:method`, `:path` and `:authority` in the wire format.
fn call_headers() -> String {
    let pairs = [(":method", "GET"), (":path", "/"), (":authority", "a")];
    let mut bytes = 3u32.to_le_bytes().to_vec();
    for (name, value) in pairs {
        for text in [name, value] {
            bytes.extend(u32::try_from(text.len()).unwrap().to_le_bytes());
        }
    }
    for (name, value) in pairs {
        bytes.extend([name.as_bytes(), b"\0", value.as_bytes(), b"\0"].concat());
    }
    assert_eq!(bytes.len(), 61);
    bytes.iter().map(|byte| format!("\\{byte:02x}")).collect()
}

fn module(flood: &Flood) -> Vec<u8> {
    let (import, params) = flood.import;
    let mut imports = String::new();
    for (name, params) in [
        ("proxy_log", 3),
        ("proxy_register_shared_queue", 3),
        ("proxy_grpc_stream", 9),
        ("proxy_redis_init", 7),
        (import, params),
    ] {
        let line = format!(
            "(import \"env\" \"{name}\" (func ${name} (param {}) (result i32)))\n",
            "i32 ".repeat(params)
        );
        if !imports.contains(&line) {
            imports.push_str(&line);
        }
    }
    let arguments: String =
        flood.arguments.split(' ').map(|argument| format!("(i32.const {argument}) ")).collect();
    let times = flood.times;
    let params =
        if flood.callback.ends_with("headers") || flood.callback.ends_with("body") { 3 } else { 1 };
    let text = format!(
        r#"(module {imports}
        (memory (export "memory") 40)
        (func (export "proxy_abi_version_0_2_100"))
        (func (export "malloc") (param i32) (result i32) (i32.const 0x20000))
        (func (export "proxy_on_tick") (param i32))
        (data (i32.const 8192) "web\00g\00\00\00cache\00\00\00\00\00\00\00*1\0d\0a$4\0d\0aPING\0d\0a")
        (data (i32.const 8256) "{}")
        (func $digits (param i32)
            (if (i32.ge_u (local.get 0) (i32.const 10))
                (then (call $digits (i32.div_u (local.get 0) (i32.const 10)))))
            (i32.store8 (i32.load (i32.const 32))
                (i32.add (i32.const 48) (i32.rem_u (local.get 0) (i32.const 10))))
            (i32.store (i32.const 32) (i32.add (i32.load (i32.const 32)) (i32.const 1))))
        (func $say (param i32)
            (i32.store (i32.const 32) (i32.const 64))
            (call $digits (local.get 0))
            (drop (call $proxy_log (i32.const 5) (i32.const 64)
                (i32.sub (i32.load (i32.const 32)) (i32.const 64)))))
        (func (export "proxy_on_vm_start") (param i32 i32) (result i32)
            (i32.store8 (i32.const 4096) (i32.const 113))
            (drop (call $proxy_register_shared_queue (i32.const 4096) (i32.const 1) (i32.const 16)))
            (i32.const 1))
        (func (export "proxy_on_{}") (param {}) (result i32)
            (local $n i32) (local $fine i32)
            {}
            (loop $next
                (i32.store (i32.const 4096) (local.get $n))
                (local.set $fine (i32.add (local.get $fine)
                    (i32.eqz (call ${import} {arguments}))))
                (local.set $n (i32.add (local.get $n) (i32.const 1)))
                (br_if $next (i32.lt_u (local.get $n) (i32.const {times}))))
            (call $say (local.get $fine))
            (i32.const 0)))"#,
        call_headers(),
        flood.callback,
        "i32 ".repeat(params),
        flood.before,
    );
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// A field of this process's memory, in MiB: `VmRSS`, or `VmHWM` for the peak.
fn memory(field: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes / 1024)
}

const CHILD: &str = "CHUNKWISE_FLOOD";

/// Not a test by itself: what the other one runs in a process of its own.
#[test]
fn one() {
    let Ok(name) = env::var(CHILD) else { return };
    let flood = floods().into_iter().find(|flood| flood.name == name).unwrap();
    let bytes = module(&flood);
    let plugin = WasmPlugin::compile(&bytes, Limits::COUNTED).unwrap();
    let mut settings = Settings::new(Profile::Higress);
    settings.adapt_to(&Module::parse(Path::new("flood.wasm"), bytes).unwrap().facts);
    let upstreams = Upstreams::parse(UPSTREAMS, "test").unwrap();
    let world = World::new(Clock::default(), Shared::default(), &upstreams);
    let mut host = TestHost::start_in(&plugin, settings, world, "").unwrap();
    let before = memory("VmRSS").unwrap_or(0);
    let start = Instant::now();
    let call = Call::post("/").body("ab").answer(Answer::new(200).body("cd"));
    let outcome = host.send(call);
    let passed = host.run_for(flood.run_for);
    let seconds = start.elapsed().as_secs_f64();
    let grown = memory("VmHWM").unwrap_or(0).saturating_sub(before);
    let last = |line: &bench_host::host::LogLine| line.level.to_string() == "critical";
    let fine = host.log().iter().rfind(|line| last(line)).map(|line| line.message.clone());
    let fine = fine.unwrap_or_else(|| "?".to_owned());
    let fault = outcome.map(drop).and(passed).err().map(|fault| fault.to_string());
    println!("\nFLOOD {grown} {seconds:.2} {fine} {}", fault.unwrap_or_default());
}

#[test]
fn memory_stays_bounded() {
    if memory("VmHWM").is_none() {
        println!("skipped: /proc/self/status, which knows the peak, is not on this system");
        return;
    }
    let mut mistakes = Vec::new();
    for flood in floods() {
        let child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "one", "--nocapture"])
            .env(CHILD, flood.name)
            .output()
            .unwrap();
        let out = String::from_utf8_lossy(&child.stdout).into_owned();
        let line = out.lines().find_map(|line| line.strip_prefix("FLOOD "));
        let Some(line) = line else {
            let error = String::from_utf8_lossy(&child.stderr).into_owned();
            mistakes.push(format!("{}: ended with {}: {error}", flood.name, child.status));
            continue;
        };
        println!("{}: {line} of {}", flood.name, flood.times);
        let grown: u64 = line.split(' ').next().unwrap().parse().unwrap();
        if grown > MOST {
            mistakes.push(format!("{}: {grown} MiB", flood.name));
        }
    }
    assert!(mistakes.is_empty(), "{} mistakes:\n{}", mistakes.len(), mistakes.join("\n"));
}

/// MiB that a flood may take: the quota of a VM, and as much again for what is being moved.
const MOST: u64 = 600;
