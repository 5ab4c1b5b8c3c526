//! The scenarios of `docs/host-calls.md` in a real Envoy: the same guests, and the same answers.

#[path = "../../../tests/host_calls/guest.rs"]
#[expect(dead_code, reason = "hostile guests are not run here")]
mod guest;
#[path = "../../../tests/host_calls/imports.rs"]
mod imports;
#[path = "../../../tests/host_calls/run.rs"]
mod run;
#[path = "../../../tests/host_calls/scenario.rs"]
mod scenario;
#[path = "../../../tests/host_calls/script.rs"]
mod script;
#[path = "../../../tests/host_calls/tables/mod.rs"]
#[expect(dead_code, reason = "the bench host runs them elsewhere")]
mod tables;
#[path = "../../../tests/host_calls/value.rs"]
mod value;

use std::collections::BTreeMap;
use std::time::Duration;

use bench_host::host::{Level, LogLine, Profile};
use bench_host::testing::{Outcome, Seen};
use envoy_tests::envoy;
use imports::{Import, Offer};
use scenario::Scenario;
use serde_json::json;

use crate::stage::{Calls, Real, Stage, Written};

/// Scenarios that cannot hold here, and why.
const ELSEWHERE: [(&str, &str); 10] = [
    (
        "pairs are replaced as a whole, in their order, with doubles",
        "they replace the header by which a request is known again",
    ),
    ("properties of the request and of the plugin", "each plugin here has a name of its own"),
    ("outside of streams nothing is set", "each plugin here has a name of its own"),
    ("gauges", "all VMs count together, that of the main thread among them"),
    ("done is for a root context that has put its end off", "nobody ends the VM"),
    ("a root context that has put its end off ends when it says so", "nobody ends the VM"),
    ("lines of every level", "the log begins with info"),
    ("what a call was answered", "the services here send no trailers"),
    ("a reset is a callback without anything, and a status", "they reset before the headers"),
    ("calls from where there is no stream", "9 ms are too short for a real service"),
];

/// The ABI under which a scenario is for Envoy, where a test can play it there.
fn playable(scenario: &Scenario) -> Option<&'static str> {
    let (_, abi) = scenario.hosts.iter().find(|(profile, _)| *profile == Profile::Envoy)?;
    let scripts = || scenario.scripts.iter().map(|(_, script)| *script);
    let grpc = scripts().any(|script| script.contains("grpc_"));
    (!scenario.tcp && !grpc).then_some(*abi)
}

/// Whether a stock Envoy has it: it refuses modules that import what it has not.
fn is_offered(import: &Import, abi: &str) -> bool {
    match import.offer {
        Offer::All => import.name != "envoy_resolve_dns",
        Offer::Old => abi == "0_1_0",
        Offer::New => abi != "0_1_0",
        Offer::Newer => abi == "0_2_1",
        Offer::Higress => false,
    }
}

fn outcome(real: Real) -> Outcome {
    let nothing = || Seen {
        headers: Default::default(),
        body: Vec::new(),
        frames: 0,
        trailers: Default::default(),
        ended: false,
    };
    let details = real.details().to_owned();
    let downstream = real.downstream.unwrap_or_else(|_| nothing());
    Outcome {
        upstream: real.upstream.into_iter().next().unwrap_or_else(nothing),
        reset: !downstream.ended,
        downstream,
        replied_locally: details != "via_upstream",
        details,
        stalled: None,
        filter_state: BTreeMap::new(),
        span_tags: BTreeMap::new(),
        buffer_limit: 0,
        keeps_route: false,
        route_clears: 0,
        upstream_override: None,
    }
}

fn level(name: &str) -> Level {
    match name {
        "warning" => Level::Warn,
        "error" => Level::Error,
        "critical" => Level::Critical,
        _ => Level::Info,
    }
}

#[test]
fn envoy_answers_host_calls_as_the_page_says() {
    if envoy().is_none() {
        return;
    }
    let mut by_script = BTreeMap::<&str, Vec<(Scenario, &str)>>::new();
    for scenario in tables::all() {
        if let Some(abi) = playable(&scenario) {
            by_script.entry(scenario.upstreams).or_default().push((scenario, abi));
        }
    }
    let (mut played, mut mistakes) = (0, Vec::new());
    for (script, scenarios) in by_script {
        let written = Written::new();
        let mut plugins = Vec::new();
        let mut guests = Vec::new();
        for (number, (scenario, abi)) in scenarios.iter().enumerate() {
            let (guest, module) = run::guest(scenario, abi);
            if !guest.calls.iter().all(|call| is_offered(call.import, abi)) {
                guests.push(None);
                continue;
            }
            let plugin = written.module(&format!("s{number}"), &module);
            // A request that waits for ever ends so.
            plugins.push(plugin.manager(json!({"stream_idle_timeout": "1s"})));
            guests.push(Some(guest));
        }
        let served: Vec<_> = ["web", "g", "cache"]
            .into_iter()
            .filter(|name| script.contains(&format!("cluster.{name}")))
            .collect();
        let calls = Calls { script, served: &served, ..Calls::default() };
        let mut stage = Stage::start(&plugins, &calls);
        let mut seen = Vec::new();
        let scenarios: Vec<_> = scenarios
            .iter()
            .zip(guests)
            .filter_map(|((scenario, _), guest)| Some((scenario, guest?)))
            .collect();
        for ((scenario, _), plugin) in scenarios.iter().zip(&plugins) {
            let call = scenario.call.clone();
            seen.push(call.map(|call| outcome(stage.send(&plugin.name, call, Duration::ZERO))));
            std::thread::sleep(scenario.run_for.min(Duration::from_secs(2)));
        }
        std::thread::sleep(Duration::from_millis(300));
        for ((scenario, guest), (plugin, outcome)) in
            scenarios.iter().zip(plugins.iter().zip(&seen))
        {
            let lines = stage.threads(&plugin.name).into_iter().filter(|line| !line.main);
            let log: Vec<_> = lines
                .map(|line| LogLine { level: level(&line.level), message: line.message })
                .collect();
            let seen = run::Seen { log: &log, outcome: outcome.as_ref(), tcp: None };
            let mut made = Vec::new();
            let envoy = Profile::Envoy;
            run::judge(scenario, envoy, &guest.calls, seen, &mut Vec::new(), &mut made);
            if ELSEWHERE.iter().any(|(title, _)| *title == scenario.title) {
                continue;
            }
            played += 1;
            if !made.is_empty() {
                mistakes.push(format!("{}: {}", scenario.title, made.join("\n    ")));
            }
        }
    }
    assert!(played >= 60, "{played}");
    assert!(mistakes.is_empty(), "{} of {played}:\n{}", mistakes.len(), mistakes.join("\n"));
}
