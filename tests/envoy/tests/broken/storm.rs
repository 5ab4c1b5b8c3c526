//! Everything that can go wrong, at once, among requests with which nothing is wrong.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use envoy_tests::{envoy, runtime};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::asking::{Asked, Client, Got, Way, ask};
use crate::expected;
use crate::plugins::{SERVICES, Subject, subjects};
use crate::server::{self, Fault};
use crate::stage::{Calls, PATIENCE, Stage};

/// How often each case comes.
const TIMES: usize = 2;

/// How many are under way at a time.
const AT_ONCE: usize = 48;

/// One way for a stream to go.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Case {
    pub plugin: String,
    pub http2: bool,
    pub fault: Fault,
    pub client: Client,
    /// What the client says to the service that is asked about it, and so how that one answers.
    pub service: &'static str,
}

/// What has become of it.
#[derive(Debug)]
pub struct Went {
    pub case: Case,
    pub got: Got,
    /// The line of the access log.
    pub line: Value,
}

/// All cases of a plugin.
pub fn cases(subject: &Subject) -> Vec<Case> {
    let mut cases = Vec::new();
    for http2 in [false, true] {
        let mut case = |fault, client, service| {
            let plugin = subject.plugin.name.clone();
            cases.push(Case { plugin, http2, fault, client, service });
        };
        for fault in Fault::ALL {
            case(fault, Client::Stays, "fine");
            if fault.is_early() && !subject.holds {
                case(fault, Client::SendsHalf, "fine");
            }
        }
        for _ in 0..6 {
            case(Fault::None, Client::Stays, "fine");
        }
        case(Fault::None, Client::LeavesSending, "fine");
        case(Fault::Slow, Client::LeavesWaiting, "fine");
        case(Fault::Drips, Client::LeavesReading, "fine");
        if subject.asks {
            for service in ["broken", "slow", "stranger"] {
                case(Fault::None, Client::Stays, service);
            }
            case(Fault::None, Client::LeavesWaiting, "slow");
            case(Fault::None, Client::LeavesReading, "slow");
            case(Fault::CutsResponse, Client::Stays, "slow");
            case(Fault::Silent, Client::Stays, "slow");
        }
    }
    cases
}

fn asked(case: &Case, subject: &Subject, stage: &Stage, key: usize) -> Asked {
    let answer = subject.answer(case.service);
    let fields = vec![
        ("x-exchange", key.to_string()),
        ("x-fault", format!("{:?}", case.fault)),
        ("x-answer", format!("{answer:?}")),
        ("x-api-key", "somebody".to_owned()),
        ("authorization", case.service.to_owned()),
        ("content-type", "application/json".to_owned()),
    ];
    let way = if case.http2 && key.is_multiple_of(2) { Way::Stream } else { Way::Connection };
    Asked {
        to: stage.address(&case.plugin),
        http2: case.http2,
        path: subject.path.to_owned(),
        fields,
        body: subject.body,
        client: case.client,
        way,
    }
}

/// Sends them, many at a time, and waits until the gateway has logged them all.
fn run(stage: &Stage, subjects: &[Subject], times: usize, logged: &mut usize) -> Vec<Went> {
    let gate = Arc::new(Semaphore::new(AT_ONCE));
    let mut all = Vec::new();
    for _ in 0..times {
        for subject in subjects {
            all.extend(cases(subject).into_iter().map(|case| (case, subject)));
        }
    }
    // One after the other as they come from a list that is not in the order of the cases.
    let step = (1..).map(|n| 2 * n * 7 + 1).find(|step| *step > 97 && all.len() % step != 0);
    let mut asks = JoinSet::new();
    let first = *logged;
    for turn in 0..all.len() {
        let number = turn * step.unwrap_or(1) % all.len();
        let (case, subject) = &all[number];
        let asked = asked(case, subject, stage, first + turn);
        let (case, gate) = (case.clone(), Arc::clone(&gate));
        let client = async move {
            let _turn = gate.acquire_owned().await;
            (turn, case, ask(asked).await)
        };
        asks.spawn_on(client, runtime().handle());
    }
    let went = runtime().block_on(asks.join_all());
    *logged += went.len();
    let lines = stage.gateway.access_log(*logged).unwrap();
    let by_key: BTreeMap<&str, &Value> =
        lines.iter().map(|line| (line["key"].as_str().unwrap_or_default(), line)).collect();
    assert_eq!(by_key.len(), lines.len(), "a line for each stream");
    let went = went.into_iter().map(|(turn, case, got)| {
        let line = by_key[&*(first + turn).to_string()].clone();
        Went { case, got, line }
    });
    went.collect()
}

