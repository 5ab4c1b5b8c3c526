//! Finding the settings of a request allocates nothing: a count, not an estimate.

#![expect(clippy::unwrap_used, reason = "a test fails where it does not hold")]

#[path = "common/counting.rs"]
mod counting;

use std::fmt::Write as _;

use chunkwise::rules::{Document, Rules, Target};
use counting::allocations;

/// Rules of every kind, a hundred of each.
fn rules() -> Rules<serde_json::Value> {
    let mut rules = String::new();
    for n in 0..100 {
        let _ = write!(
            rules,
            r#"{{"_match_route_":["r{n}","s{n}"]}},
            {{"_match_route_":"common","_match_service_":"both{n}"}},
            {{"_match_domain_":["{n}.com","*.{n}.com","api.{n}.*"]}},
            {{"_match_service_":["a{n}.dns","b{n}.dns:443"]}},
            {{"_match_route_prefix_":"prefix-{n}/"}},"#
        );
    }
    let json = format!(r#"{{"global":true,"_rules_":[{}]}}"#, rules.trim_end_matches(','));
    Document::new(json.as_bytes()).unwrap().rules().unwrap()
}

#[test]
fn finding_and_keeping_settings_allocates_nothing() {
    let rules = rules();
    let none = Target::default();
    let targets = [
        Target { route: Some("s99"), ..none },
        Target { route: Some("common"), service: Some("outbound|80||both99"), ..none },
        Target { host: Some("www.99.com:443"), route: Some("common"), ..none },
        Target { host: Some("api.99.org"), ..none },
        Target { service: Some("outbound|443||b99.dns"), ..none },
        Target { route: Some("prefix-99/x"), ..none },
    ];
    let global = rules.global().unwrap().clone();
    let others =
        [none, Target { host: Some("h"), route: Some("r"), service: Some("outbound|1||s") }];
    let before = allocations();
    let mut found = 0;
    for target in &targets {
        let settings = rules.find_for(target).cloned();
        found += usize::from(settings.is_some_and(|s| !std::rc::Rc::ptr_eq(&s, &global)));
    }
    for target in &others {
        let settings = rules.find_for(target).cloned();
        found += usize::from(settings.is_some_and(|s| std::rc::Rc::ptr_eq(&s, &global)));
    }
    assert_eq!(allocations() - before, 0);
    assert_eq!(found, targets.len() + others.len(), "the test has to find something");
}
