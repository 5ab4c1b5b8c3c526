//! Several VMs of one plugin: those of the workers, and that of the main thread.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use bench_host::testing::{Call, Setup, run_together};
use envoy_tests::envoy;
use serde_json::json;

use crate::stage::{Calls, PATIENCE, Plugin, Stage};

/// Waits until something is so.
fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn one_vm_leads_and_the_main_thread_has_one_that_takes_part() {
    if envoy().is_none() {
        return;
    }
    let module = chunkwise_tests::module("tests/envoy/probe");
    let plugin = Plugin::new("probe", module, "leads");
    let stage = Stage::with_workers(std::slice::from_ref(&plugin), &Calls::default(), 2);
    let said = || {
        let mut said = BTreeMap::<_, (BTreeSet<_>, u32, bool)>::new();
        for line in stage.threads("probe") {
            let of = said.entry(line.thread).or_default();
            of.0.insert(line.message);
            of.1 += 1;
            of.2 |= line.main;
        }
        said
    };
    wait_until("every VM has looked ten times", || {
        let said = said();
        said.len() == 3 && said.values().all(|(_, times, _)| *times >= 10)
    });
    let said = said();
    let leading = said.values().filter(|(words, ..)| words.contains("leads: true")).count();
    assert_eq!(leading, 1, "{said:?}");
    assert_eq!(said.values().filter(|(.., main)| *main).count(), 1, "{said:?}");

    let setup = Setup::new().workers();
    let mut hosts = [(); 3].map(|()| plugin.bench(&setup));
    run_together(&mut hosts.each_mut(), Duration::from_secs(3)).unwrap();
    let leading = |host: &mut bench_host::testing::TestHost| {
        host.log().iter().any(|line| line.message == "leads: true")
    };
    assert_eq!(hosts.iter_mut().filter_map(|host| leading(host).then_some(())).count(), 1);
}

#[test]
fn what_the_leader_fetches_is_there_for_all_workers() {
    if envoy().is_none() {
        return;
    }
    let settings = json!({
        "service": {"type": "target", "cluster": "quotas", "host": "quotas"},
        "path": "/quotas.json",
        "every_seconds": 1,
    });
    let plugin = Plugin::example("leader").configured(&settings);
    let script = r#"
        [cluster.quotas]
        [[cluster.quotas.http]]
        body = '{"ada": 100, "bob": 0}'
    "#;
    let calls = Calls { script, served: &["quotas"], ..Calls::default() };
    let start = Instant::now();
    let mut stage = Stage::with_workers(&[plugin], &calls, 2);
    stage.wait_for_calls("quotas", 4);
    // Three VMs would have made three times as many if each fetched for itself.
    let (made, most) = (stage.calls("quotas"), start.elapsed().as_secs() + 2);
    assert!(made <= most, "{made} calls, where {most} were due");
    let connections = |stage: &Stage| {
        let stats = stage.gateway.admin("/stats?filter=worker_.*downstream_cx_total").unwrap();
        let used = |line: &&str| line.starts_with("listener.127") && !line.ends_with(": 0");
        stats.lines().filter(used).count()
    };
    // Connections choose their worker by chance.
    for round in 0.. {
        let real = stage.send("leader", Call::get("/").header("x-user", "ada"), Duration::ZERO);
        assert_eq!(real.upstream[0].header("x-quota").as_deref(), Some("100"));
        let real = stage.send("leader", Call::get("/").header("x-user", "bob"), Duration::ZERO);
        assert_eq!(real.down().status(), Some(429));
        if round >= 8 && connections(&stage) == 2 {
            break;
        }
        assert!(round < 100, "one worker gets everything");
    }
}
