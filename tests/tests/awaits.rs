//! What waiting for a call costs: `tests/awaits`, in exact counters, in `results/async.csv`.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use bench_host::measure::Phase;
use bench_host::module::Module;
use bench_host::testing::{Call, Setup, TestHost, TestModule};
use chunkwise_tests::costs::Cost;
use chunkwise_tests::results::{Results, built, compiler};

const RESULTS: Results = Results {
    csv: "results/async.csv",
    page: Some("docs/async.md"),
    test: "awaits",
    columns: &[
        "plugin",
        "compiler",
        "module_bytes",
        "allocations_a_request",
        "allocations_a_call",
        "bytes_allocated_a_call",
        "host_calls_a_request",
        "host_calls_a_call",
        "fuel_a_request",
        "fuel_a_call",
    ],
};

/// Requests that are sent before anything is counted: buffers have been allocated then.
const WARM_UP: u32 = 8;

const UPSTREAMS: &str = "[cluster.auth]\nlatency = \"1ms\"\n[[cluster.auth.http]]\nbody = \"jo\"\n";

/// All that was counted so far in the phases that a request with calls passes.
fn so_far(host: &mut TestHost) -> Cost {
    Cost::of(host.ledger(), &[Phase::ContextCreate, Phase::RequestHeaders, Phase::CallResponse])
}

/// A request that waits for so many calls, in a VM that has seen some.
fn request(module: &TestModule, calls: u32) -> Cost {
    let setup = Setup::new().upstreams(UPSTREAMS).unwrap();
    let mut host = setup.module(module, "").unwrap();
    for _ in 0..WARM_UP {
        send(&mut host, calls);
    }
    let before = so_far(&mut host);
    send(&mut host, calls);
    so_far(&mut host) - before
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
    RESULTS.check(&["passes", "waits", "callbacks-pass", "callbacks"].map(row));
}

#[test]
fn the_page_says_what_the_results_say() {
    RESULTS.check_page();
}

#[test]
fn an_await_allocates_nothing() {
    let module = TestModule::read(&built("tests/awaits/waits")).unwrap();
    let costs = [1, 2, 10, 100].map(|calls| request(&module, calls));
    let [one, others @ ..] = costs;
    for cost in others {
        assert_eq!(
            (cost.allocations, cost.bytes_allocated),
            (one.allocations, one.bytes_allocated)
        );
    }
    assert_eq!(one.allocations, 1, "the task");
}

/// A row of the results. A call costs what the second one adds to a request, and each one after it.
fn row(plugin: &str) -> String {
    let path = built(&format!("tests/awaits/{plugin}"));
    let module = Module::read(&path).unwrap();
    let start = TestModule::read(&path).unwrap();

    let [one, two, three] = [1, 2, 3].map(|calls| request(&start, calls));
    let call = two - one;
    let next = three - two;
    assert_eq!(
        (call.allocations, call.bytes_allocated, call.host_calls),
        (next.allocations, next.bytes_allocated, next.host_calls),
        "{plugin}: every call costs the same"
    );
    let request = one - call;
    format!(
        "{plugin},{},{},{},{},{},{},{},{},{}",
        compiler(&module),
        module.facts.bytes,
        request.allocations,
        call.allocations,
        call.bytes_allocated,
        request.host_calls,
        call.host_calls,
        request.fuel,
        call.fuel
    )
}
