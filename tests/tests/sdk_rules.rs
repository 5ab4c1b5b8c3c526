//! Settings by host, route and service in a proxy: which a stream gets, at what cost, and what the
//! log says.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

use std::collections::BTreeMap;

use bench_host::engine::StartError;
use bench_host::engine::native::NativePlugin;
use bench_host::host::{Level, Profile, Settings};
use bench_host::measure::Phase;
use bench_host::testing::{Call, TestHost};
use chunkwise::http::{HeadersAction, RequestHeaders};
use chunkwise::rules::{Document, Rules, Target};
use chunkwise::{Config, ConfigError, Filter, Plugin, Result};
use proptest::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Limit {
    limit: u32,
}

/// A request with this header loses its host.
const HOSTLESS: &str = "x-hostless";

/// Says in a request header which settings apply. Isolated where the type says so.
struct Limiter<const ISOLATED: bool>(Rules<Limit>);
struct LimiterFilter;

impl<const ISOLATED: bool> Plugin for Limiter<ISOLATED> {
    type Filter = LimiterFilter;

    fn configure(config: &Config<'_>) -> Result<Self, ConfigError> {
        let rules = if ISOLATED { config.isolated().rules()? } else { config.rules()? };
        Ok(Self(rules))
    }

    fn filter(&self) -> LimiterFilter {
        LimiterFilter
    }
}

impl<const ISOLATED: bool> Filter<Limiter<ISOLATED>> for LimiterFilter {
    fn request_headers(
        &mut self,
        plugin: &Limiter<ISOLATED>,
        headers: &RequestHeaders<'_>,
    ) -> Result<HeadersAction> {
        // More than the four that every request has: no host call tells it.
        if headers.len() > 4 {
            headers.remove(":authority")?;
        }
        if let Some(found) = plugin.0.find(headers)? {
            headers.set("x-limit", found.limit.to_string())?;
        }
        Ok(HeadersAction::Continue)
    }
}

/// A proxy that has chosen the route `checkout` to the service `stock.dns:443`.
fn settings(profile: Profile) -> Settings {
    Settings {
        route_name: "checkout".to_owned(),
        cluster_name: "outbound|443||stock.dns".to_owned(),
        ..Settings::new(profile)
    }
}

/// The same with no place left for an expression.
fn without_expressions(profile: Profile) -> Settings {
    Settings { quota: 0, ..settings(profile) }
}

/// A host that knows the names of route and cluster, and nothing by which it could be told.
fn neither() -> Settings {
    let given = [("route_name", "checkout"), ("cluster_name", "outbound|443||stock.dns")];
    Settings {
        only_given_properties: true,
        properties: given.map(|(name, value)| (name.into(), value.into())).into(),
        ..Settings::new(Profile::Envoy)
    }
}

fn start_with<const ISOLATED: bool>(
    settings: Settings,
    configuration: &str,
) -> Result<TestHost, StartError> {
    TestHost::start(&NativePlugin::<Limiter<ISOLATED>>::new(), settings, configuration)
}

fn start<const ISOLATED: bool>(configuration: &str) -> Result<TestHost, StartError> {
    start_with::<ISOLATED>(settings(Profile::Envoy), configuration)
}

fn limit(host: &mut TestHost) -> Option<u32> {
    let outcome = host.send(Call::get("/")).unwrap();
    outcome.upstream.header("x-limit").map(|limit| limit.parse().unwrap())
}

