//! What leadership promises to any plugin.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use std::cell::{Cell, OnceCell};
use std::time::Duration;

use bench_host::engine::native::NativePlugin;
use bench_host::host::{
    Budget, Clock, Direction, FailurePolicy, HeaderMap, Level, Profile, Received, Settings, Shared,
    World,
};
use bench_host::measure::Phase;
use bench_host::testing::{Call, Setup, TestHost, run_together};
use bench_host::upstream::Upstreams;
use chunkwise::http::{HeadersAction, Reply, RequestHeaders};
use chunkwise::lease::{Leader, Lease};
use chunkwise::{Config, ConfigError, Filter, Plugin, PluginContext, Rebuild, Result};

/// Stands for election under the name that its configuration has, and answers whether it leads.
struct Candidate {
    name: String,
    leader: OnceCell<Leader>,
}

struct CandidateFilter;

thread_local! {
    /// What was answered last.
    static LEADS: Cell<bool> = const { Cell::new(false) };
}

const TERM: Duration = Lease::TERM;
const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// Where a candidate without a name looks.
const KEY: &str = "chunkwise.lease:0::6:plugin:";

impl Plugin for Candidate {
    type Filter = CandidateFilter;

    // One test on Higress has as many requests, and one on an Envoy that reloads.
    const REBUILD: Rebuild = Rebuild::NEVER.after_requests(1000);

    fn configure(config: &Config<'_>) -> Result<Self, ConfigError> {
        let name = String::from_utf8_lossy(config.bytes()?).into_owned();
        Ok(Self { name, leader: OnceCell::new() })
    }

    fn start(&self, context: &PluginContext<Self>) -> Result<()> {
        let leader = match self.name.as_str() {
            "" => context.lead(),
            "short" => context.lead_for(3 * SECOND),
            name => context.lead_with(Lease::new().named(name)),
        };
        let told = leader.clone();
        context.spawn(async move {
            loop {
                told.acquired().await?;
                chunkwise::info!("told that it leads");
                told.lost().await?;
                chunkwise::info!("told that it does not");
            }
        });
        let _ = self.leader.set(leader);
        Ok(())
    }

    fn filter(&self) -> CandidateFilter {
        CandidateFilter
    }
}

impl Filter<Candidate> for CandidateFilter {
    fn request_headers(
        &mut self,
        plugin: &Candidate,
        headers: &RequestHeaders<'_>,
    ) -> Result<HeadersAction> {
        let leader = plugin.leader.get().unwrap();
        assert!(headers.get("x-crash")?.is_none(), "on purpose");
        if headers.get("x-resign")?.is_some() {
            leader.resign()?;
        }
        if let Some(value) = headers.get("x-overwrite")? {
            headers.shared_data().set(KEY, value)?;
        }
        LEADS.set(leader.is_leader()?);
        let status = if LEADS.get() { 200 } else { 404 };
        headers.reply(&Reply::new(status))
    }
}

fn envoy() -> Setup {
    Setup::new().plugin_name("plugin").workers()
}

fn start(setup: &Setup) -> TestHost {
    setup.native::<Candidate>("").unwrap()
}

fn leads(host: &mut TestHost) -> bool {
    is_leader(host, Call::get("/"))
}

fn is_leader(host: &mut TestHost, call: Call) -> bool {
    let outcome = host.send(call).unwrap();
    outcome.downstream.header(":status").unwrap() == "200"
}

/// Asks a worker that is late: its timers have not fired.
fn leads_late(host: &mut TestHost) -> bool {
    let proxy = host.proxy();
    let stream = proxy.open("HTTP/2", Received::keeping(), Received::keeping());
    proxy.headers(stream, Direction::Request, HeaderMap::default(), true);
    proxy.close(stream);
    LEADS.get()
}

/// Which of them lead.
fn leaders(hosts: &mut [TestHost]) -> Vec<usize> {
    (0..hosts.len()).filter(|at| leads(&mut hosts[*at])).collect()
}

/// Lets time pass in odd steps; which of them led at each, and for how long.
fn watch(hosts: &mut [TestHost], time: Duration) -> Vec<(Vec<usize>, Duration)> {
    let mut seen: Vec<(Vec<usize>, Duration)> = Vec::new();
    let mut passed = Duration::ZERO;
    for step in [1, 7, 333, 1009, 13, 499].into_iter().cycle() {
        let step = step * MS;
        if passed >= time {
            break;
        }
        passed += step;
        run_together(&mut hosts.iter_mut().collect::<Vec<_>>(), step).unwrap();
        let now = leaders(hosts);
        assert!(now.len() <= 1, "{now:?} lead after {passed:?}");
        match seen.last_mut() {
            Some((last, time)) if *last == now => *time += step,
            _ => seen.push((now, step)),
        }
    }
    seen
}

