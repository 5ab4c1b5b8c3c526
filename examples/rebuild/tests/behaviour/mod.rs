//! What the plugin does, whatever engine it runs on.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use std::time::Duration;

use bench_host::engine::StartError;
use bench_host::host::Direction::{Request, Response};
use bench_host::host::{FailurePolicy, Level};
use bench_host::measure::Phase;
use bench_host::testing::{Answer, Call, Setup, TestHost};

/// Starts the plugin in a proxy, with a configuration.
pub type Start = fn(&Setup, &str) -> Result<TestHost, StartError>;

/// Makes a test of every behaviour, for one engine.
macro_rules! tests {
    ($start:path) => {
        behaviour::tests! { $start =>
            a_policy_is_fetched_once
            policies_decide
            names_that_are_none_are_refused
            what_the_service_does_wrong_is_503
            a_cluster_that_the_proxy_does_not_know_is_503
            policies_get_old
            what_is_full_begins_anew
            bodies_wait_and_pass
            a_known_tenant_costs_two_host_calls_and_no_allocation
            after_many_requests_the_vm_is_made_anew
            a_stream_ends_in_the_vm_in_which_it_began
            when_memory_has_grown_the_vm_is_made_anew
            a_stock_envoy_is_named_and_goes_on
            an_envoy_that_reloads_makes_the_vm_anew
            higress_takes_the_limit_of_requests
            bad_configurations_name_the_field
        }
    };
    ($start:path => $($name:ident)*) => {$(
        #[test]
        fn $name() {
            behaviour::$name($start);
        }
    )*};
}
pub(crate) use tests;

const SERVICE: &str = r#"
    [cluster.tenants]
    latency = "2ms"
    [[cluster.tenants.http]]
    match = { path = "/tenants/nobody" }
    status = 404
    [[cluster.tenants.http]]
    match = { path = "/tenants/broken" }
    fail = "reset"
    [[cluster.tenants.http]]
    match = { path = "/tenants/late" }
    latency = "1min"
    [[cluster.tenants.http]]
    match = { path = "/tenants/down" }
    status = 500
    [[cluster.tenants.http]]
    match = { path = "/tenants/no-json" }
    body = "{"
    [[cluster.tenants.http]]
    match = { path = "/tenants/slow" }
    latency = "450ms"
    json = { paths = ["/"] }
    [[cluster.tenants.http]]
    json = { paths = ["/shop/", "/status"] }
"#;

const CONFIGURATION: &str =
    r#"{"cluster":{"type":"target","cluster":"tenants","host":"tenants"},"tenants":5}"#;

/// A stock Envoy and Higress's.
fn proxies() -> [Setup; 2] {
    [Setup::new(), Setup::new().higress()].map(|setup| setup.upstreams(SERVICE).unwrap())
}

fn by(tenant: &str) -> Call {
    Call::get("/shop/1").header("x-tenant", tenant)
}

fn status(host: &mut TestHost, call: Call) -> String {
    let outcome = host.send(call).unwrap();
    assert_eq!(outcome.stalled, None);
    outcome.downstream.header(":status").unwrap().into_owned()
}

fn fetched(host: &mut TestHost) -> Vec<String> {
    host.take_callouts().iter().map(|call| format!("{} {}", call.method(), call.path())).collect()
}

/// The VMs that were made, and how many of them because the plugin asked.
fn vms(host: &mut TestHost) -> (u64, u64) {
    (host.slot().vms(), host.slot().rebuilds())
}

/// As many requests as make the plugin ask for a fresh VM, with those that it has had.
fn until_asked(host: &mut TestHost, had: usize) {
    for _ in had..20_000 {
        host.send(by("jo")).unwrap();
    }
}

pub fn a_policy_is_fetched_once(start: Start) {
    for setup in proxies() {
        let mut host = start(&setup, CONFIGURATION).unwrap();
        for call in [by("jo"), by("jo").http1(), by("jo")] {
            assert_eq!(status(&mut host, call), "200");
        }
        assert_eq!(fetched(&mut host), ["GET /tenants/jo"]);
        // Two at once do not wait for each other.
        let outcomes = host.interleave([by("mo"), by("mo")]).unwrap();
        assert!(outcomes.iter().all(|outcome| outcome.details == "via_upstream"));
        assert_eq!(fetched(&mut host).len(), 2);
        assert_eq!(host.log(), []);
    }
}

