//! Modules: read, described, and run.

use std::path::Path;
use std::time::Duration;

use bench_host::engine::wasm::{Limits, WasmPlugin};
use bench_host::engine::{Guest, Plugin, StartError};
use bench_host::host::{Budget, Clock, Host, Profile, Quota, Settings, Shared, World};
use bench_host::module::{Module, report};
use bench_host::testing::{Answer, Call, TestHost};
use bench_host::upstream::Upstreams;

/// Modules that are compiled: larger ones take too long for many of them.
const COMPILED: usize = 16 * 1024;

const QUOTA: u64 = 1024 * 1024;

const LIMITS: Limits = Limits {
    fuel: Some(100_000),
    deadline: Some(Duration::from_millis(200)),
    memory: 4 * 1024 * 1024,
    stack: 128 * 1024,
};

/// Bytes are no module, with a reason, or a module that is described in printable lines. A plugin
/// is compiled, or refused with a reason of one line; it starts and gets a request, or fails.
pub fn check(data: &[u8]) {
    let module = match Module::parse(Path::new("fuzz.wasm"), data.to_vec()) {
        Ok(module) => module,
        Err(error) => {
            let text = error.to_string();
            assert!(text.contains("fuzz.wasm"), "{text}");
            return;
        }
    };
    assert_eq!(module.facts.bytes, data.len() as u64);
    described(&module);
    if module.facts.loadable().is_ok() && data.len() <= COMPILED {
        run(&module);
    }
}

/// What people and programs are shown of it is printable, whatever its names are.
pub fn described(module: &Module) {
    let text = report::text(module);
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
    serde_json::to_string(&module.facts).expect("facts are JSON");
}

/// Compiles a plugin and sends a request through it, on either proxy.
pub fn run(module: &Module) {
    let plugin = match WasmPlugin::compile(&module.bytes, LIMITS) {
        Ok(plugin) => Small(plugin),
        Err(error) => {
            let text = error.to_string();
            assert!(!text.contains('\n'), "{text}");
            return;
        }
    };
    let profile =
        if module.bytes.len().is_multiple_of(2) { Profile::Envoy } else { Profile::Higress };
    let mut settings = Settings::new(profile);
    settings.adapt_to(&module.facts);
    let shared = Shared::with_budget(Budget::new(QUOTA, 1024));
    let world = World::new(Clock::default(), shared, &Upstreams::none());
    let Ok(mut host) = TestHost::start_in(&plugin, settings, world, "{}") else { return };
    let answer = Answer::new(200).header("a", "1").chunks(["one", "two"]);
    let call = Call::post("/a").header("x", "1").chunks(["three", "four"]).trailer("t", "1");
    let outcomes = host.outcomes([call.answer(answer)]);
    assert_eq!(outcomes.len(), 1, "one request has one outcome");
    let host = host.proxy().host();
    assert!(host.quota.used() <= QUOTA, "{} bytes are kept", host.quota.used());
    assert!(host.memory_bytes <= LIMITS.memory as u64, "{} bytes of memory", host.memory_bytes);
}

#[derive(Clone, Debug)]
struct Small(WasmPlugin);

impl Plugin for Small {
    fn guest(&self, mut host: Host) -> Result<Box<dyn Guest>, StartError> {
        host.quota = Quota::new(QUOTA);
        self.0.guest(host)
    }
}