/// That somebody leads within this time, and keeps on; who it is.
fn one_within(hosts: &mut [TestHost], time: Duration) -> usize {
    let seen = watch(hosts, time + 2 * TERM);
    let (gap, after) = match seen.as_slice() {
        [(none, gap), after] if none.is_empty() => (*gap, after),
        [after] => (Duration::ZERO, after),
        _ => panic!("{seen:?}"),
    };
    assert!(gap <= time, "{seen:?}");
    let [leader] = after.0.as_slice() else { panic!("{seen:?}") };
    *leader
}

/// A step of [`watch`], and a little.
const STEP: Duration = Duration::from_millis(1020);

#[test]
fn exactly_one_of_the_workers_leads_at_every_instant() {
    for workers in 2..=3 {
        let setup = envoy();
        let mut hosts: Vec<_> = (0..workers).map(|_| start(&setup)).collect();
        assert!(leaders(&mut hosts).is_empty(), "nobody does before a timer has fired");
        run_together(&mut hosts.iter_mut().collect::<Vec<_>>(), 2 * MS).unwrap();
        let first = leaders(&mut hosts);
        let seen = watch(&mut hosts, 20 * TERM);
        assert_eq!(seen.len(), 1, "{seen:?}");
        assert_eq!((seen[0].0.len(), &seen[0].0), (1, &first));
        let told = hosts[first[0]].log().iter().filter(|line| line.message.starts_with("told"));
        assert_eq!(told.count(), 1);
    }
}

#[test]
fn another_takes_over_as_soon_as_the_term_ends_when_the_leaders_vm_has_crashed() {
    // How long after its last renewal, which is made once in a third of the term.
    for since in [SECOND, 2 * SECOND, 4 * SECOND] {
        let setup = envoy();
        let mut leader = start(&setup);
        // Others look at other times than the leader renews.
        leader.run_for(700 * MS).unwrap();
        let mut second = start(&setup);
        run_together(&mut [&mut leader, &mut second], 1100 * MS).unwrap();
        let mut third = start(&setup);
        let rest = 2 * TERM - 1800 * MS;
        run_together(&mut [&mut leader, &mut second, &mut third], rest).unwrap();
        run_together(&mut [&mut leader, &mut second, &mut third], since).unwrap();
        leader.send(Call::get("/").header("x-crash", "1")).unwrap_err();

        let mut hosts = [second, third];
        run_together(&mut hosts.each_mut(), TERM - since - 20 * MS).unwrap();
        assert!(leaders(&mut hosts).is_empty());
        run_together(&mut hosts.each_mut(), 40 * MS).unwrap();
        assert_eq!(leaders(&mut hosts).len(), 1, "{since:?}");
    }
}

#[test]
fn a_vm_that_is_made_anew_stands_for_election_like_all_others() {
    let setup = envoy().failure_policy(FailurePolicy::FailReload);
    let mut hosts = [start(&setup)];
    assert_eq!(one_within(&mut hosts, 2 * MS), 0);
    hosts[0].send(Call::get("/").header("x-crash", "1")).unwrap_err();
    hosts[0].run_for(2 * SECOND).unwrap();
    assert_eq!(one_within(&mut hosts, TERM), 0, "and never takes itself for the one before");
    assert_eq!(hosts[0].slot().vms(), 2);
}

#[test]
fn a_worker_that_is_gone_is_like_one_that_crashed() {
    let setup = envoy();
    let mut hosts = vec![start(&setup), start(&setup)];
    let leader = one_within(&mut hosts, 2 * MS);
    drop(hosts.remove(leader));
    assert_eq!(one_within(&mut hosts, TERM), 0);
}

#[test]
fn a_vm_that_is_rebuilt_hands_over_in_order() {
    let setup = Setup::new().higress().plugin_name("plugin").workers();
    let mut hosts = [start(&setup), start(&setup)];
    let leader = one_within(&mut hosts, 2 * MS);
    let other = 1 - leader;
    // A stream that goes on keeps the VM, which keeps leading.
    let stream = hosts[leader].slot().open("HTTP/2", Received::keeping(), Received::keeping());
    for _ in 0..1001 {
        leads(&mut hosts[leader]);
    }
    run_together(&mut hosts.each_mut(), 2 * TERM).unwrap();
    assert_eq!((hosts[leader].slot().rebuilds(), leaders(&mut hosts)), (1, vec![]));
    hosts[leader].slot().close(stream);
    one_within(&mut hosts, TERM / 3 + STEP);
    assert!(hosts[other].slot().rebuilds() <= 1);
}

