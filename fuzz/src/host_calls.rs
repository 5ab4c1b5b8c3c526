//! Host calls: any of them, with any arguments, in any callback.

mod guest;
mod imports;
mod script;

use std::sync::OnceLock;
use std::time::Duration;

use bench_host::engine::wasm::{Limits, WasmPlugin};
use bench_host::engine::{Guest, Plugin, StartError};
use bench_host::host::{
    Budget, Clock, Direction, FailurePolicy, Host, PeerKind, Profile, Quota, Settings, Shared,
    World,
};
use bench_host::testing::{Answer, Call, TestHost};
use bench_host::upstream::Upstreams;

use super::input::Input;

/// What the guest may make the host keep in these runs.
const QUOTA: u64 = 1024 * 1024;

const LIMITS: Limits =
    Limits { fuel: Some(200_000), deadline: None, memory: 2 * 1024 * 1024, stack: 128 * 1024 };

/// What answers the guest's calls.
const UPSTREAMS: &str = r#"
[cluster.a]
latency = "1ms"
hosts = ["10.0.0.1:80"]
store = true
[[cluster.a.http]]
match = { path = "/" }
headers = { x = "1" }
body = "answer"
trailers = { t = "1" }
[[cluster.a.grpc]]
service = "s.S"
messages = ["ready", { text = "each", when = "each" }, { text = "sum", when = "end" }]
close = "end"
[cluster.r]
store = true
[[cluster.r.http]]
fail = "reset"
"#;

/// The host never panics, and what it keeps for the guest stays within its quota.
pub fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let (flags, more) = (input.byte(), input.byte());
    let profile = if flags & 1 == 0 { Profile::Envoy } else { Profile::Higress };
    let mut settings = Settings::new(profile);
    settings.stop_is_stop_all = flags & 2 == 0;
    settings.absent_header_is_empty = flags & 4 != 0;
    settings.buffer_limit = (flags & 8 != 0).then_some(16);
    settings.failure_policy = match flags >> 4 & 3 {
        0 => FailurePolicy::FailClosed,
        1 => FailurePolicy::FailOpen,
        _ => FailurePolicy::FailReload,
    };
    settings.vm_configuration = script::assemble(&mut input, (more & 15).into()).into();
    let shared = Shared::with_budget(Budget::new(QUOTA, 1024));
    let world = World::new(Clock::default(), shared, &upstreams());
    // A guest may fail wherever it wants to.
    let Ok(mut host) = TestHost::start_in(plugin(), settings, world, "cfg") else { return };
    drive(&mut host, more >> 4);
    let quota = &host.proxy().host().quota;
    assert!(quota.used() <= QUOTA, "{} bytes are kept", quota.used());
}

/// Requests, a connection, time, and another configuration.
fn drive(host: &mut TestHost, what: u8) {
    let answer = || Answer::new(200).header("a", "1").chunks(["one", "", "two"]).trailer("t", "1");
    let post = || Call::post("/a").header("x", "1").chunks(["three", "four"]).answer(answer());
    if what & 1 == 0 {
        host.outcomes([post().trailer("t", "1"), Call::get("/b").http1()]);
    } else {
        host.outcomes([post().http1()]);
    }
    if what & 2 != 0 {
        let proxy = host.proxy();
        let connection = proxy.connect();
        for end in [false, true] {
            proxy.bytes(connection, Direction::Request, "client".into(), end);
            proxy.bytes(connection, Direction::Response, "server".into(), end);
        }
        proxy.disconnect(connection, PeerKind::Remote);
    }
    if what & 4 != 0 {
        // A guest that failed before is no news.
        drop(host.run_for(Duration::from_secs(2)));
    }
    if what & 8 != 0 && host.configure("other").is_ok() {
        host.outcomes([Call::get("/c").answer(answer())]);
    }
}

/// The module that makes the calls: it imports everything, and has every callback.
pub fn guest() -> Vec<u8> {
    guest::module()
}

fn upstreams() -> Upstreams {
    static SCRIPT: OnceLock<Upstreams> = OnceLock::new();
    let parse = || Upstreams::parse(UPSTREAMS, "fuzz.toml").expect("it is a script");
    SCRIPT.get_or_init(parse).clone()
}

/// The guest, compiled once, on hosts with a small quota.
fn plugin() -> &'static Small {
    static PLUGIN: OnceLock<Small> = OnceLock::new();
    PLUGIN.get_or_init(|| {
        Small(WasmPlugin::compile(&guest::module(), LIMITS).expect("the guest compiles"))
    })
}

#[derive(Clone, Debug)]
struct Small(WasmPlugin);

impl Plugin for Small {
    fn guest(&self, mut host: Host) -> Result<Box<dyn Guest>, StartError> {
        host.quota = Quota::new(QUOTA);
        self.0.guest(host)
    }
}
