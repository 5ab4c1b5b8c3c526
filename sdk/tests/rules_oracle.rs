//! `chunkwise::rules` against a reading of the rules that is too simple to be wrong: no
//! categories, no prepared patterns, each question answered from the JSON at every request.

use chunkwise::rules::{Document, Target};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use serde_json::{Value, json};

const ROUTE: &str = "_match_route_";
const DOMAIN: &str = "_match_domain_";
const SERVICE: &str = "_match_service_";
const PREFIX: &str = "_match_route_prefix_";

/// A request's host, route and service; missing ones are [`None`].
type Request = (Option<String>, Option<String>, Option<String>);

/// The texts of a rule's key.
fn texts(rule: &Value, key: &str) -> Vec<String> {
    let one = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match &rule[key] {
        Value::Null => vec![],
        Value::Array(list) => list.iter().map(one).collect(),
        single => vec![one(single)],
    }
}

/// The same without those that say nothing.
fn names(rule: &Value, key: &str) -> Vec<String> {
    texts(rule, key).into_iter().filter(|name| !name.is_empty()).collect()
}

/// Everything after the last colon is a port, unless a bracket is closed behind that colon.
fn host_of(authority: &str) -> String {
    let pieces: Vec<&str> = authority.split(':').collect();
    match pieces.as_slice() {
        [] | [_] => authority.to_owned(),
        [.., last] if last.contains(']') => authority.to_owned(),
        [front @ .., _] => front.join(":"),
    }
}

fn domain_is(pattern: &str, host: &str) -> bool {
    let letters: Vec<char> = pattern.chars().collect();
    match letters.as_slice() {
        ['*', rest @ ..] => host.ends_with(&rest.iter().collect::<String>()),
        [rest @ .., '*'] => host.starts_with(&rest.iter().collect::<String>()),
        _ => pattern == host,
    }
}

fn services_of(cluster: &str) -> Vec<String> {
    let parts: Vec<&str> = cluster.split('|').collect();
    if parts.len() != 4 {
        return vec![];
    }
    vec![parts[3].to_owned(), format!("{}:{}", parts[3], parts[1])]
}

/// Whether a rule is for a request; `None` when it is for nobody knows whom.
fn is_for(rule: &Value, (host, route, service): &Request) -> Option<bool> {
    let by_route =
        route.as_ref().is_some_and(|route| names(rule, ROUTE).iter().any(|name| name == route));
    let by_service = service.as_ref().is_some_and(|service| {
        names(rule, SERVICE).iter().any(|name| services_of(service).contains(name))
    });
    let has = |key| !names(rule, key).is_empty();
    if has(ROUTE) && has(SERVICE) {
        return Some(by_route && by_service);
    }
    if has(ROUTE) {
        return Some(by_route);
    }
    if !texts(rule, DOMAIN).is_empty() {
        return Some(host.as_ref().is_some_and(|authority| {
            texts(rule, DOMAIN).iter().any(|pattern| domain_is(pattern, &host_of(authority)))
        }));
    }
    if has(SERVICE) {
        return Some(by_service);
    }
    has(PREFIX).then(|| {
        let route = route.clone().unwrap_or_default();
        names(rule, PREFIX).iter().any(|prefix| route.starts_with(prefix.as_str()))
    })
}

/// The number of the rule that counts, or that of the global part; `None` when nothing does, and
/// an error when the configuration is to be refused.
fn oracle(rules: &[Value], global: Option<u64>, request: &Request) -> Result<Option<u64>, ()> {
    if rules.iter().any(|rule| is_for(rule, request).is_none()) {
        return Err(());
    }
    if rules.is_empty() && global.is_none() {
        return Err(());
    }
    let found = rules.iter().find(|rule| is_for(rule, request) == Some(true));
    Ok(found.and_then(|rule| rule["n"].as_u64()).or(global))
}

/// A list, a single name or nothing under a key.
fn key(names: &'static str) -> impl Strategy<Value = Value> {
    prop_oneof![
        3 => Just(Value::Null),
        1 => names.prop_map(Value::from),
        4 => prop::collection::vec(names.prop_map(Value::from), 0..4).prop_map(Value::from),
    ]
}

fn rule() -> impl Strategy<Value = Value> {
    (key("[ab]{0,2}"), key("\\*?[ab:\\]]{0,2}\\*?"), key("[ab]{0,2}(:[12]?)?"), key("[ab]{0,2}"))
        .prop_map(|(route, domain, service, prefix)| {
            json!({ ROUTE: route, DOMAIN: domain, SERVICE: service, PREFIX: prefix })
        })
}

fn request() -> impl Strategy<Value = Request> {
    let cluster = prop_oneof![
        4 => "o\\|[12]?\\|\\|[ab]{0,2}(:[12])?",
        1 => "[ab|]{0,6}",
    ];
    (
        prop::option::weighted(0.9, "[ab:\\[\\]*]{0,4}"),
        prop::option::weighted(0.9, "[ab]{0,3}"),
        prop::option::weighted(0.9, cluster),
    )
}

fn config() -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig {
        // Eight times the usual, of which `PROPTEST_CASES` still decides: a case is cheap.
        cases: default.cases.saturating_mul(8),
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..default
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_request_gets_the_settings_that_it_should(
        rules in prop::collection::vec(rule(), 0..5),
        global in prop::option::of(Just(100)),
        requests in prop::collection::vec(request(), 1..8),
    ) {
        // Rules without a match key refuse everything, so most cases must not have one.
        let mut rules = rules;
        if rules.len() > 1 {
            rules.retain(|rule| is_for(rule, &(None, None, None)).is_some());
        }
        for (n, rule) in rules.iter_mut().enumerate() {
            rule["n"] = json!(n);
        }
        let mut configuration = json!({ "_rules_": rules });
        if let Some(global) = global {
            configuration["n"] = json!(global);
        }
        let document = Document::new(configuration.to_string().as_bytes()).unwrap();
        let read = document.rules::<Value>();
        for request in requests {
            let expected = oracle(&rules, global, &request);
            let (host, route, service) = &request;
            let target = Target {
                host: host.as_deref(),
                route: route.as_deref(),
                service: service.as_deref(),
            };
            let found = read.as_ref().map(|read| {
                let found = read.find_for(&target);
                found.map(|found| found["n"].as_u64().unwrap())
            });
            prop_assert_eq!(found.map_err(|_| ()), expected, "{:?}", target);
        }
    }
}