/// The settings of a request to `example.com`, and the host calls that finding them made: for the
/// first request, and for the second.
fn found(settings: Settings, rules: &str) -> (Option<u32>, [Calls; 2]) {
    let mut host = start_with::<false>(settings, &format!(r#"{{"_rules_":[{rules}]}}"#)).unwrap();
    let mut all = Calls::new();
    let mut limits = [None; 2];
    let calls = [0, 1].map(|n| {
        limits[n] = limit(&mut host);
        let mut now = host.ledger().host_calls(Phase::RequestHeaders);
        let set = now.remove("proxy_replace_header_map_value");
        assert_eq!(set.unwrap_or(0), (n as u64 + 1) * u64::from(limits[n].is_some()));
        let before = std::mem::replace(&mut all, now.clone());
        for (name, count) in &mut now {
            *count -= before.get(name).unwrap_or(&0);
        }
        now.retain(|_, count| *count > 0);
        now
    });
    assert_eq!(host.log(), []);
    assert_eq!(limits[0], limits[1]);
    (limits[0], calls)
}

type Calls = BTreeMap<String, u64>;

fn calls(headers: u64, properties: u64, foreign: u64) -> Calls {
    let calls = [
        ("proxy_get_header_map_value", headers),
        ("proxy_get_property", properties),
        ("proxy_call_foreign_function", foreign),
    ];
    let calls = calls.into_iter().filter(|(_, count)| *count > 0);
    calls.map(|(name, count)| (name.to_owned(), count)).collect()
}

#[test]
fn a_stream_gets_the_settings_of_its_host_route_or_service() {
    for (rule, found) in [
        (r#""_match_domain_":["example.com"]"#, true),
        (r#""_match_domain_":["*.com"]"#, true),
        (r#""_match_domain_":["example.org"]"#, false),
        (r#""_match_route_":["checkout"]"#, true),
        (r#""_match_route_":["check"]"#, false),
        (r#""_match_route_prefix_":["check"]"#, true),
        (r#""_match_service_":["stock.dns"]"#, true),
        (r#""_match_service_":["stock.dns:443"]"#, true),
        (r#""_match_service_":["stock.dns:80"]"#, false),
        (r#""_match_route_":["checkout"],"_match_service_":["other.dns"]"#, false),
    ] {
        for settings in [settings(Profile::Envoy), settings(Profile::Higress), neither()] {
            let (limit, _) = self::found(settings, &format!(r#"{{"limit":7,{rule}}}"#));
            assert_eq!(limit, found.then_some(7), "{rule}");
        }
    }
}

#[test]
fn finding_makes_one_call_whatever_rules_look_at() {
    let domain = |n| format!(r#"{{"limit":1,"_match_domain_":["no{n}.com"]}}"#);
    let route = |n| format!(r#"{{"limit":2,"_match_route_":["no{n}"]}}"#);
    let service = |n| format!(r#"{{"limit":3,"_match_service_":["no{n}.dns"]}}"#);
    let ten = |rule: &dyn Fn(u8) -> String| (0..10).map(rule).collect::<Vec<_>>().join(",");
    let all = [ten(&service), ten(&domain), ten(&route), ten(&domain)].join(",");
    let two = [ten(&service), ten(&domain)].join(",");
    let both = r#"{"limit":3,"_match_route_":"checkout","_match_service_":"no.dns"}"#;
    let matched = [r#"{"limit":7,"_match_domain_":"example.com"}"#, &all].join(",");
    for (profile, learning) in [(Profile::Higress, 1), (Profile::Envoy, 2)] {
        let first = |headers, properties, foreign| {
            [calls(headers, learning + properties, foreign), calls(headers, properties, foreign)]
        };
        let found = |rules: &str| found(settings(profile), rules);
        assert_eq!(found(&ten(&domain)), (None, [calls(1, 0, 0), calls(1, 0, 0)]));
        assert_eq!(found(&ten(&route)), (None, first(0, 1, 0)));
        assert_eq!(found(&ten(&service)), (None, first(0, 1, 0)));
        // The first of a plugin makes the expression as well.
        for rules in [&all, &two, both] {
            assert_eq!(found(rules), (None, [calls(0, learning, 2), calls(0, 0, 1)]), "{rules}");
        }
        assert_eq!(found(&matched), (Some(7), [calls(0, learning, 2), calls(0, 0, 1)]));
    }

    let mut host = start::<false>(r#"{"limit":5}"#).unwrap();
    assert_eq!(limit(&mut host), Some(5));
    let calls = host.ledger().host_calls(Phase::RequestHeaders);
    assert_eq!(calls, BTreeMap::from([("proxy_replace_header_map_value".to_owned(), 1)]));
}

const EVERYTHING: &str = r#"{"limit":1,"_match_domain_":"no.com"},
    {"limit":2,"_match_route_":"checkout","_match_service_":"no.dns"},
    {"limit":3,"_match_service_":"stock.dns:443"}"#;

#[test]
fn without_expressions_each_thing_is_asked_for() {
    for (profile, learning) in [(Profile::Higress, 1), (Profile::Envoy, 2)] {
        let (limit, calls) = found(without_expressions(profile), EVERYTHING);
        assert_eq!(limit, Some(3));
        let expected = [self::calls(1, learning + 2, 1), self::calls(1, 2, 0)];
        assert_eq!(calls, expected, "it is not tried again");
    }
    // A host that does not say what it is may do so later.
    let (limit, calls) = found(neither(), EVERYTHING);
    assert_eq!((limit, &calls[0]), (Some(3), &calls[1]));
}

#[test]
fn a_request_without_a_cluster_matches_all_the_same() {
    for (profile, missed) in [(Profile::Envoy, calls(0, 0, 1)), (Profile::Higress, calls(1, 2, 1))]
    {
        let rules = [EVERYTHING, r#"{"limit":4,"_match_route_":"checkout"}"#].join(",");
        let settings = Settings { cluster_name: String::new(), ..settings(profile) };
        let (limit, calls) = found(settings, &rules);
        assert_eq!((limit, &calls[1]), (Some(4), &missed));
    }
}

#[test]
fn a_configuration_in_the_place_of_another_has_expressions_of_its_own() {
    let rules = |limit| {
        format!(
            r#"{{"_rules_":[{{"limit":{limit},"_match_route_":"checkout"}},
        {{"limit":9,"_match_domain_":"*"}}]}}"#
        )
    };
    let mut host = start::<false>(&rules(1)).unwrap();
    let used = |host: &mut TestHost| host.proxy().host().quota.used();
    assert_eq!(limit(&mut host), Some(1));
    let first = used(&mut host);
    for n in 2..50 {
        host.configure(&rules(n)).unwrap();
        assert_eq!(limit(&mut host), Some(n));
        assert_eq!(used(&mut host), first, "what was made for the one before is gone");
    }
}

fn rule() -> impl Strategy<Value = String> {
    let domain = prop::sample::select(&["example.com", "*.com", "a*", "*", ""][..]);
    let route = prop::sample::select(&["checkout", "check", "other"][..]);
    let service = prop::sample::select(&["stock.dns", "stock.dns:443", "stock.dns:80", "o"][..]);
    prop_oneof![
        domain.prop_map(|name| format!(r#""_match_domain_":"{name}""#)),
        route.clone().prop_map(|name| format!(r#""_match_route_":"{name}""#)),
        route.clone().prop_map(|name| format!(r#""_match_route_prefix_":"{name}""#)),
        service.clone().prop_map(|name| format!(r#""_match_service_":"{name}""#)),
        (route, service).prop_map(|(route, service)| {
            format!(r#""_match_route_":"{route}","_match_service_":"{service}""#)
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_way_to_look_finds_the_same(
        rules in prop::collection::vec(rule(), 1..5),
        authority in prop::option::of(
            prop::sample::select(&["example.com", "example.com:80", "api", "", ":1"][..])),
        route in prop::sample::select(&["checkout", "checkout-2", "other", ""][..]),
        cluster in prop::sample::select(
            &["outbound|443||stock.dns", "outbound|80|v|stock.dns", "stock.dns", ""][..]),
    ) {
        let rules: Vec<_> = (0_u32..).zip(&rules)
            .map(|(n, rule)| format!(r#"{{"limit":{n},{rule}}}"#)).collect();
        let configuration = format!(r#"{{"_rules_":[{}]}}"#, rules.join(","));
        let target = Target { host: authority, route: Some(route), service: Some(cluster) };
        let document = Document::new(configuration.as_bytes()).unwrap();
        let by_hand = document.rules::<Limit>().unwrap();
        let expected = by_hand.find_for(&target).map(|found| found.limit);
        for settings in [settings, without_expressions].iter()
            .flat_map(|settings| [Profile::Envoy, Profile::Higress].map(settings))
            .chain([neither()])
        {
            let mut settings = Settings {
                route_name: route.to_owned(), cluster_name: cluster.to_owned(), ..settings
            };
            if settings.only_given_properties {
                settings.properties.insert(b"route_name".to_vec(), route.into());
                settings.properties.insert(b"cluster_name".to_vec(), cluster.into());
            }
            let mut host = start_with::<false>(settings, &configuration).unwrap();
            let call = match authority {
                Some(authority) => Call::get("/").authority(authority),
                None => Call::get("/").header(HOSTLESS, "1"),
            };
            for _ in 0..2 {
                let outcome = host.send(call.clone()).unwrap();
                let limit = outcome.upstream.header("x-limit");
                let limit = limit.map(|limit| limit.parse::<u32>().unwrap());
                prop_assert_eq!(limit, expected, "{:?}", host.proxy().host().settings);
            }
        }
    }
}

#[test]
fn what_the_proxy_does_not_know_matches_nothing() {
    let configuration = r#"{"limit":1,"_rules_":[
        {"limit":2,"_match_route_prefix_":["c"]},{"limit":3,"_match_service_":["stock.dns"]}]}"#;
    let mut settings = Settings::new(Profile::Envoy);
    settings.only_given_properties = true;
    let mut host = start_with::<false>(settings, configuration).unwrap();
    assert_eq!(limit(&mut host), Some(1));
    assert_eq!(host.log(), []);
}

fn configuration(checkout: &str, other: &str) -> String {
    format!(
        r#"{{"_rules_":[{{"limit":{other},"_match_route_":"other"}},
            {{"limit":{checkout},"_match_route_":"checkout"}}]}}"#
    )
}

#[test]
fn one_wrong_rule_refuses_the_configuration() {
    let mut host = start::<false>(&configuration("1", "2")).unwrap();
    let Err(StartError::Refused { log, .. }) = host.configure(&configuration("\"x\"", "3")) else {
        panic!("it was taken");
    };
    let reason = "_rules_[1].limit: invalid type: string \"x\", expected u32";
    assert_eq!(log, [format!("configuration refused: {reason}")]);
    assert_eq!(limit(&mut host), Some(1));
}

#[test]
fn an_isolated_rule_stays_as_it_was_and_the_log_says_so() {
    let mut host = start::<true>(&configuration("1", "2")).unwrap();
    assert_eq!(limit(&mut host), Some(1));
    host.configure(&configuration("\"x\"", "3")).unwrap();
    assert_eq!(limit(&mut host), Some(1));
    let line = "_rules_[1].limit: invalid type: string \"x\", expected u32; \
                its last good version stays";
    let log = host.log();
    assert!(log.iter().any(|l| l.level == Level::Warn && l.message == line), "{log:?}");
    host.configure(&configuration("4", "3")).unwrap();
    assert_eq!(limit(&mut host), Some(4));
}

#[test]
fn an_isolated_rule_that_is_new_is_left_out() {
    let mut host = start::<true>(&configuration("\"x\"", "3")).unwrap();
    assert_eq!(limit(&mut host), None);
    let log = host.log();
    assert!(log.iter().any(|l| l.message.ends_with("; the rule is left out")), "{log:?}");
}

#[test]
fn wrong_global_settings_beside_rules_are_logged() {
    let rules = r#""_rules_":[{"limit":2,"_match_route_":"other"}]"#;
    let mut host = start::<false>(&format!(r#"{{"limits":1,{rules}}}"#)).unwrap();
    assert_eq!(limit(&mut host), None);
    let log = host.log();
    let line = "the global settings are wrong and count for no request: limits: unknown field";
    assert!(log.iter().any(|l| l.level == Level::Warn && l.message.starts_with(line)), "{log:?}");
}