pub fn policies_decide(start: Start) {
    for setup in proxies() {
        let mut host = start(&setup, CONFIGURATION).unwrap();
        // First when the policy is not known yet, then when it is.
        for _ in 0..2 {
            for (tenant, path, wanted) in [
                ("jo", "/shop/1", "200"),
                ("jo", "/status?x=1", "200"),
                ("mo", "/admin", "403"),
                ("nobody", "/shop/1", "403"),
            ] {
                let call = Call::get(path).header("x-tenant", tenant);
                assert_eq!(status(&mut host, call), wanted, "{tenant} {path}");
            }
        }
        assert_eq!(fetched(&mut host).len(), 3);
        assert_eq!(host.log(), []);
    }
}

pub fn names_that_are_none_are_refused(start: Start) {
    let mut host = start(&proxies()[0], CONFIGURATION).unwrap();
    for call in [Call::get("/shop/1"), by(""), by("../admin"), by("a b"), by(&"x".repeat(65))] {
        assert_eq!(status(&mut host, call), "400");
    }
    for (first, second) in [("jo", "mo"), ("jo", "jo"), ("jo", ""), ("", "jo")] {
        let call = by(first).header("x-tenant", second);
        assert_eq!(status(&mut host, call), "400", "whom the upstream would see");
    }
    assert_eq!(fetched(&mut host), [""; 0]);
}

pub fn what_the_service_does_wrong_is_503(start: Start) {
    for setup in proxies() {
        let mut host = start(&setup, CONFIGURATION).unwrap();
        for (tenant, reason) in [
            ("broken", "the connection was reset before an answer"),
            ("late", "the tenants' service did not answer in time"),
            ("down", "the tenants' service answered neither 200 nor 404"),
            ("no-json", "the JSON document is wrong at line 1, column 1"),
        ] {
            // Nothing of it is kept.
            for _ in 0..2 {
                let outcome = host.send(by(tenant)).unwrap();
                assert_eq!(outcome.downstream.header(":status").unwrap(), "503");
                assert_eq!(outcome.downstream.header("retry-after").unwrap(), "1");
                assert!(outcome.upstream.headers.is_empty());
                let line = host.log().last().unwrap();
                assert_eq!(line.level, Level::Error);
                assert_eq!(line.message, format!("tenant {tenant}: {reason}"));
            }
            assert_eq!(fetched(&mut host).len(), 2);
        }
    }
    let long = format!("[[cluster.tenants.http]]\nbody = \"{}\"", "x".repeat(64 * 1024 + 1));
    let mut host = start(&Setup::new().upstreams(&long).unwrap(), CONFIGURATION).unwrap();
    assert_eq!(status(&mut host, by("jo")), "503");
    assert!(host.log()[0].message.contains("more than 64 KiB"));
}

pub fn a_cluster_that_the_proxy_does_not_know_is_503(start: Start) {
    let mut host = start(&Setup::new(), CONFIGURATION).unwrap();
    assert_eq!(status(&mut host, by("jo")), "503");
    assert!(host.log()[0].message.contains("no cluster of that name"));
}

pub fn policies_get_old(start: Start) {
    for setup in proxies() {
        let mut host = start(&setup, CONFIGURATION).unwrap();
        for (seconds, calls) in [(0, 1), (59, 0), (1, 1), (59, 0)] {
            host.run_for(Duration::from_secs(seconds)).unwrap();
            assert_eq!(status(&mut host, by("jo")), "200");
            assert_eq!(fetched(&mut host).len(), calls);
        }
    }
}

pub fn what_is_full_begins_anew(start: Start) {
    let mut host = start(&proxies()[0], CONFIGURATION).unwrap();
    for tenant in ["1", "2", "3", "4", "5", "6"] {
        assert_eq!(status(&mut host, by(tenant)), "200");
    }
    fetched(&mut host);
    assert_eq!(
        (status(&mut host, by("6")), status(&mut host, by("1"))),
        ("200".into(), "200".into())
    );
    assert_eq!(fetched(&mut host), ["GET /tenants/1"]);
}

pub fn bodies_wait_and_pass(start: Start) {
    let text = "some text";
    for setup in proxies() {
        for cut in 0..=text.len() {
            let mut host = start(&setup, CONFIGURATION).unwrap();
            let chunks = [&text[..cut], &text[cut..]];
            let answer = Answer::new(200).chunks(chunks).trailer("t", "1");
            let call = by("jo").chunks(chunks).trailer("u", "2").answer(answer);
            for call in [call.clone(), call.http1()] {
                let outcome = host.send(call).unwrap();
                for (seen, trailer) in [(&outcome.upstream, "u"), (&outcome.downstream, "t")] {
                    assert_eq!(seen.text(), text);
                    assert!(seen.ended && seen.trailers.get(trailer.as_bytes()).is_some());
                }
            }
            for phase in [Phase::RequestBody, Phase::ResponseHeaders, Phase::ResponseBody] {
                assert!(host.ledger().host_calls(phase).is_empty(), "{phase:?}");
            }
        }
    }
}