#[test]
fn what_goes_wrong_harms_nobody_else() {
    if envoy().is_none() {
        return;
    }
    let subjects = subjects();
    let plugins: Vec<_> = subjects.iter().map(|subject| subject.plugin.clone()).collect();
    let calls = Calls {
        script: SERVICES,
        served: &["moderation", "auth", "audit"],
        own: &[("upstream-wild", server::listen())],
        ..Calls::default()
    };
    let stage = Stage::with_workers(&plugins, &calls, 2);
    let mut logged = 0;
    let vms = || ["active", "created"].map(|what| stat(&stage, &format!("{WASM}.{what}")));
    let before = vms();
    let went = run(&stage, &subjects, TIMES, &mut logged);
    let wrong: Vec<_> = went.iter().filter_map(|went| expected::check(went, &subjects)).collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), went.len(), wrong.join("\n"));

    // Clients have gone in both ways that there are over HTTP/2.
    for details in ["downstream_remote_disconnect", "http2.remote_reset"] {
        assert!(
            went.iter().any(|went| went.case.http2 && went.line["details"] == details),
            "{details}"
        );
    }

    // Nobody is left: neither a client's stream nor a call that outlived it.
    let mut gauges: Vec<_> = ["upstream-wild", "moderation", "auth", "audit"]
        .iter()
        .flat_map(|cluster| {
            ["upstream_rq_active", "upstream_rq_pending_active"]
                .map(|gauge| format!("cluster.{cluster}.{gauge}"))
        })
        .collect();
    gauges.extend(["rq", "cx"].map(|what| format!("http.http.downstream_{what}_active")));
    for gauge in gauges {
        wait_for(&stage, &gauge, 0);
    }

    // No VM has died, and none was made in the place of another.
    assert_eq!(vms(), before);
    let log = stage.gateway.log().unwrap();
    for mark in ["Function: ", "panicked", "[critical]", "[error][wasm]"] {
        let line = log.lines().find(|line| line.contains(mark));
        assert_eq!(line, None, "in Envoy's log");
    }

    // Every answer is counted when its stream ends, whichever way it does.
    let counted = |went: &&Went| went.case.plugin == "token-count" && went.line["code"] == 200;
    let answers: Vec<_> = went.iter().filter(counted).collect();
    wait_for(&stage, "token_count_duration_ms_count", answers.len() as u64);
    let whole = answers.iter().filter(|went| went.got.ended).count() as u64;
    assert!(whole > 0 && whole < answers.len() as u64);
    wait_for(&stage, "wasmcustom.token_count.other.input", 3 * whole);
    wait_for(&stage, "wasmcustom.token_count.other.output", 5 * whole);
}

/// Where Envoy counts VMs.
const WASM: &str = "wasm.envoy.wasm.runtime.v8";

/// A counter, a gauge, or the number of values in a histogram; 0 where there is none.
fn stat(stage: &Stage, name: &str) -> u64 {
    let prometheus = name.ends_with("_count");
    let path = if prometheus { "/stats/prometheus" } else { "/stats" };
    let key = if prometheus { format!("{name}{{}} ") } else { format!("{name}: ") };
    let stats = stage.gateway.admin(path).unwrap();
    stats.lines().find_map(|line| line.strip_prefix(&*key)?.parse().ok()).unwrap_or_default()
}

fn wait_for(stage: &Stage, name: &str, value: u64) {
    let start = Instant::now();
    loop {
        let is = stat(stage, name);
        if is == value {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "{name} is {is}, and not {value}");
        sleep(Duration::from_millis(50));
    }
}
