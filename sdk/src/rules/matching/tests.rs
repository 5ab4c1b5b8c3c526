//! Which settings a request gets, and what is asked for it.

use std::cell::RefCell;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::rules::Document;
use crate::rules::subject::Together;

/// A request that writes down what it was asked for.
#[derive(Default)]
struct Asked {
    target: Target<'static>,
    calls: RefCell<Vec<&'static str>>,
    fails: Option<&'static str>,
    /// Everything can be had at once.
    at_once: bool,
}

impl Asked {
    fn answer(
        &self,
        call: &'static str,
        answer: Option<&'static str>,
    ) -> Result<Option<&[u8]>, &'static str> {
        self.calls.borrow_mut().push(call);
        match self.fails {
            Some(fails) if fails == call => Err(call),
            _ => Ok(answer.map(str::as_bytes)),
        }
    }
}

impl Subject for Asked {
    type Error = &'static str;

    fn host(&self) -> Result<Option<&[u8]>, &'static str> {
        self.answer("host", self.target.host)
    }

    fn route(&self) -> Result<Option<&[u8]>, &'static str> {
        self.answer("route", self.target.route)
    }

    fn service(&self) -> Result<Option<&[u8]>, &'static str> {
        self.answer("service", self.target.service)
    }

    fn together(&self, kinds: Kinds) -> Option<Together<'_>> {
        let needed = |kind, text: Option<&'static str>| match kinds.has(kind) {
            true => text.unwrap_or_default().as_bytes(),
            false => b"",
        };
        let Target { host, route, service } = self.target;
        let host = if kinds.has(Kinds::HOST) { host? } else { "" };
        self.at_once.then(|| {
            self.calls.borrow_mut().push("together");
            Together {
                host: host.as_bytes(),
                route: needed(Kinds::ROUTE, route),
                cluster: needed(Kinds::SERVICE, service),
            }
        })
    }
}

const TARGET: Target<'static> =
    Target { host: Some("h:80"), route: Some("r"), service: Some("outbound|80||s") };

fn rules(configuration: &serde_json::Value) -> Rules<serde_json::Value> {
    Document::new(configuration.to_string().as_bytes()).unwrap().rules().unwrap()
}

/// What is asked, in order, of a request that no rule matches.
fn asked(rules: &serde_json::Value) -> Vec<&'static str> {
    let rules = self::rules(&json!({ "_rules_": rules }));
    let subject = Asked { target: TARGET, ..Asked::default() };
    assert_eq!(rules.find_in(&subject).unwrap(), None);
    subject.calls.take()
}

#[test]
fn only_what_the_rules_need_is_asked_and_only_once() {
    let global = rules(&json!({ "a": 1 }));
    let subject = Asked { target: TARGET, ..Asked::default() };
    assert!(global.find_in(&subject).unwrap().is_some());
    assert_eq!(subject.calls.take(), [""; 0]);

    let (d, r, p) = ("_match_domain_", "_match_route_", "_match_route_prefix_");
    let s = "_match_service_";
    assert_eq!(asked(&json!([{ d: "a" }, { d: ["b", "*c"] }])), ["host"]);
    assert_eq!(asked(&json!([{ r: "a" }, { p: "a" }, { r: "b" }])), ["route"]);
    assert_eq!(asked(&json!([{ s: "a" }, { s: "b" }])), ["service"]);
    assert_eq!(asked(&json!([{ r: "a", s: "s" }])), ["route"], "the route decides");
    assert_eq!(asked(&json!([{ r: "r", s: "a" }])), ["route", "service"]);
    let all = json!([{ s: "a" }, { p: "a" }, { d: "a" }, { r: "a" }, { s: "b" }, { d: "b" }]);
    assert_eq!(asked(&all), ["service", "route", "host"]);
}

#[test]
fn rules_of_several_kinds_ask_once_where_that_is_possible() {
    let asked = |rules: serde_json::Value| {
        let rules = self::rules(&json!({ "_rules_": rules }));
        let subject = Asked { target: TARGET, at_once: true, ..Asked::default() };
        assert_eq!(rules.find_in(&subject).unwrap(), None);
        subject.calls.take()
    };
    let (d, r, p) = ("_match_domain_", "_match_route_", "_match_route_prefix_");
    let s = "_match_service_";
    assert_eq!(asked(json!([{ r: "a" }, { p: "a" }])), ["route"]);
    assert_eq!(asked(json!([{ r: "a", d: "h" }])), ["route"], "the route decides");
    assert_eq!(asked(json!([{ d: "a" }, { r: "a" }])), ["together"]);
    assert_eq!(asked(json!([{ r: "a", s: "s" }])), ["together"]);
    assert_eq!(asked(json!([{ s: "a" }, { p: "a" }, { d: "a" }])), ["together"]);
}

