//! What a request costs that a plugin has nothing to do with: exact counters of a module, callback
//! by callback.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use bench_host::measure::{Allocations, Ledger, Phase};
use bench_host::testing::{Answer, Call, Setup, TestModule};
use chunkwise_tests::module;

/// Requests that are counted, after one that is not: the first grows what is used again.
const REQUESTS: u64 = 50;

/// A request with everything that can come, and its answer.
fn request() -> Call {
    let answer = Answer::new(200).chunks(["an", "swer"]).trailer("t", "1");
    Call::post("/").header("x", "1").chunks(["ques", "tion"]).trailer("t", "1").answer(answer)
}

/// Sends requests, and returns what they cost together with what the first one had cost.
fn costs(setup: Setup, plugin: &TestModule, configuration: &str) -> [Ledger; 2] {
    let setup = setup.route("default/foo").cluster("outbound|80||foo.dns");
    let mut host = setup.module(plugin, configuration).unwrap();
    host.send(request()).unwrap();
    let before = host.ledger().clone();
    for _ in 0..REQUESTS {
        let outcome = host.send(request()).unwrap();
        assert_eq!(
            (outcome.upstream.text(), outcome.downstream.text()),
            ("question".into(), "answer".into())
        );
    }
    [before, host.ledger().clone()]
}

/// Checks that only request headers made host calls, so many each, and that nothing was allocated:
/// with each proxy.
#[track_caller]
fn check(plugin: &TestModule, configuration: &str, wanted: u64) {
    for setup in [Setup::new(), Setup::new().higress()] {
        check_with(setup, plugin, configuration, wanted);
    }
}

#[track_caller]
fn check_with(setup: Setup, plugin: &TestModule, configuration: &str, wanted: u64) {
    let [before, after] = costs(setup, plugin, configuration);
    let mut callbacks = 0;
    for phase in Phase::ALL {
        callbacks += after.phase(phase).calls - before.phase(phase).calls;
        let calls = |ledger: &Ledger| ledger.host_calls(phase).values().sum::<u64>();
        let wanted = if phase == Phase::RequestHeaders { wanted * REQUESTS } else { 0 };
        assert_eq!(calls(&after) - calls(&before), wanted, "{phase:?}: {configuration}");
        if after.phase(phase).calls == before.phase(phase).calls {
            continue;
        }
        let allocated = |ledger: &Ledger| -> Allocations {
            ledger.phase(phase).allocations.expect("the module keeps books")
        };
        assert_eq!(allocated(&after), allocated(&before), "{phase:?}: {configuration}");
        assert_eq!(after.phase(phase).pages_grown, before.phase(phase).pages_grown, "{phase:?}");
    }
    // Headers, two frames or more, and trailers of both, and what begins and ends a stream.
    assert!(callbacks >= 10 * REQUESTS, "{callbacks}");
}

#[test]
fn a_request_that_no_rule_matches_costs_one_host_call_whatever_the_rules_look_at() {
    let plugin = TestModule::read(&module("per-domain")).unwrap();
    let rules = |conditions: &[&str]| {
        let edit = r#""request": { "x-a": "1" }"#;
        let rules: Vec<_> =
            conditions.iter().map(|condition| format!("{{ {edit}, {condition} }}")).collect();
        format!(r#"{{ "_rules_": [{}] }}"#, rules.join(","))
    };
    let host = r#""_match_domain_": ["*.example.org", "a.example"]"#;
    let route = r#""_match_route_": ["default/bar", "default/baz"]"#;
    let prefix = r#""_match_route_prefix_": ["prod/"]"#;
    let service = r#""_match_service_": ["bar.dns:80", "baz.dns"]"#;
    for condition in [host, route, prefix, service] {
        check(&plugin, &rules(&[condition]), 1);
        check(&plugin, &rules(&[condition; 30]), 1);
    }
    let both = r#""_match_route_": ["default/foo"], "_match_service_": ["bar.dns"]"#;
    check(&plugin, &rules(&[both]), 1);
    let all = [host, route, prefix, service];
    for kinds in 1..1 << all.len() {
        let mix: Vec<_> = (0..all.len()).filter(|n| kinds >> n & 1 == 1).map(|n| all[n]).collect();
        check(&plugin, &rules(&mix), 1);
    }
    check(&plugin, &rules(&[all, all, all].concat()), 1);
    // A global part that says nothing, and no rules.
    check(&plugin, "{}", 0);
}

#[test]
fn a_plugin_that_touches_nothing_costs_no_host_call() {
    let plugin = TestModule::read(&module("replace")).unwrap();
    let configuration =
        r#"{ "rules": [{ "find": "a", "replace": "b" }], "request": false, "response": false }"#;
    check(&plugin, configuration, 0);
}
