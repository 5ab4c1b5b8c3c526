//! The test plugin `resource_limits` of the proxy-wasm C++ host, with what its tests expect.

use std::time::{Duration, Instant};

use bench_host::engine::wasm::{Limits, WasmPlugin};
use bench_host::engine::{Callback, Fault, Plugin as _};
use bench_host::host::{Host, Profile, Settings, World};

use super::guest::module;

/// Ticks once in a new VM; returns how large its memory was in the end, too.
fn tick(plugin: &WasmPlugin, context: u32) -> (Result<Option<u32>, Fault>, u64) {
    let host = Host::new(Settings::new(Profile::Envoy), &World::default());
    let mut guest = plugin.guest(host).unwrap();
    let result = guest.call(Callback::Tick { context });
    (result, guest.host().memory_bytes)
}

fn compile(code: &str, limits: Limits) -> WasmPlugin {
    let body = format!("(func $run (export \"proxy_on_tick\") (param i32) {code})");
    WasmPlugin::compile(&module(&body), limits).unwrap()
}

#[test]
fn an_infinite_loop_is_interrupted_within_a_second() {
    let limits = Limits { deadline: Some(Duration::from_millis(500)), ..Limits::STOPPED };
    let plugin = compile("(loop $again (br $again))", limits);
    let begin = Instant::now();
    let (result, _) = tick(&plugin, 0);
    assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
    let fault = result.unwrap_err();
    assert!(fault.reason.starts_with("it ran longer than 0.5 s"), "{fault}");
}

#[test]
fn infinite_memory_ends_at_the_limit() {
    let code = "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
        (unreachable)";
    for (limits, most) in [
        (Limits::COUNTED, "1 GiB"),
        (Limits { memory: 20 << 20, ..Limits::COUNTED }, "20 MiB"),
        (Limits { memory: 20 << 20, ..Limits::UNCOUNTED }, "20 MiB"),
    ] {
        let plugin = compile(code, limits);
        // A second VM of the same plugin has the same limit.
        for _ in 0..2 {
            let (result, bytes) = tick(&plugin, 0);
            let share = bytes as f64 / limits.memory as f64;
            assert!((0.95..=1.0).contains(&share), "{bytes}");
            assert_eq!(
                result.unwrap_err().reason,
                format!(
                    "it aborted (a panic or a failed assertion); its memory could not grow past {most}"
                )
            );
        }
    }
}

/// What did not grow in one callback is not blamed for the end of another.
#[test]
fn memory_is_named_only_where_it_was_refused() {
    let code = "(if (local.get 0) (then (unreachable)))
        (drop (memory.grow (i32.const 60000)))";
    let host = Host::new(Settings::new(Profile::Envoy), &World::default());
    let mut guest = compile(code, Limits::COUNTED).guest(host).unwrap();
    assert_eq!(guest.call(Callback::Tick { context: 0 }), Ok(Some(1)));
    let fault = guest.call(Callback::Tick { context: 1 }).unwrap_err();
    assert_eq!(fault.reason, "it aborted (a panic or a failed assertion)");
}

#[test]
fn the_stack_is_as_large_as_it_may_be() {
    let code = "(call $down (i32.const 0))";
    let down = "(func $down (param i32)
        (global.set $depth (local.get 0)) (call $down (i32.add (local.get 0) (i32.const 1))))
        (global $depth (export \"depth\") (mut i32) (i32.const 0))";
    let mut depths = Vec::new();
    for stack in [64 << 10, 512 << 10, 1 << 20, usize::MAX] {
        let body = format!("{down}\n(func (export \"proxy_on_tick\") (param i32) {code})");
        let limits = Limits { stack, ..Limits::COUNTED };
        let plugin = WasmPlugin::compile(&module(&body), limits).unwrap();
        let fault = tick(&plugin, 0).0.unwrap_err();
        assert_eq!(fault.reason, "its stack overflowed (too deep a recursion?)");
        depths.push(fault.stack.len() + fault.more_frames as usize);
    }
    assert!(depths[0] * 7 < depths[1] && depths[1] * 2 - 100 < depths[2], "{depths:?}");
    // What no thread has is not given.
    assert_eq!(depths[2], depths[3]);
}
