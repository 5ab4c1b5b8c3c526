//! Rules of a configuration as Higress's `matchRules`.
//!
//! Higress makes one configuration of a `WasmPlugin`: the fields of `defaultConfig`, and the list
//! `_rules_` with those of each rule's `config` and what it matches. This is the way back.

use serde_json::{Map, Value};

/// A configuration in the parts that a Higress `WasmPlugin` has.
#[derive(Debug, PartialEq)]
pub(super) struct Parts {
    /// The fields for all requests.
    pub default: Map<String, Value>,
    /// The rules, in their order.
    pub rules: Vec<Rule>,
}

/// What some requests get, and which.
#[derive(Debug, PartialEq)]
pub(super) struct Rule {
    /// The lists that are not empty, by the names that Higress has for them.
    pub matches: Vec<(&'static str, Vec<String>)>,
    /// The fields of the rule.
    pub config: Map<String, Value>,
}

/// The keys of a rule that Higress has fields for.
const MATCHES: [(&str, &str); 3] =
    [("_match_route_", "ingress"), ("_match_domain_", "domain"), ("_match_service_", "service")];

/// Takes a configuration apart, where its rules can be said as `matchRules`: those by the prefix of
/// a route cannot, nor can what is no rule.
pub(super) fn split(configuration: &Map<String, Value>) -> Option<Parts> {
    let mut default = configuration.clone();
    let rules = match default.remove("_rules_") {
        None => Vec::new(),
        Some(Value::Array(rules)) => rules.into_iter().map(rule).collect::<Option<_>>()?,
        Some(_) => return None,
    };
    Some(Parts { default, rules })
}

fn rule(rule: Value) -> Option<Rule> {
    let Value::Object(mut config) = rule else { return None };
    let mut matches = Vec::new();
    for (key, field) in MATCHES {
        let names = match config.remove(key) {
            None => continue,
            Some(Value::Array(names)) => names.into_iter().map(text).collect::<Option<Vec<_>>>()?,
            // One name may stand for a list of one.
            Some(name) => vec![text(name)?],
        };
        if !names.is_empty() {
            matches.push((field, names));
        }
    }
    // Higress refuses a rule that matches nothing, and with it the whole plugin.
    if matches.is_empty() { None } else { Some(Rule { matches, config }) }
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parts(configuration: &Value) -> Option<Parts> {
        split(configuration.as_object().unwrap())
    }

    /// What Higress makes of the parts.
    fn together(parts: &Parts) -> Value {
        let rules = parts.rules.iter().map(|rule| {
            let mut config = rule.config.clone();
            for (field, names) in &rule.matches {
                let (key, _) = MATCHES.iter().find(|(_, name)| name == field).unwrap();
                config.insert((*key).to_owned(), json!(names));
            }
            Value::Object(config)
        });
        let rules: Vec<_> = rules.collect();
        let mut whole = parts.default.clone();
        if !rules.is_empty() {
            whole.insert("_rules_".to_owned(), Value::Array(rules));
        }
        Value::Object(whole)
    }

    #[test]
    fn what_is_taken_apart_comes_together_again() {
        for configuration in [
            json!({}),
            json!({ "a": 1, "_plugin_id_": "x" }),
            json!({ "_rules_": [{ "_match_route_": ["default/a", "b"] }] }),
            json!({ "a": 1, "_rules_": [
                { "a": 2, "_match_domain_": ["*.a.example", ""] },
                { "a": 3, "_match_route_": ["a"], "_match_service_": ["b.dns:443"] },
                { "_match_route_": ["a"], "_match_route_prefix_": ["ai-"] },
            ] }),
        ] {
            let parts = parts(&configuration).unwrap();
            assert_eq!(together(&parts), configuration);
            assert!(!parts.default.contains_key("_rules_"));
        }
    }

    #[test]
    fn one_name_is_a_list_of_one() {
        let parts = parts(&json!({ "_rules_": [{ "_match_domain_": "a", "b": 1 }] })).unwrap();
        assert_eq!(parts.rules[0].matches, [("domain", vec!["a".to_owned()])]);
        assert_eq!(Value::Object(parts.rules[0].config.clone()), json!({ "b": 1 }));
    }

    #[test]
    fn what_match_rules_cannot_say_stays_whole() {
        for rules in [
            json!([{ "_match_route_prefix_": ["ai-"] }]),
            json!([{ "a": 1 }]),
            json!([{ "_match_route_": [] }]),
            json!([{ "_match_route_": [1] }]),
            json!([1]),
            json!({}),
            json!("a"),
        ] {
            assert_eq!(parts(&json!({ "_rules_": rules })), None, "{rules}");
        }
    }
}
