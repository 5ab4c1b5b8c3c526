//! What waiting for a call costs: `tests/awaits`, in exact counters, in `results/async.csv`.
//!
//! A row is compared where its compiler is the one that it names: another one makes another module.
//! Allocations and host calls have to be the same; instructions and module bytes change with every
//! line of the SDK, so they may be a tenth off before the results have to be written anew.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use std::env;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;

use bench_host::guest_build::build_from;
use bench_host::measure::Phase;
use bench_host::module::Module;
use bench_host::testing::{Call, Setup, TestHost, TestModule};
use chunkwise_tests::root;

const ACCEPT: &str = "UPDATE_BASELINES=1 cargo test -p chunkwise-tests --test awaits";

const PAGE: &str = "docs/async.md";

const HEAD: &str = "plugin,compiler,module_bytes,allocations_a_request,allocations_a_call,\
                    bytes_allocated_a_call,host_calls_a_request,host_calls_a_call,fuel_a_request,\
                    fuel_a_call\n";

/// Requests that are sent before anything is counted: buffers have been allocated then.
const WARM_UP: u32 = 8;

const UPSTREAMS: &str = "[cluster.auth]\nlatency = \"1ms\"\n[[cluster.auth.http]]\nbody = \"jo\"\n";

/// What one request has cost, or what one more call adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cost {
    allocations: u64,
    bytes: u64,
    host_calls: u64,
    fuel: u64,
}

impl Cost {
    /// All that was counted so far in the phases that a request with calls passes.
    fn so_far(host: &mut TestHost) -> Self {
        let mut sum = Self { allocations: 0, bytes: 0, host_calls: 0, fuel: 0 };
        for phase in [Phase::ContextCreate, Phase::RequestHeaders, Phase::CallResponse] {
            let lines = host.ledger().phase(phase);
            let allocations = lines.allocations.unwrap_or_default();
            sum.allocations += allocations.count;
            sum.bytes += allocations.bytes;
            sum.fuel += lines.fuel.unwrap_or_default();
            sum.host_calls += host.ledger().host_calls(phase).values().sum::<u64>();
        }
        sum
    }

    fn since(self, before: Self) -> Self {
        Self {
            allocations: self.allocations - before.allocations,
            bytes: self.bytes - before.bytes,
            host_calls: self.host_calls - before.host_calls,
            fuel: self.fuel - before.fuel,
        }
    }
}

/// A request that waits for so many calls, in a VM that has seen some.
fn request(module: &TestModule, calls: u32) -> Cost {
    let setup = Setup::new().upstreams(UPSTREAMS).unwrap();
    let mut host = setup.module(module, "").unwrap();
    for _ in 0..WARM_UP {
        send(&mut host, calls);
    }
    let before = Cost::so_far(&mut host);
    send(&mut host, calls);
    Cost::so_far(&mut host).since(before)
}

fn send(host: &mut TestHost, calls: u32) {
    let call = Call::get("/").header("x-calls", &calls.to_string());
    let outcome = host.send(call).unwrap();
    let made = host.take_callouts().len();
    let user = outcome.upstream.header("x-user").unwrap().into_owned();
    match made {
        0 => assert!(["none", "some"].contains(&&*user)),
        made => assert_eq!((made, &*user), (calls as usize, "jo")),
    }
}

#[test]
fn waiting_costs_what_the_results_say() {
    let path = root().join("results/async.csv");
    let old = fs::read_to_string(&path).unwrap_or_default();
    let mut rows = String::from(HEAD);
    let mut differences = String::new();
    for plugin in ["passes", "waits", "callbacks-pass", "callbacks"] {
        let row = row(plugin);
        writeln!(rows, "{row}").unwrap();
        let old = old.lines().find(|line| line.starts_with(&format!("{plugin},")));
        let old = old.unwrap_or_default();
        let compiler = row.split(',').nth(1).unwrap();
        if agree(old, &row) {
            continue;
        } else if old.is_empty() || old.split(',').nth(1) == Some(compiler) {
            writeln!(differences, "- {old}\n+ {row}").unwrap();
        } else {
            writeln!(io::stderr(), "not compared, another compiler: {row}\n{old}").unwrap();
        }
    }
    println!("{rows}");
    if env::var_os("UPDATE_BASELINES").is_some_and(|value| value == "1") {
        fs::write(&path, &rows).unwrap();
        fs::write(root().join(PAGE), page(&rows)).unwrap();
        return;
    }
    assert!(differences.is_empty(), "results/async.csv:\n{differences}to accept it: {ACCEPT}");
}