pub fn a_known_tenant_costs_two_host_calls_and_no_allocation(start: Start) {
    let mut host = start(&proxies()[0], CONFIGURATION).unwrap();
    assert_eq!(status(&mut host, by("jo")), "200");
    let before = host.ledger().clone();
    assert_eq!(status(&mut host, by("jo")), "200");
    for phase in [Phase::RequestHeaders, Phase::ResponseHeaders, Phase::Done] {
        let calls = host.ledger().host_calls(phase).values().sum::<u64>();
        let calls = calls - before.host_calls(phase).values().sum::<u64>();
        assert_eq!(calls, if phase == Phase::RequestHeaders { 2 } else { 0 }, "{phase:?}");
        // Counted in wasm alone.
        let allocations = host.ledger().phase(phase).allocations;
        assert_eq!(allocations, before.phase(phase).allocations, "{phase:?}");
    }
}

pub fn after_many_requests_the_vm_is_made_anew(start: Start) {
    let [_, higress] = proxies();
    let mut host = start(&higress, CONFIGURATION).unwrap();
    until_asked(&mut host, 1);
    host.run_for(Duration::from_secs(2)).unwrap();
    assert_eq!(vms(&mut host), (1, 0));
    host.send(by("jo")).unwrap();
    host.run_for(Duration::from_secs(2)).unwrap();
    assert_eq!(vms(&mut host), (2, 1));
    // It knows nothing any more, and is not asked for again.
    fetched(&mut host);
    assert_eq!(status(&mut host, by("jo")), "200");
    assert_eq!(fetched(&mut host), ["GET /tenants/jo"]);
    host.run_for(Duration::from_secs(9)).unwrap();
    assert_eq!(vms(&mut host), (2, 1));
}

pub fn a_stream_ends_in_the_vm_in_which_it_began(start: Start) {
    let [_, higress] = proxies();
    let mut host = start(&higress, CONFIGURATION).unwrap();
    until_asked(&mut host, 1);
    host.run_for(Duration::from_millis(900) - Duration::from_millis(2)).unwrap();
    let stream = host.open();
    let request = [(":method", "POST"), (":authority", "a"), (":path", "/x"), ("x-tenant", "slow")];
    host.headers(stream, Request, &request, false).unwrap();
    host.run_for(Duration::from_millis(300)).unwrap();
    assert_eq!(vms(&mut host), (2, 1));
    assert!(host.seen(stream, Request).unwrap().headers.is_empty());
    // Others are in the new one meanwhile.
    let outcome = host.send(by("jo")).unwrap();
    assert_eq!(outcome.details, "via_upstream");
    host.run_for(Duration::from_millis(200)).unwrap();
    host.frame(stream, Request, "question", true).unwrap();
    host.headers(stream, Response, &[(":status", "200")], false).unwrap();
    host.frame(stream, Response, "answer", true).unwrap();
    let outcome = host.close(stream).unwrap().unwrap();
    assert_eq!(outcome.upstream.text(), "question");
    assert_eq!(outcome.downstream.text(), "answer");
    assert!(outcome.upstream.ended && outcome.downstream.ended);
    assert_eq!(vms(&mut host), (2, 1));
}