#[test]
fn a_vm_that_ends_itself_hands_over_in_order() {
    let reloads = br#"{"failure_policy":"FAIL_RELOAD"}"#;
    let setup = envoy().failure_policy(FailurePolicy::FailReload);
    let setup = setup.with(|settings| settings.vm_configuration = reloads[..].into());
    let mut hosts = [start(&setup), start(&setup)];
    let mut leader = one_within(&mut hosts, 2 * MS);
    for round in 1..=4 {
        run_together(&mut hosts.each_mut(), 2 * SECOND).unwrap();
        let vms = hosts[leader].slot().vms();
        while hosts[leader].proxy().fault().is_none() {
            leads(&mut hosts[leader]);
        }
        assert!(hosts[leader].proxy().fault().unwrap().on_purpose);
        // Nobody comes to this worker, and the other one takes over within a third of the term.
        let other = 1 - leader;
        for _ in 0..TERM.as_secs() / 3 {
            run_together(&mut hosts.each_mut(), SECOND).unwrap();
        }
        run_together(&mut hosts.each_mut(), STEP).unwrap();
        assert!(leads(&mut hosts[other]));
        // The fresh VM stands for election like all others.
        assert!(!leads(&mut hosts[leader]));
        assert_eq!(hosts[leader].slot().vms(), vms + 1);
        watch(&mut hosts, 2 * TERM);
        leader = one_within(&mut hosts, STEP);
        let rebuilds: u64 = hosts.iter_mut().map(|host| host.slot().rebuilds()).sum();
        assert_eq!((leader, rebuilds), (other, round));
    }
}

#[test]
fn a_configuration_that_is_only_tried_takes_nothing_and_a_new_one_takes_over() {
    let setup = envoy();
    let mut hosts = [start(&setup), start(&setup)];
    // Two VMs in which it was tried have come and gone before anybody led.
    for host in &mut hosts {
        host.configure("").unwrap();
    }
    let leader = one_within(&mut hosts, 2 * MS);
    hosts[leader].configure("").unwrap();
    assert!(leaders(&mut hosts).is_empty(), "what leads is a configuration of a VM");
    one_within(&mut hosts, TERM / 3 + STEP);
    // Again and again, in every worker.
    for round in 0..20 {
        hosts[round % 2].configure("").unwrap();
        assert!(leaders(&mut hosts).len() <= 1);
        watch(&mut hosts, SECOND * 3);
    }
    one_within(&mut hosts, TERM / 3 + STEP);
}

#[test]
fn a_worker_that_stands_still_knows_that_it_leads_no_more() {
    let setup = envoy();
    let mut hosts = vec![start(&setup), start(&setup)];
    let leader = one_within(&mut hosts, 2 * MS);
    let mut stuck = hosts.remove(leader);
    assert!(leads_late(&mut stuck));
    let mut taken = false;
    for _ in 0..200 {
        hosts[0].run_for(97 * MS).unwrap();
        // Asked in this order: what the first one says is older.
        let (old, new) = (leads_late(&mut stuck), leads(&mut hosts[0]));
        assert!(!(old && new));
        taken |= new;
        assert!(!(old && taken), "it has come back");
    }
    assert!(taken);
    // Its timers fire late, and it finds another leader.
    let mut hosts = [stuck, hosts.remove(0)];
    assert_eq!(one_within(&mut hosts, Duration::ZERO), 1);
    let told: Vec<_> = hosts[0].log().iter().map(|line| line.message.as_str()).collect();
    assert_eq!(told.last(), Some(&"told that it does not"), "{told:?}");
}

#[test]
fn one_that_resigns_stands_back_for_a_term() {
    let setup = envoy();
    let mut hosts = [start(&setup), start(&setup)];
    let leader = one_within(&mut hosts, 2 * MS);
    assert!(!is_leader(&mut hosts[leader], Call::get("/").header("x-resign", "1")));
    assert_eq!(one_within(&mut hosts, TERM / 3 + STEP), 1 - leader);

    let mut alone = [start(&envoy())];
    assert_eq!(one_within(&mut alone, 2 * MS), 0);
    is_leader(&mut alone[0], Call::get("/").header("x-resign", "1"));
    alone[0].run_for(TERM - 10 * MS).unwrap();
    assert!(!leads(&mut alone[0]));
    alone[0].run_for(20 * MS).unwrap();
    assert!(leads(&mut alone[0]), "nobody else was there");
    let told: Vec<_> = alone[0].log().iter().map(|line| line.message.as_str()).collect();
    let told: Vec<_> = told.iter().filter(|line| line.starts_with("told")).collect();
    assert_eq!(told, [&"told that it leads", &"told that it does not", &"told that it leads"]);
}