#[test]
fn the_page_says_what_the_results_say() {
    let rows = fs::read_to_string(root().join("results/async.csv")).unwrap();
    let now = fs::read_to_string(root().join(PAGE)).unwrap();
    assert!(page(&rows) == now, "{PAGE} has another table; to accept it: {ACCEPT}");
}

/// The page with the results in its table.
fn page(rows: &str) -> String {
    let page = fs::read_to_string(root().join(PAGE)).unwrap();
    let (before, rest) = page.split_once("<!-- table -->\n").expect("the page has a table");
    let (_, after) = rest.split_once("<!-- /table -->").expect("the table ends");
    let mut table = String::new();
    for (at, row) in rows.lines().enumerate() {
        writeln!(table, "| {} |", row.replace('_', " ").replace(',', " | ")).unwrap();
        if at == 0 {
            let columns = row.split(',').skip(2).count();
            writeln!(table, "|---|---|{}", "--:|".repeat(columns)).unwrap();
        }
    }
    format!("{before}<!-- table -->\n{table}<!-- /table -->{after}")
}

#[test]
fn an_await_allocates_nothing() {
    let module = TestModule::read(&built("waits")).unwrap();
    let costs = [1, 2, 10, 100].map(|calls| request(&module, calls));
    let [one, others @ ..] = costs;
    for cost in others {
        assert_eq!((cost.allocations, cost.bytes), (one.allocations, one.bytes));
    }
    assert_eq!(one.allocations, 1, "the task");
}

/// A row of the results. A call costs what the second one adds to a request, and each one after it.
fn row(plugin: &str) -> String {
    let path = built(plugin);
    let module = Module::read(&path).unwrap();
    let compiler = module.facts.producers.iter().find(|producer| producer.name == "rustc");
    let compiler = compiler.map(|rustc| rustc.version.clone()).unwrap_or_default();
    let compiler = compiler.split(' ').next().unwrap_or_default();
    let start = TestModule::read(&path).unwrap();

    let [one, two, three] = [1, 2, 3].map(|calls| request(&start, calls));
    let call = two.since(one);
    let next = three.since(two);
    assert_eq!(
        (call.allocations, call.bytes, call.host_calls),
        (next.allocations, next.bytes, next.host_calls),
        "{plugin}: every call costs the same"
    );
    let request = one.since(call);
    format!(
        "{plugin},rustc {compiler},{},{},{},{},{},{},{},{}",
        module.facts.bytes,
        request.allocations,
        call.allocations,
        call.bytes,
        request.host_calls,
        call.host_calls,
        request.fuel,
        call.fuel
    )
}

/// Whether a row says what another one says.
fn agree(old: &str, new: &str) -> bool {
    let names = HEAD.trim_end().split(',');
    let fields = old.split(',').zip(new.split(','));
    old.split(',').count() == names.clone().count()
        && names.zip(fields).all(|(name, (old, new))| {
            let is_coarse = name == "module_bytes" || name.starts_with("fuel_");
            match (old.parse::<u64>(), new.parse::<u64>()) {
                (Ok(old), Ok(new)) if is_coarse => old.abs_diff(new) <= old / 10,
                _ => old == new,
            }
        })
}

/// Builds one of `tests/awaits`. Panics carry the paths of sources, which must not make a module
/// longer on one machine than on another.
fn built(plugin: &str) -> PathBuf {
    let registry = env::var_os("CARGO_HOME").map(PathBuf::from);
    let registry = registry.or_else(|| Some(env::home_dir()?.join(".cargo"))).unwrap();
    let remap = format!("--remap-path-prefix={}=cargo", registry.display());
    let flags = format!("target.wasm32-wasip1.rustflags=[{remap:?}]");
    // The folder of other guests with these flags.
    let target = root().join("target/foreign/rust").into_os_string();
    let arguments: Vec<OsString> =
        vec!["--config".into(), flags.into(), "--target-dir".into(), target];
    build_from(&root(), &format!("tests/awaits/{plugin}"), &arguments).unwrap()
}