fn name(names: &'static [&str]) -> impl Strategy<Value = &'static str> + Clone {
    prop::sample::select(names)
}

fn rule() -> impl Strategy<Value = serde_json::Value> {
    let hosts = name(&["h", "*", "*h", "h*", "", "x.h", "*.h"]);
    let routes = name(&["r", "r2", "x"]);
    let services = name(&["s", "s:80", "s:443", "t"]);
    prop_oneof![
        hosts.prop_map(|host| json!({ "_match_domain_": host })),
        routes.clone().prop_map(|route| json!({ "_match_route_": [route, "rx"] })),
        routes.clone().prop_map(|route| json!({ "_match_route_prefix_": route })),
        services.clone().prop_map(|service| json!({ "_match_service_": service })),
        (routes, services).prop_map(|(route, service)| {
            json!({ "_match_route_": route, "_match_service_": service })
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_had_at_once_matches_the_same(
        rules in prop::collection::vec(rule(), 1..6),
        host in prop::option::of(name(&["h", "h:80", "x.h", "", ":80", "*"])),
        route in prop::option::of(name(&["r", "r2", "rx", "", "y"])),
        service in prop::option::of(name(&["outbound|80||s", "o|443|v|s", "s", "", "o|80||"])),
    ) {
        let rules: Vec<_> = (0..).zip(rules).map(|(n, mut rule)| {
            rule["n"] = json!(n);
            rule
        }).collect();
        let rules = self::rules(&json!({ "_rules_": rules }));
        let target = Target { host, route, service };
        let subject = Asked { target, at_once: true, ..Asked::default() };
        prop_assert_eq!(rules.find_in(&subject).unwrap(), rules.find_for(&target));
    }
}

#[test]
fn nothing_is_asked_behind_the_rule_that_matches() {
    let rules = rules(&json!({ "_rules_": [
        { "_match_domain_": "h", "a": 1 }, { "_match_route_": "r" }
    ] }));
    let subject = Asked { target: TARGET, fails: Some("route"), ..Asked::default() };
    assert_eq!(**rules.find_in(&subject).unwrap().unwrap(), json!({ "a": 1 }));
    assert_eq!(subject.calls.take(), ["host"]);
}

#[test]
fn what_the_host_does_not_know_matches_nothing_and_what_it_refuses_is_an_error() {
    let configuration = |key: &str| json!({ "global": true, "_rules_": [{ key: "*" }] });
    let keys = ["_match_domain_", "_match_route_", "_match_service_", "_match_route_prefix_"];
    for (key, call) in keys.iter().zip(["host", "route", "service", "route"]) {
        let rules = rules(&configuration(key));
        let found = rules.find_for(&Target::default());
        assert_eq!(found, rules.global(), "{key}");
        let subject = Asked { fails: Some(call), ..Asked::default() };
        assert_eq!(rules.find_in(&subject).unwrap_err(), call);
    }
}

#[test]
fn the_first_match_counts_whatever_it_matches_by() {
    let rules = rules(&json!({ "_rules_": [
        { "_match_route_prefix_": "r", "n": 0 },
        { "_match_route_": "r", "n": 1 },
    ] }));
    assert_eq!(rules.find_for(&TARGET).unwrap()["n"], 0);
}

/// What a control plane makes of default settings, a route, a domain and a disabled service.
#[test]
fn the_mapping_of_a_control_plane() {
    let rules = rules(&json!({
        "a": 1,
        "_rules_": [
            { "a": 2, "_match_route_": ["default/foo"] },
            { "a": 3, "_match_domain_": ["*.x.com"] },
        ],
    }));
    for (route, host, a) in [
        (Some("default/foo"), Some("www.x.com"), 2),
        (Some("default/foo"), None, 2),
        (Some("default/bar"), Some("www.x.com"), 3),
        (None, Some("www.x.com:8443"), 3),
        (Some("default/bar"), Some("x.com"), 1),
        (Some("foo"), Some("www.X.com"), 1),
        (None, None, 1),
    ] {
        let target = Target { route, host, service: Some("outbound|443||svc.dns") };
        assert_eq!(**rules.find_for(&target).unwrap(), json!({ "a": a }), "{target:?}");
    }
}
