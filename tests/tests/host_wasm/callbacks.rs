//! Every callback of the ABI: its arguments, its answer, and its end.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use bench_host::engine::wasm::{Limits, WasmPlugin};
use bench_host::engine::{Callback, Guest, Plugin as _};
use bench_host::host::{Host, Level, Profile, Settings, World};

use super::guest::{LIMITS, module};

/// A callback of every kind, its arguments as a guest sees them, and whether it answers.
#[rustfmt::skip]
const ALL: [(Callback, &str, bool); 28] = {
    use Callback::*;
    let context = u32::MAX;
    [
        (ContextCreate { context, parent: 1 }, "4294967295 1", false),
        (VmStart { context, size: 2 }, "4294967295 2", true),
        (Configure { context, size: 3 }, "4294967295 3", true),
        (RequestHeaders { context, count: 4, end: true }, "4294967295 4 1", true),
        (RequestBody { context, size: 5, end: false }, "4294967295 5 0", true),
        (RequestTrailers { context, count: 6 }, "4294967295 6", true),
        (ResponseHeaders { context, count: 7, end: false }, "4294967295 7 0", true),
        (ResponseBody { context, size: 8, end: true }, "4294967295 8 1", true),
        (ResponseTrailers { context, count: 9 }, "4294967295 9", true),
        (Tick { context }, "4294967295", false),
        (QueueReady { context, token: 10 }, "4294967295 10", false),
        (RequestMetadata { context, count: 11 }, "4294967295 11", true),
        (ResponseMetadata { context, count: 12 }, "4294967295 12", true),
        (HttpCallResponse { context, token: 13, headers: 14, size: 15, trailers: 16 }, "4294967295 13 14 15 16", false),
        (RedisCallResponse { context, token: 17, status: 18, size: 19 }, "4294967295 17 18 19", false),
        (GrpcInitialMetadata { context, token: 20, count: 21 }, "4294967295 20 21", false),
        (GrpcMessage { context, token: 22, size: 23 }, "4294967295 22 23", false),
        (GrpcTrailingMetadata { context, token: 24, count: 25 }, "4294967295 24 25", false),
        (GrpcClose { context, token: 26, status: 27 }, "4294967295 26 27", false),
        (NewConnection { context }, "4294967295", true),
        (DownstreamData { context, size: 28, end: true }, "4294967295 28 1", true),
        (DownstreamClose { context, peer: 29 }, "4294967295 29", false),
        (UpstreamData { context, size: 30, end: false }, "4294967295 30 0", true),
        (UpstreamClose { context, peer: 31 }, "4294967295 31", false),
        (ForeignFunction { context, function: 32, size: 33 }, "4294967295 32 33", false),
        (Log { context }, "4294967295", false),
        (Done { context }, "4294967295", true),
        (Delete { context }, "4294967295", false),
    ]
};

/// A module with every callback, each of which logs its arguments and then does this.
fn all(code: &str) -> Vec<u8> {
    let mut text = String::new();
    for (callback, arguments, answers) in ALL {
        let params = arguments.split(' ').count();
        let result = if answers { "(result i32)" } else { "" };
        let signature = "i32 ".repeat(params);
        let name = callback.export();
        write!(text, "(func ${name} (export \"{name}\") (param {signature}) {result}").unwrap();
        for param in 0..params {
            write!(text, " (call $argument (local.get {param}))").unwrap();
        }
        let answer = if answers { "(i32.const 0xcafe)" } else { "" };
        writeln!(text, "(call $flush) {code} {answer})").unwrap();
    }
    module(&text)
}

fn guest(plugin: &WasmPlugin) -> Box<dyn Guest> {
    let settings = Settings { log_level: Level::Trace, ..Settings::new(Profile::Envoy) };
    plugin.guest(Host::new(settings, &World::default())).unwrap()
}