pub fn when_memory_has_grown_the_vm_is_made_anew(start: Start) {
    let long = format!(r#"{{"paths":["/shop/","{}"]}}"#, "x".repeat(60_000));
    let service = format!("[[cluster.tenants.http]]\nbody = '{long}'");
    let setup = Setup::new().higress().upstreams(&service).unwrap();
    let mut host =
        start(&setup, &CONFIGURATION.replace("\"tenants\":5", "\"tenants\":5000")).unwrap();
    if host.proxy().guest().heap().pages == 0 {
        return; // A plugin that runs natively has no memory of its own.
    }
    let pages = |host: &mut TestHost| host.proxy().guest().heap().pages;
    let small = pages(&mut host);
    assert!(small < 16, "a fresh VM has {small} pages");
    for tenant in 0..1_200 {
        assert_eq!(status(&mut host, by(&tenant.to_string())), "200");
    }
    assert!(pages(&mut host) >= 1024);
    assert_eq!(vms(&mut host), (1, 0));
    host.run_for(Duration::from_secs(1)).unwrap();
    assert_eq!(vms(&mut host), (2, 1));
    assert_eq!(pages(&mut host), small);
}

pub fn a_stock_envoy_is_named_and_goes_on(start: Start) {
    let configuration = CONFIGURATION.replace("\"tenants\":5", "\"requests_per_io_cycle\":20");
    let [envoy, _] = proxies();
    let mut host = start(&envoy, &configuration).unwrap();
    until_asked(&mut host, 0);
    assert_eq!(status(&mut host, by("jo")), "200");
    host.run_for(Duration::from_secs(2)).unwrap();
    assert_eq!(vms(&mut host), (1, 0));
    let lines: Vec<_> = host.log().iter().map(|line| line.message.as_str()).collect();
    assert_eq!(
        lines,
        [
            "requests_per_io_cycle does nothing: this host has no limit of requests in one IO \
             cycle: Higress has",
            "no fresh VM although it is time for one: this host is not Higress, and the VM's \
             configuration does not say {\"failure_policy\":\"FAIL_RELOAD\"}",
        ]
    );
}

pub fn an_envoy_that_reloads_makes_the_vm_anew(start: Start) {
    let [envoy, _] = proxies();
    let reloads = br#"{"failure_policy":"FAIL_RELOAD"}"#;
    let setup = envoy.failure_policy(FailurePolicy::FailReload);
    let setup = setup.with(|settings| settings.vm_configuration = reloads[..].into());
    let mut host = start(&setup, CONFIGURATION).unwrap();
    host.run_for(Duration::from_secs(2)).unwrap();
    until_asked(&mut host, 1);
    assert!(host.proxy().fault().is_none());
    assert_eq!(status(&mut host, by("jo")), "200");
    assert!(host.proxy().fault().unwrap().on_purpose);
    fetched(&mut host);
    assert_eq!(status(&mut host, by("jo")), "200");
    assert_eq!((vms(&mut host), fetched(&mut host)), ((2, 1), vec!["GET /tenants/jo".to_owned()]));
    // A call that is under way keeps a VM.
    host.run_for(Duration::from_secs(2)).unwrap();
    until_asked(&mut host, 3);
    let slow = host.open();
    let request = [(":method", "GET"), (":authority", "a"), (":path", "/x"), ("x-tenant", "slow")];
    host.headers(slow, Request, &request, true).unwrap();
    assert_eq!(status(&mut host, by("jo")), "200");
    host.run_for(Duration::from_millis(500)).unwrap();
    host.headers(slow, Response, &[(":status", "200")], true).unwrap();
    assert!(host.proxy().fault().is_none());
    host.close(slow).unwrap();
    assert!(host.proxy().fault().unwrap().on_purpose);
    assert_eq!(status(&mut host, by("jo")), "200");
    assert_eq!((vms(&mut host), host.slot().crashes().len()), ((3, 2), 0));
}

pub fn higress_takes_the_limit_of_requests(start: Start) {
    let [_, higress] = proxies();
    let limit = |host: &mut TestHost| host.proxy().host().max_requests_per_io_cycle;
    let mut host = start(&higress, CONFIGURATION).unwrap();
    assert_eq!(limit(&mut host), None);
    for (wanted, lowest) in [(20, 20), (30, 20), (10, 10)] {
        let key = format!("\"requests_per_io_cycle\":{wanted}");
        host.configure(&CONFIGURATION.replace("\"tenants\":5", &key)).unwrap();
        assert_eq!(limit(&mut host), Some(lowest));
    }
    assert_eq!(host.log(), []);
}

pub fn bad_configurations_name_the_field(start: Start) {
    start(&Setup::new(), include_str!("../../config.json")).unwrap();
    let with = |key: &str| CONFIGURATION.replace("\"tenants\":5", key);
    for (configuration, wanted) in [
        (String::new(), "missing field `cluster`"),
        (r#"{"cluster":{"type":"k8s"}}"#.to_owned(), "cluster"),
        (with(r#""tenants":0"#), "tenants: invalid value: integer `0`"),
        (with(r#""refresh_seconds":0"#), "refresh_seconds: invalid value"),
        (with(r#""requests_per_io_cycle":0"#), "requests_per_io_cycle: invalid value"),
        (with(r#""tenant":5"#), "unknown field `tenant`"),
    ] {
        let error = start(&Setup::new(), &configuration).unwrap_err().to_string();
        assert!(error.contains(wanted), "{configuration}: {error}");
    }
}
