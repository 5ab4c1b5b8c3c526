//! What the plugin does, whatever engine it runs on.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use std::thread;
use std::time::Duration;

use bench_host::engine::StartError;
use bench_host::host::{Level, Reading};
use bench_host::measure::Phase;
use bench_host::testing::{Answer, Call, Setup, TestHost};

/// Starts the plugin in a proxy, with a configuration.
pub type Start = fn(&Setup, &str) -> Result<TestHost, StartError>;

/// Makes a test of every behaviour, for one engine.
macro_rules! tests {
    ($start:path) => {
        behaviour::tests! { $start =>
            beyond_the_quota_is_429
            tokens_come_back_with_time
            clients_do_not_count_together
            without_the_header_the_address_counts
            workers_count_by_themselves
            workers_that_share_count_together
            workers_at_once_let_no_request_too_many_pass
            a_new_configuration_goes_on_where_data_is_shared
            the_table_never_grows
            what_somebody_else_wrote_is_an_empty_table
            a_quota_that_cannot_be_counted_stops_nobody
            bodies_and_trailers_pass
            a_request_costs_two_host_calls_and_no_allocation
            a_shared_count_costs_two_host_calls_more
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

/// A stock Envoy and Higress's.
fn proxies() -> [Setup; 2] {
    [Setup::new(), Setup::new().higress()]
}

/// Two requests, and another one every ten seconds.
const TWO: &str = r#"{"requests":6,"per_seconds":60,"burst":2,"header":"x-api-key"}"#;
const TWO_SHARED: &str =
    r#"{"requests":6,"per_seconds":60,"burst":2,"header":"x-api-key","shared":"api"}"#;

fn by(client: &str) -> Call {
    Call::get("/").header("x-api-key", client)
}

fn status(host: &mut TestHost, call: Call) -> String {
    host.send(call).unwrap().downstream.header(":status").unwrap().into_owned()
}

fn statuses<const N: usize>(host: &mut TestHost, client: &str) -> [String; N] {
    [(); N].map(|()| status(host, by(client)))
}

fn counter(host: &mut TestHost, name: &str) -> Reading {
    let metrics = &host.proxy().host().metrics;
    metrics.iter().find(|(_, known, _)| *known == name.as_bytes()).unwrap().2
}

pub fn beyond_the_quota_is_429(start: Start) {
    for setup in proxies() {
        let mut host = start(&setup, TWO).unwrap();
        assert_eq!(statuses(&mut host, "jo"), ["200", "200"]);
        for call in [by("jo"), by("jo").http1(), by("jo").body("text").trailer("t", "1")] {
            let outcome = host.send(call).unwrap();
            assert_eq!(outcome.downstream.header(":status").unwrap(), "429");
            assert_eq!(outcome.downstream.header("retry-after").unwrap(), "10");
            assert_eq!(outcome.downstream.text(), "too many requests\n");
            assert!(outcome.downstream.ended && outcome.replied_locally);
            assert!(outcome.upstream.headers.is_empty());
            assert!(outcome.details.contains("quota"), "{}", outcome.details);
        }
        assert_eq!(counter(&mut host, "quota.denied"), Reading::Number(3));
        assert_eq!(counter(&mut host, "quota.forgotten"), Reading::Number(0));
        assert_eq!(host.log(), []);
    }
}

pub fn tokens_come_back_with_time(start: Start) {
    let mut host = start(&Setup::new(), TWO).unwrap();
    assert_eq!(statuses(&mut host, "jo"), ["200", "200", "429"]);
    host.run_for(Duration::from_millis(9_500)).unwrap();
    let outcome = host.send(by("jo")).unwrap();
    assert_eq!(outcome.downstream.header("retry-after").unwrap(), "1");
    host.run_for(Duration::from_millis(500)).unwrap();
    assert_eq!(statuses(&mut host, "jo"), ["200", "429"]);
    host.run_for(Duration::from_secs(3600)).unwrap();
    assert_eq!(statuses(&mut host, "jo"), ["200", "200", "429"]);
}

pub fn clients_do_not_count_together(start: Start) {
    for setup in proxies() {
        for configuration in [TWO, TWO_SHARED] {
            let mut host = start(&setup, configuration).unwrap();
            for client in 0..100 {
                let client = client.to_string();
                assert_eq!(statuses(&mut host, &client), ["200", "200", "429"]);
            }
        }
    }
}

pub fn without_the_header_the_address_counts(start: Start) {
    let proxy = Setup::new().workers();
    for (address, wanted) in [
        ("10.0.0.9:4711", ["200", "200"]),
        ("10.0.0.9:4712", ["429", "429"]),
        ("10.0.0.8:4711", ["200", "200"]),
        ("[2001:db8::1]:80", ["200", "200"]),
        ("[2001:db8::2]:80", ["429", "429"]),
        ("not an address", ["200", "200"]),
        ("not an address", ["429", "429"]),
    ] {
        let setup = proxy.clone().property("source.address", address);
        let mut host = start(&setup, TWO_SHARED).unwrap();
        let calls = [Call::get("/"), by("")];
        assert_eq!(calls.map(|call| status(&mut host, call)), wanted, "{address}");
        assert_eq!(host.log(), []);
    }
    // Who calls himself as an address is written is somebody else.
    let setup = proxy.property("source.address", "10.0.0.9:4711");
    let mut host = start(&setup, TWO_SHARED).unwrap();
    assert_eq!(statuses(&mut host, "10.0.0.9"), ["200", "200", "429"]);
}

pub fn workers_count_by_themselves(start: Start) {
    let proxy = Setup::new().workers();
    for _ in 0..2 {
        let mut host = start(&proxy, TWO).unwrap();
        assert_eq!(statuses(&mut host, "jo"), ["200", "200", "429"]);
    }
}

pub fn workers_that_share_count_together(start: Start) {
    for proxy in proxies().map(Setup::workers) {
        let [mut one, mut other] = [(); 2].map(|()| start(&proxy, TWO_SHARED).unwrap());
        assert_eq!(statuses(&mut one, "jo"), ["200"]);
        assert_eq!(statuses(&mut other, "jo"), ["200", "429"]);
        assert_eq!(statuses(&mut one, "jo"), ["429"]);
        // Under another name is another count.
        let mut third = start(&proxy, &TWO_SHARED.replace("api\"}", "other\"}")).unwrap();
        assert_eq!(statuses(&mut third, "jo"), ["200"]);
    }
}

pub fn workers_at_once_let_no_request_too_many_pass(start: Start) {
    const CONFIGURATION: &str =
        r#"{"requests":50,"per_seconds":86400,"header":"x-api-key","shared":"api"}"#;
    let proxy = Setup::new().workers();
    let passed = thread::scope(|threads| {
        let workers = [(); 4].map(|()| {
            threads.spawn(|| {
                let mut host = start(&proxy, CONFIGURATION).unwrap();
                let statuses = statuses::<100>(&mut host, "jo");
                assert_eq!(host.log(), []);
                statuses.iter().filter(|status| *status == "200").count()
            })
        });
        workers.map(|worker| worker.join().unwrap())
    });
    assert_eq!(passed.iter().sum::<usize>(), 50, "{passed:?}");
}

pub fn a_new_configuration_goes_on_where_data_is_shared(start: Start) {
    for (configuration, wanted) in [(TWO, "200"), (TWO_SHARED, "429")] {
        let mut host = start(&Setup::new(), configuration).unwrap();
        assert_eq!(statuses(&mut host, "jo"), ["200", "200"]);
        host.configure(configuration).unwrap();
        assert_eq!(statuses(&mut host, "jo"), [wanted]);
    }
}

pub fn the_table_never_grows(start: Start) {
    let configuration = TWO.replace("\"header\"", "\"clients\":8,\"header\"");
    let mut host = start(&Setup::new(), &configuration).unwrap();
    for client in 0..8 {
        assert_eq!(statuses(&mut host, &client.to_string()), ["200", "200", "429"]);
    }
    let pages = host.proxy().guest().heap().pages;
    for client in 8..1_000 {
        assert_eq!(statuses(&mut host, &client.to_string()), ["200"]);
    }
    assert_eq!(host.proxy().guest().heap().pages, pages);
    assert_eq!(counter(&mut host, "quota.forgotten"), Reading::Number(992));
    // Whoever has more left was forgotten first, so those are still known who have nothing left.
    let mut host = start(&Setup::new(), &configuration).unwrap();
    assert_eq!(statuses(&mut host, "jo"), ["200", "200"]);
    for client in 0..20 {
        assert_eq!(statuses(&mut host, &client.to_string()), ["200"]);
        assert_eq!(statuses(&mut host, "jo"), ["429"]);
    }
}

pub fn what_somebody_else_wrote_is_an_empty_table(start: Start) {
    let one_place = TWO_SHARED.replace("\"header\"", "\"clients\":8,\"header\"");
    let mut host = start(&Setup::new(), &one_place).unwrap();
    for wrong in [&b""[..], b"another's", &[0xff; 128]] {
        host.proxy().host().shared.set(b"quota.api.0", wrong, 0).unwrap();
        assert_eq!(statuses(&mut host, "jo"), ["200", "200", "429"], "{wrong:?}");
    }
}

pub fn a_quota_that_cannot_be_counted_stops_nobody(start: Start) {
    for setup in proxies() {
        let mut host = start(&setup, TWO_SHARED).unwrap();
        // The proxy takes no more.
        let room = (64 << 20) - 1_024;
        host.proxy().host().shared.set(b"full", &vec![0; room], 0).unwrap();
        for length in [512, 256, 128, 64, 32, 16, 8, 4, 2, 1, 1] {
            let key = format!("more {length}");
            let _ = host.proxy().host().shared.set(key.as_bytes(), &vec![0; length], 0);
        }
        assert_eq!(statuses(&mut host, "jo"), ["200", "200", "200"]);
        let line = &host.log()[0];
        assert_eq!(line.level, Level::Error);
        assert!(line.message.contains("proxy_set_shared_data"), "{}", line.message);
    }
}

pub fn bodies_and_trailers_pass(start: Start) {
    let text = "some text";
    let configuration = TWO.replace("\"burst\":2", "\"burst\":1000");
    for setup in proxies() {
        let mut host = start(&setup, &configuration).unwrap();
        for cut in 0..=text.len() {
            let chunks = [&text[..cut], &text[cut..]];
            let answer = Answer::new(200).chunks(chunks).trailer("t", "1");
            let call = Call::post("/").chunks(chunks).trailer("u", "2").answer(answer);
            for call in [call.clone(), call.http1()] {
                let outcome = host.send(call).unwrap();
                for (seen, trailer) in [(&outcome.upstream, "u"), (&outcome.downstream, "t")] {
                    assert_eq!(seen.text(), text);
                    assert!(seen.ended && seen.trailers.get(trailer.as_bytes()).is_some());
                }
            }
        }
        for phase in [Phase::RequestBody, Phase::ResponseHeaders, Phase::ResponseBody] {
            assert!(host.ledger().host_calls(phase).is_empty(), "{phase:?}");
        }
    }
}

/// The host calls of a request's headers, the second time that the client is seen.
fn costs(host: &mut TestHost) -> Vec<(String, u64)> {
    host.send(by("jo")).unwrap();
    let before = host.ledger().host_calls(Phase::RequestHeaders);
    host.send(by("jo")).unwrap();
    let after = host.ledger().host_calls(Phase::RequestHeaders);
    let more = |(name, count): (String, u64)| {
        let count = count - before.get(&name).unwrap_or(&0);
        (name, count)
    };
    after.into_iter().map(more).collect()
}

pub fn a_request_costs_two_host_calls_and_no_allocation(start: Start) {
    let mut host = start(&Setup::new(), TWO).unwrap();
    let header = ("proxy_get_header_map_value".to_owned(), 1);
    let time = ("proxy_get_current_time_nanoseconds".to_owned(), 1);
    assert_eq!(costs(&mut host), [time, header]);
    let before = host.ledger().phase(Phase::RequestHeaders).allocations;
    assert_eq!(statuses(&mut host, "somebody else"), ["200", "200"]);
    // Counted in wasm alone.
    assert_eq!(host.ledger().phase(Phase::RequestHeaders).allocations, before);
}

pub fn a_shared_count_costs_two_host_calls_more(start: Start) {
    let mut host = start(&Setup::new(), TWO_SHARED).unwrap();
    let names = [
        "proxy_get_current_time_nanoseconds",
        "proxy_get_header_map_value",
        "proxy_get_shared_data",
        "proxy_set_shared_data",
    ];
    assert_eq!(costs(&mut host), names.map(|name| (name.to_owned(), 1)));
}

pub fn bad_configurations_name_the_field(start: Start) {
    start(&Setup::new(), include_str!("../../config.json")).unwrap();
    for (configuration, wanted) in [
        ("", "missing field `requests`"),
        (r#"{"requests":0}"#, "requests: invalid value: integer `0`"),
        (r#"{"requests":-1}"#, "requests: invalid value: integer `-1`"),
        (r#"{"requests":1,"per_seconds":0}"#, "per_seconds: invalid value"),
        (r#"{"requests":1,"burst":0}"#, "burst: invalid value"),
        (r#"{"requests":1,"clients":1000001}"#, "clients: at most 1000000"),
        (r#"{"requests":1,"header":":path"}"#, "header: \":path\" is no name of a header"),
        (r#"{"requests":1,"shared":""}"#, "shared: needs a name"),
        (r#"{"request":1}"#, "unknown field `request`"),
    ] {
        let error = start(&Setup::new(), configuration).unwrap_err().to_string();
        assert!(error.contains(wanted), "{configuration}: {error}");
    }
}
