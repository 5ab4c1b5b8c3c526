//! What the plugin does, whatever engine it runs on.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use bench_host::engine::StartError;
use bench_host::host::Level;
use bench_host::measure::Phase;
use bench_host::testing::{Answer, Call, Outcome, Setup, TestHost};

/// Starts the plugin in a proxy, with a configuration.
pub type Start = fn(&Setup, &str) -> Result<TestHost, StartError>;

/// Makes a test of every behaviour, for one engine.
macro_rules! tests {
    ($start:path) => {
        behaviour::tests! { $start =>
            what_a_control_plane_writes_is_understood
            rules_stand_on_the_global_part
            a_rule_may_stand_alone
            the_first_rule_that_matches_counts
            wildcards_match_as_the_control_plane_says
            without_a_match_nothing_is_done
            a_wrong_rule_does_no_harm_to_the_others
            a_rule_that_becomes_wrong_stays_as_it_was
            a_wrong_configuration_changes_nothing
            bad_configurations_name_the_field
            bodies_and_trailers_pass
            a_match_costs_what_it_changes
            a_request_without_a_match_costs_one_host_call_and_no_allocation
            local_replies_have_the_headers_too
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

/// A stock Envoy and Higress's, with a route.
fn proxies() -> [Setup; 2] {
    [Setup::new(), Setup::new().higress()].map(|setup| setup.route("default/foo"))
}

const CONFIGURATION: &str = include_str!("../../config.json");

/// What Higress's control plane makes of default settings, a route, a domain and a disabled
/// service.
const MAPPED: &str = r#"{"request":{"x-a":"1"},"_rules_":[
    {"request":{"x-a":"2"},"_match_route_":["default/foo"]},
    {"request":{"x-a":"3"},"_match_domain_":["*.x.com"]}]}"#;

fn sent(outcome: &Outcome, name: &str) -> Option<String> {
    outcome.upstream.header(name).map(String::from)
}

pub fn what_a_control_plane_writes_is_understood(start: Start) {
    for setup in proxies() {
        for (route, authority, a) in [
            ("default/foo", "www.x.com", "2"),
            ("default/foo", "example.com", "2"),
            ("default/bar", "www.x.com", "3"),
            ("default/bar", "www.x.com:8443", "3"),
            ("default/bar", "x.com", "1"),
            ("foo", "example.com", "1"),
        ] {
            let mut host = start(&setup.clone().route(route), MAPPED).unwrap();
            let call = Call::get("/").authority(authority).header("x-a", "client");
            for call in [call.clone(), call.http1()] {
                let outcome = host.send(call).unwrap();
                assert_eq!(sent(&outcome, "x-a").as_deref(), Some(a), "{route} {authority}");
            }
            assert_eq!(host.log(), []);
        }
    }
}

pub fn rules_stand_on_the_global_part(start: Start) {
    let setup = Setup::new().route("default/checkout");
    let mut host = start(&setup, CONFIGURATION).unwrap();
    let answer = Answer::new(200).header("server", "nginx");
    let call = Call::get("/").header("x-debug", "1").answer(answer);
    let outcome = host.send(call.clone()).unwrap();
    assert_eq!(sent(&outcome, "x-team").as_deref(), Some("checkout"));
    assert_eq!(sent(&outcome, "x-debug"), None);
    assert_eq!(outcome.downstream.header("server"), None);
    assert_eq!(outcome.downstream.header("x-frame-options").unwrap(), "DENY");

    let mut host = start(&Setup::new().route("other"), CONFIGURATION).unwrap();
    let call = call.authority("a.widgets.example");
    let outcome = host.send(call).unwrap();
    assert_eq!(sent(&outcome, "x-team").as_deref(), Some("platform"));
    assert_eq!(outcome.downstream.header("x-frame-options"), None);
}

pub fn a_rule_may_stand_alone(start: Start) {
    let setup = Setup::new().route("other").cluster("outbound|443||stock.dns");
    let mut host = start(&setup, CONFIGURATION).unwrap();
    let outcome = host.send(Call::get("/").header("x-debug", "1")).unwrap();
    assert_eq!(sent(&outcome, "x-team").as_deref(), Some("stock"));
    assert_eq!(sent(&outcome, "x-debug").as_deref(), Some("1"));
    assert_eq!(outcome.downstream.header("x-frame-options"), None);
}

pub fn the_first_rule_that_matches_counts(start: Start) {
    let rules = [
        r#"{"request":{"x-a":"service"},"_match_service_":"svc.dns:80"}"#,
        r#"{"request":{"x-a":"host"},"_match_domain_":"example.com"}"#,
        r#"{"request":{"x-a":"route"},"_match_route_":"default/foo"}"#,
        r#"{"request":{"x-a":"prefix"},"_match_route_prefix_":"default/"}"#,
    ];
    for setup in proxies().map(|setup| setup.cluster("outbound|80||svc.dns")) {
        for (first, wanted) in ["service", "host", "route", "prefix"].iter().enumerate() {
            let mut order = rules;
            order.rotate_left(first);
            let configuration = format!(r#"{{"_rules_":[{}]}}"#, order.join(","));
            let mut host = start(&setup, &configuration).unwrap();
            let outcome = host.send(Call::get("/")).unwrap();
            assert_eq!(sent(&outcome, "x-a").as_deref(), Some(*wanted));
        }
    }
}

pub fn wildcards_match_as_the_control_plane_says(start: Start) {
    for (domain, authority, matches) in [
        ("*.x.com", "a.x.com", true),
        ("*.x.com", "a.b.x.com:80", true),
        ("*.x.com", "x.com", false),
        ("*x.com", "ax.com", true),
        ("api.*", "api.x.com", true),
        ("api.*", "my.api.x.com", false),
        ("*", "anything", true),
        ("x.com", "X.com", false),
        ("x.com:80", "x.com:80", false),
    ] {
        let rule = format!(r#"{{"request":{{"x-a":"1"}},"_match_domain_":"{domain}"}}"#);
        let mut host = start(&Setup::new(), &format!(r#"{{"_rules_":[{rule}]}}"#)).unwrap();
        let outcome = host.send(Call::get("/").authority(authority)).unwrap();
        assert_eq!(sent(&outcome, "x-a").is_some(), matches, "{domain} {authority}");
    }
}

const OTHER_ROUTE: &str = r#"{"_rules_":[
    {"request":{"x-a":"1"},"response":{"x-b":"1"},"_match_route_":"other"}]}"#;

pub fn without_a_match_nothing_is_done(start: Start) {
    for setup in proxies() {
        let mut host = start(&setup, OTHER_ROUTE).unwrap();
        let answer = Answer::new(200).body("answer").trailer("t", "1");
        let outcome = host.send(Call::post("/").body("question").answer(answer)).unwrap();
        assert_eq!(sent(&outcome, "x-a"), None);
        assert_eq!(outcome.downstream.header("x-b"), None);
        assert_eq!(outcome.upstream.text(), "question");
        assert_eq!(outcome.downstream.text(), "answer");
        assert_eq!(outcome.route_clears, 0);
    }
}

fn two_rules(first: &str, second: &str) -> String {
    format!(
        r#"{{"_plugin_id_":"p","_rules_":[
            {{"request":{{"x-a":{first}}},"_match_domain_":"foo"}},
            {{"request":{{"x-a":{second}}},"_match_domain_":"bar"}}]}}"#
    )
}