#[test]
fn what_somebody_else_has_written_is_replaced() {
    // A record that ends in centuries.
    let far = ["\x01".repeat(17), "\x7f".repeat(8)].concat();
    for garbage in ["", "no record", "\x02nor this, of 25 bytes...", &far] {
        let setup = envoy();
        let mut hosts = [start(&setup), start(&setup)];
        one_within(&mut hosts, 2 * MS);
        is_leader(&mut hosts[1], Call::get("/").header("x-overwrite", garbage));
        let seen = watch(&mut hosts, 4 * TERM);
        let without: Duration =
            seen.iter().filter(|(who, _)| who.is_empty()).map(|(_, time)| *time).sum();
        // Seen after a third of the term at most, and a term later taken for what it is.
        assert!(without <= TERM + TERM / 3 + STEP, "{garbage:?}: {seen:?}");
        assert_eq!(seen.last().unwrap().0.len(), 1);
        let warned = |host: &mut TestHost| {
            host.log().iter().filter(|line| line.level == Level::Warn).count()
        };
        let [one, other] = hosts.each_mut().map(warned);
        assert!((1..=2).contains(&(one + other)), "{one} and {other}");
    }
}

#[test]
fn plugins_and_leases_of_other_names_have_leaders_of_their_own() {
    let setup = envoy();
    let mut hosts = [
        start(&setup),
        start(&setup.clone().plugin_name("another")),
        setup.native::<Candidate>("a lease of its own").unwrap(),
        start(&setup.clone().with(|settings| settings.plugin_root_id = "root".to_owned())),
        start(&setup),
    ];
    run_together(&mut hosts.each_mut(), 2 * TERM).unwrap();
    assert_eq!(leaders(&mut hosts), [0, 1, 2, 3]);
}

#[test]
fn a_shorter_term_is_taken_over_sooner() {
    let setup = envoy();
    let mut hosts = [(); 2].map(|()| setup.native::<Candidate>("short").unwrap());
    let leader = one_within(&mut hosts, 2 * MS);
    hosts[leader].send(Call::get("/").header("x-crash", "1")).unwrap_err();
    let [first, second] = hosts;
    one_within(&mut [if leader == 0 { second } else { first }], 3 * SECOND);
}

#[test]
fn a_host_that_refuses_is_complained_of_once() {
    let shared = Shared::with_budget(Budget::new(0, 0));
    let world = World::new(Clock::default(), shared, &Upstreams::none());
    let settings = Settings::new(Profile::Envoy);
    let plugin = NativePlugin::<Candidate>::new();
    let mut host = TestHost::start_in(&plugin, settings, world, "").unwrap();
    host.run_for(10 * TERM).unwrap();
    assert!(!leads(&mut host));
    let lines: Vec<_> = host.log().iter().map(|line| line.message.as_str()).collect();
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    assert!(line.starts_with("cannot stand for election, tries on (chunkwise.lease:"), "{line}");
    assert!(line.contains("proxy_set_shared_data"), "{line}");
}

#[test]
fn the_cost_is_a_few_host_calls_in_a_third_of_the_term() {
    let setup = envoy();
    let mut hosts = [start(&setup), start(&setup)];
    let leader = one_within(&mut hosts, 2 * MS);
    let calls = |host: &mut TestHost| host.ledger().host_calls(Phase::Tick);
    let before = hosts.each_mut().map(calls);
    run_together(&mut hosts.each_mut(), 10 * TERM).unwrap();
    let after = hosts.each_mut().map(calls);
    let of = |at: usize, call: &str| {
        let count = |calls: &std::collections::BTreeMap<String, u64>| {
            calls.get(call).copied().unwrap_or_default()
        };
        count(&after[at]) - count(&before[at])
    };
    for (at, writes) in [(leader, 30), (1 - leader, 0)] {
        assert_eq!(of(at, "proxy_get_shared_data"), 30);
        assert_eq!(of(at, "proxy_set_shared_data"), writes);
        assert_eq!(of(at, "proxy_get_current_time_nanoseconds"), 3 * 30);
        assert_eq!(of(at, "proxy_get_property"), 0);
        let set = of(at, "proxy_set_tick_period_milliseconds");
        assert!(set <= 30, "{set}");
    }
    // One look at the clock for the leader, and none for others.
    let calls = |host: &mut TestHost| {
        let before = host.ledger().host_calls(Phase::RequestHeaders);
        leads(host);
        let after = host.ledger().host_calls(Phase::RequestHeaders);
        let clock = "proxy_get_current_time_nanoseconds";
        after.get(clock).copied().unwrap_or_default()
            - before.get(clock).copied().unwrap_or_default()
    };
    assert_eq!((calls(&mut hosts[leader]), calls(&mut hosts[1 - leader])), (1, 0));
}