#[test]
fn each_gets_its_arguments_and_answers() {
    let plugin = WasmPlugin::compile(&all(""), LIMITS).unwrap();
    let mut guest = guest(&plugin);
    for (callback, arguments, answers) in ALL {
        let answer = guest.call(callback).unwrap();
        assert_eq!(answer, Some(if answers { 0xcafe } else { 1 }), "{callback:?}");
        let said = guest.host().log.lines().last().unwrap().message.clone();
        assert_eq!(said.trim_start(), arguments, "{callback:?}");
    }
}

#[test]
fn one_of_another_type_is_refused_and_a_missing_one_is_none() {
    for (callback, ..) in ALL {
        let name = callback.export();
        let text = format!("(func (export \"{name}\") (param i64) (unreachable))");
        let plugin = WasmPlugin::compile(&module(&text), LIMITS).unwrap();
        let host = Host::new(Settings::new(Profile::Envoy), &World::default());
        let error = plugin.guest(host).map(drop).unwrap_err().to_string();
        assert!(
            error.contains(&format!("its {name} is (i64), and not what its ABI version says")),
            "{error}"
        );
    }
    let plugin = WasmPlugin::compile(&module(""), LIMITS).unwrap();
    let mut guest = guest(&plugin);
    for (callback, ..) in ALL {
        assert_eq!(guest.call(callback), Ok(None), "{callback:?}");
    }
}

#[test]
fn headers_of_the_first_abi_do_not_say_whether_they_end() {
    let text = r#"(func (export "proxy_abi_version_0_1_0"))
        (func (export "proxy_on_request_headers") (param i32 i32) (result i32)
        (i32.add (local.get 0) (local.get 1)))"#;
    let plugin = WasmPlugin::compile(&module(text), LIMITS).unwrap();
    let headers = Callback::RequestHeaders { context: 40, count: 2, end: true };
    assert_eq!(guest(&plugin).call(headers), Ok(Some(42)));
}

#[test]
fn an_endless_loop_is_stopped_in_each() {
    let plugin = WasmPlugin::compile(&all("(loop $again (br $again))"), LIMITS).unwrap();
    for (callback, ..) in ALL {
        let fault = guest(&plugin).call(callback).unwrap_err();
        assert_eq!(fault.callback, callback.export());
        assert_eq!(fault.stack, [callback.export()]);
        assert!(fault.reason.starts_with("it took more than 10 000 000 instructions"), "{fault}");
    }
}

#[test]
fn so_it_is_by_time() {
    let deadline = Duration::from_millis(300);
    let limits = Limits { deadline: Some(deadline), ..LIMITS.stopped() };
    let plugin = WasmPlugin::compile(&all("(loop $again (br $again))"), limits).unwrap();
    let mut guest = guest(&plugin);
    let begin = Instant::now();
    let fault = guest.call(Callback::Tick { context: 1 }).unwrap_err();
    assert!(begin.elapsed() >= deadline - Duration::from_millis(100), "{:?}", begin.elapsed());
    insta::assert_snapshot!(fault, @"
    the plugin failed in proxy_on_tick: it ran longer than 0.3 s, the most for one callback (an endless loop?)
       0: proxy_on_tick
    ");
}

#[test]
fn the_host_knows_how_large_the_memory_is() {
    let grow = "(drop (memory.grow (i32.const 3)))
        (call $status 'refused' (memory.grow (i32.const 1000)))
        (call $status 'beyond 32 bits' (memory.grow (i32.const 65535)))";
    let plugin = WasmPlugin::compile(&all(grow), LIMITS).unwrap();
    let mut guest = guest(&plugin);
    assert_eq!(guest.host().memory_bytes, 2 * 65_536);
    for pages in [5, 8, 11] {
        guest.call(Callback::Tick { context: 1 }).unwrap();
        assert_eq!(guest.host().memory_bytes, pages * 65_536);
        assert_eq!(guest.heap().pages, pages);
    }
}