fn of_two(host: &mut TestHost) -> [Option<String>; 2] {
    ["foo", "bar"].map(|authority| {
        let outcome = host.send(Call::get("/").authority(authority)).unwrap();
        sent(&outcome, "x-a")
    })
}

pub fn a_wrong_rule_does_no_harm_to_the_others(start: Start) {
    for setup in proxies() {
        let mut host = start(&setup, &two_rules("7", r#""bar""#)).unwrap();
        assert_eq!(of_two(&mut host), [None, Some("bar".into())]);
        let [line] = host.log() else { panic!("{:?}", host.log()) };
        assert_eq!(line.level, Level::Warn);
        assert_eq!(
            line.message,
            "_rules_[0].request.x-a: invalid type: integer `7`, expected a string; the rule is \
             left out"
        );
    }
}

pub fn a_rule_that_becomes_wrong_stays_as_it_was(start: Start) {
    for setup in proxies() {
        let mut host = start(&setup, &two_rules(r#""foo""#, r#""bar""#)).unwrap();
        host.configure(&two_rules(r#""foo\r\nx-admin: 1""#, r#""new bar""#)).unwrap();
        assert_eq!(of_two(&mut host), [Some("foo".into()), Some("new bar".into())]);
        let line = host.log().last().unwrap();
        assert!(line.message.ends_with("; its last good version stays"), "{}", line.message);
        // Mended, it applies again.
        host.configure(&two_rules(r#""new foo""#, "true")).unwrap();
        assert_eq!(of_two(&mut host), [Some("new foo".into()), Some("new bar".into())]);
    }
}

pub fn a_wrong_configuration_changes_nothing(start: Start) {
    for setup in proxies() {
        let mut host = start(&setup, &two_rules(r#""foo""#, r#""bar""#)).unwrap();
        // All of whose rules are wrong: where it is tried first there are no last good ones.
        let all = two_rules("1", "2");
        for wrong in ["[", r#"{"_rules_":[{"request":{}}]}"#, r#"{"requests":{}}"#, &all] {
            host.configure(wrong).unwrap_err();
            assert_eq!(of_two(&mut host), [Some("foo".into()), Some("bar".into())], "{wrong}");
        }
        // An empty one is that of a plugin that does nothing.
        host.configure("").unwrap();
        assert_eq!(of_two(&mut host), [None, None]);
    }
}

pub fn bad_configurations_name_the_field(start: Start) {
    for (configuration, wanted) in [
        (r#"{"requests":{}}"#, "requests: unknown field `requests`"),
        (r#"{"request":{"x-a":1}}"#, "request.x-a: invalid type: integer `1`"),
        (r#"{"request":{":path":"/"}}"#, "\":path\" is no name of a header"),
        (r#"{"response":{"x-a":"1\n"}}"#, "response.x-a: the value of a header has no"),
        (r#"{"_rules_":[{"request":{}}]}"#, "_rules_[0]"),
        (r#"{"_plugin_id_":"new","_rules_":{"a":1,"_match_route_":"r"}}"#, "unknown field `a`"),
        (r#"{"_rules_":[]}"#, "there is neither a rule nor a global setting"),
    ] {
        let error = start(&Setup::new(), configuration).unwrap_err().to_string();
        assert!(error.contains(wanted), "{configuration}: {error}");
    }
}

pub fn bodies_and_trailers_pass(start: Start) {
    let text = "some text";
    for setup in proxies() {
        let mut host = start(&setup, MAPPED).unwrap();
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
        for phase in [Phase::RequestBody, Phase::ResponseBody] {
            assert!(host.ledger().host_calls(phase).is_empty(), "{phase:?}");
        }
    }
}

pub fn a_match_costs_what_it_changes(start: Start) {
    for setup in proxies() {
        let mut host = start(&setup.route("default/checkout"), CONFIGURATION).unwrap();
        host.send(Call::get("/")).unwrap();
        let before = host.ledger().clone();
        host.send(Call::get("/")).unwrap();
        let [all, remove, set] = [
            "proxy_call_foreign_function",
            "proxy_remove_header_map_value",
            "proxy_replace_header_map_value",
        ];
        for (phase, wanted) in [
            (Phase::RequestHeaders, &[all, remove, set][..]),
            (Phase::ResponseHeaders, &[remove, set]),
        ] {
            let mut calls = host.ledger().host_calls(phase);
            for (name, count) in before.host_calls(phase) {
                calls.entry(name).and_modify(|all| *all -= count);
            }
            calls.retain(|_, count| *count > 0);
            assert!(calls.keys().eq(wanted) && calls.values().all(|n| *n == 1), "{calls:?}");
            // Counted in wasm alone.
            let allocations = host.ledger().phase(phase).allocations;
            assert_eq!(allocations, before.phase(phase).allocations, "{phase:?}");
        }
    }
}

pub fn a_request_without_a_match_costs_one_host_call_and_no_allocation(start: Start) {
    let mut host = start(&Setup::new().route("default/foo"), OTHER_ROUTE).unwrap();
    let call = Call::post("/").body("question").answer(Answer::new(200).body("answer"));
    host.send(call.clone()).unwrap();
    let before = host.ledger().clone();
    host.send(call).unwrap();
    for phase in [
        Phase::RequestHeaders,
        Phase::RequestBody,
        Phase::ResponseHeaders,
        Phase::ResponseBody,
        Phase::Done,
    ] {
        let calls = host.ledger().host_calls(phase).values().sum::<u64>();
        let calls = calls - before.host_calls(phase).values().sum::<u64>();
        assert_eq!(calls, u64::from(phase == Phase::RequestHeaders), "{phase:?}");
        // Counted in wasm alone.
        let allocations = host.ledger().phase(phase).allocations;
        assert_eq!(allocations, before.phase(phase).allocations, "{phase:?}");
    }
}

/// A reply that another plugin or the proxy made passes through the response callbacks.
pub fn local_replies_have_the_headers_too(start: Start) {
    use bench_host::host::Direction::{Request, Response};
    let mut host = start(&Setup::new(), CONFIGURATION).unwrap();
    // The proxy answers before the request's headers have come to the plugin: no rule is known.
    let stream = host.open();
    host.headers(stream, Response, &[(":status", "400")], true).unwrap();
    let outcome = host.close(stream).unwrap().unwrap();
    assert_eq!(outcome.downstream.header("x-frame-options"), None);
    // And after.
    let stream = host.open();
    let request = [(":method", "GET"), (":authority", "example.com"), (":path", "/")];
    host.headers(stream, Request, &request, true).unwrap();
    host.headers(stream, Response, &[(":status", "503")], true).unwrap();
    let outcome = host.close(stream).unwrap().unwrap();
    assert_eq!(outcome.downstream.header("x-frame-options").unwrap(), "DENY");
}
