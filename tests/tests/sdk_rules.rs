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
use chunkwise::rules::Rules;
use chunkwise::{Config, ConfigError, Filter, Plugin, Result};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Limit {
    limit: u32,
}

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
        if let Some(found) = plugin.0.find(headers)? {
            headers.set("x-limit", found.limit.to_string())?;
        }
        Ok(HeadersAction::Continue)
    }
}

/// A proxy that has chosen the route `checkout` to the service `stock.dns:443`.
fn start<const ISOLATED: bool>(configuration: &str) -> Result<TestHost, StartError> {
    let mut settings = Settings::new(Profile::Envoy);
    settings.only_given_properties = true;
    settings.properties = BTreeMap::from([
        (b"route_name".to_vec(), b"checkout".to_vec()),
        (b"cluster_name".to_vec(), b"outbound|443||stock.dns".to_vec()),
    ]);
    TestHost::start(&NativePlugin::<Limiter<ISOLATED>>::new(), settings, configuration)
}

fn limit(host: &mut TestHost) -> Option<u32> {
    let outcome = host.send(Call::get("/")).unwrap();
    outcome.upstream.header("x-limit").map(|limit| limit.parse().unwrap())
}

/// The settings of a request to `example.com`, and the host calls that finding them made.
fn found(rules: &str) -> (Option<u32>, BTreeMap<String, u64>) {
    let mut host = start::<false>(&format!(r#"{{"_rules_":[{rules}]}}"#)).unwrap();
    let limit = limit(&mut host);
    let mut calls = host.ledger().host_calls(Phase::RequestHeaders);
    assert_eq!(calls.remove("proxy_replace_header_map_value").is_some(), limit.is_some());
    assert_eq!(host.log(), []);
    (limit, calls)
}

fn calls(headers: u64, properties: u64) -> BTreeMap<String, u64> {
    let calls = [("proxy_get_header_map_value", headers), ("proxy_get_property", properties)];
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
        let (limit, _) = self::found(&format!(r#"{{"limit":7,{rule}}}"#));
        assert_eq!(limit, found.then_some(7), "{rule}");
    }
}

#[test]
fn finding_makes_one_call_for_each_thing_that_rules_look_at() {
    let domain = |n| format!(r#"{{"limit":1,"_match_domain_":["no{n}.com"]}}"#);
    let route = |n| format!(r#"{{"limit":2,"_match_route_":["no{n}"]}}"#);
    let service = |n| format!(r#"{{"limit":3,"_match_service_":["no{n}.dns"]}}"#);
    let ten = |rule: &dyn Fn(u8) -> String| (0..10).map(rule).collect::<Vec<_>>().join(",");
    assert_eq!(found(&ten(&domain)), (None, calls(1, 0)));
    assert_eq!(found(&ten(&route)), (None, calls(0, 1)));
    assert_eq!(found(&ten(&service)), (None, calls(0, 1)));
    let all = [ten(&service), ten(&domain), ten(&route), ten(&domain)].join(",");
    assert_eq!(found(&all), (None, calls(1, 2)));
    let matched = [r#"{"limit":7,"_match_domain_":"example.com"}"#, &all].join(",");
    assert_eq!(found(&matched), (Some(7), calls(1, 0)));

    let mut host = start::<false>(r#"{"limit":5}"#).unwrap();
    assert_eq!(limit(&mut host), Some(5));
    let calls = host.ledger().host_calls(Phase::RequestHeaders);
    assert_eq!(calls, BTreeMap::from([("proxy_replace_header_map_value".to_owned(), 1)]));
}

#[test]
fn properties_that_the_proxy_does_not_know_match_nothing() {
    let configuration = r#"{"limit":1,"_rules_":[
        {"limit":2,"_match_route_prefix_":["c"]},{"limit":3,"_match_service_":["stock.dns"]}]}"#;
    let mut settings = Settings::new(Profile::Envoy);
    settings.only_given_properties = true;
    let plugin = NativePlugin::<Limiter<false>>::new();
    let mut host = TestHost::start(&plugin, settings, configuration).unwrap();
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
