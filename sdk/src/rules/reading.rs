//! Reading the rules of a configuration: all of them, or each for itself.

use std::rc::Rc;

use serde_json::Value;

use super::Refused;
use super::condition::Condition;
use super::last_good::{Kept, LastGood};
use super::matching::Rule;
use super::section::Section;
use crate::config::ConfigError;

/// The list of rules in a configuration.
pub(crate) const RULES: &str = "_rules_";

/// Reads every rule, and refuses all of them when one is wrong.
pub(crate) fn all<T>(
    rules: Vec<Value>,
    mut read: impl FnMut(Section<'_>) -> Result<T, ConfigError>,
) -> Result<Vec<Rule<T>>, ConfigError> {
    let read = |(index, rule)| {
        let (condition, settings) = split(rule, index)?;
        let good = read(Section::rule(&settings, index)).map_err(|e| e.under(&place(index)))?;
        Ok(Rule::new(condition, good))
    };
    rules.into_iter().enumerate().map(read).collect()
}

/// Reads every rule that can be read, and the last good version of those that cannot.
pub(crate) fn isolated<T>(
    rules: Vec<Value>,
    last_good: &LastGood,
    plugin: &str,
    mut read: impl FnMut(Section<'_>) -> Result<T, ConfigError>,
) -> Result<(Vec<Rule<T>>, Vec<Refused>), ConfigError> {
    let mut good = Vec::with_capacity(rules.len());
    let mut refused = Vec::new();
    let mut kept = Kept::new();
    for (index, rule) in rules.into_iter().enumerate() {
        let (condition, settings) = split(rule, index)?;
        match read(Section::rule(&settings, index)) {
            Ok(settings_read) => {
                kept.insert(condition.clone(), Rc::new(settings));
                good.push(Rule::new(condition, settings_read));
            }
            Err(error) => {
                // A good rule for the same requests may stand before it in this configuration.
                let last =
                    kept.get(&condition).cloned().or_else(|| last_good.find(plugin, &condition));
                // With other global settings even it may be wrong now.
                let restored = last.as_deref().and_then(|l| read(Section::rule(l, index)).ok());
                let error = error.under(&place(index));
                refused.push(Refused { rule: index, error, restored: restored.is_some() });
                if let Some(last) = last {
                    kept.insert(condition.clone(), last);
                }
                good.extend(restored.map(|settings| Rule::new(condition, settings)));
            }
        }
    }
    if let (true, [first, ..]) = (good.is_empty(), &refused[..]) {
        let reason = format_args!(
            "{}; no other rule is right, and none has a last good version",
            first.error.reason()
        );
        return Err(ConfigError::invalid(first.error.field(), reason));
    }
    last_good.keep(plugin, kept);
    Ok((good, refused))
}

/// Which requests a rule is for, and its settings.
///
/// This fails for the configuration as a whole, isolated or not: a rule that is for no request, or
/// for nobody knows which, cannot be told from the other rules.
fn split(rule: Value, index: usize) -> Result<(Condition, Value), ConfigError> {
    let Value::Object(mut rule) = rule else {
        return Err(ConfigError::invalid(place(index), "a rule is an object"));
    };
    let condition = Condition::take(&mut rule).map_err(|error| error.under(&place(index)))?;
    Ok((condition, Value::Object(rule)))
}

fn place(index: usize) -> String {
    format!("{RULES}[{index}]")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{Document, Rules, Target};

    /// Reads rules for the routes `r0`, `r1`, … with these settings.
    fn read(plugin: &str, settings: &[&str]) -> Result<Rules<u32>, ConfigError> {
        let rules = settings.iter().enumerate();
        let rules = rules.map(|(n, v)| format!(r#"{{"v":{v},"_match_route_":["r{n}"]}}"#));
        let rules = rules.collect::<Vec<_>>().join(",");
        document(plugin, &rules).isolated().rules_with(value)
    }

    fn document(plugin: &str, rules: &str) -> Document {
        let json = format!(r#"{{"_plugin_id_":"{plugin}","_rules_":[{rules}]}}"#);
        Document::new(json.as_bytes()).unwrap()
    }

    fn value(_: Option<&u32>, section: Section<'_>) -> Result<u32, ConfigError> {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Settings {
            v: u32,
        }
        section.parse::<Settings>().map(|settings| settings.v)
    }

    /// What a request on each of the routes finds.
    fn found<const N: usize>(rules: &Rules<u32>) -> [Option<u32>; N] {
        std::array::from_fn(|n| {
            let route = format!("r{n}");
            let target = Target { route: Some(&route), ..Target::default() };
            rules.find_for(&target).map(|found| **found)
        })
    }

    #[test]
    fn without_isolation_one_wrong_rule_refuses_all() {
        let rules = r#"{"v":1,"_match_route_":"r0"},{"v":"x","_match_route_":"r1"}"#;
        let error = document("p", rules).rules_with(value).unwrap_err();
        assert_eq!(error.field(), "_rules_[1].v");
        assert!(!error.to_string().contains(" line "), "{error}");
    }

    #[test]
    fn a_rule_for_no_request_refuses_all_even_when_isolated() {
        for (wrong, field) in [
            (r#"{"v":1}"#, "_rules_[1]"),
            (r#"{"v":1,"_match_route_":[""]}"#, "_rules_[1]"),
            (r#"{"v":1,"_match_route_":[{}]}"#, "_rules_[1]._match_route_"),
            ("7", "_rules_[1]"),
        ] {
            let rules = format!(r#"{{"v":1,"_match_route_":"r0"}},{wrong}"#);
            for document in [document("q", &rules), document("q", &rules).isolated()] {
                assert_eq!(document.rules_with(value).unwrap_err().field(), field, "{wrong}");
            }
        }
        let rules = read("q", &["\"x\"", "1"]).unwrap();
        assert_eq!(found(&rules), [None, Some(1)], "a refused configuration keeps nothing");
    }

    #[test]
    fn a_wrong_rule_is_left_out_or_stays_as_it_was() {
        let rules = read("p", &["\"x\"", "2"]).unwrap();
        assert_eq!(found(&rules), [None, Some(2)]);
        let [refused] = rules.refused() else { panic!("{:?}", rules.refused()) };
        assert_eq!((refused.rule(), refused.is_restored()), (0, false));
        assert_eq!(refused.error().field(), "_rules_[0].v");

        read("p", &["1", "2", "3"]).unwrap();
        let rules = read("p", &["10", "\"x\"", "\"x\""]).unwrap();
        assert_eq!(found(&rules), [Some(10), Some(2), Some(3)]);
        assert!(rules.refused().iter().all(Refused::is_restored));

        let rules = read("p", &["\"x\"", "\"x\"", "\"x\""]).unwrap();
        assert_eq!(found(&rules), [Some(10), Some(2), Some(3)], "as often as it takes");
        assert_eq!(rules.refused().len(), 3);
    }

    #[test]
    fn what_a_configuration_does_not_name_is_forgotten() {
        read("p", &["1", "2"]).unwrap();
        read("p", &["1"]).unwrap();
        let rules = read("p", &["1", "\"x\""]).unwrap();
        assert_eq!(found(&rules), [Some(1), None]);
    }

    #[test]
    fn all_wrong_and_nothing_kept_is_refused_and_forgets_nothing() {
        let error = read("new", &["\"x\"", "\"x\""]).unwrap_err();
        assert_eq!(error.field(), "_rules_[0].v");
        assert!(error.to_string().ends_with("none has a last good version"), "{error}");
        // Not even global settings help.
        let json = br#"{"v":1,"_plugin_id_":"new","_rules_":[{"v":"x","_match_route_":"r"}]}"#;
        Document::new(json).unwrap().isolated().rules_with(value).unwrap_err();

        read("p", &["1"]).unwrap();
        let other = r#"{"v":"x","_match_route_":"other"}"#;
        document("p", other).isolated().rules_with(value).unwrap_err();
        assert_eq!(found(&read("p", &["\"x\""]).unwrap()), [Some(1)]);
    }

    #[test]
    fn plugins_do_not_get_each_others_rules() {
        read("p", &["1", "2"]).unwrap();
        assert_eq!(found(&read("q", &["\"x\"", "4"]).unwrap()), [None, Some(4)]);
        assert_eq!(found(&read("p", &["\"x\"", "4"]).unwrap()), [Some(1), Some(4)]);
    }

    #[test]
    fn a_rule_is_the_same_one_wherever_it_stands() {
        let rules = |rules: &str| document("p", rules).isolated().rules_with(value).unwrap();
        rules(r#"{"v":1,"_match_domain_":["a","b*"]},{"v":2,"_match_route_":"r0"}"#);
        let moved =
            rules(r#"{"v":"x","_match_route_":"r0"},{"v":"x","_match_domain_":["b*","a"]}"#);
        assert_eq!(found(&moved), [Some(2)]);
        let target = Target { host: Some("bcd"), ..Target::default() };
        assert_eq!(moved.find_for(&target).map(|found| **found), Some(1));
    }

    #[test]
    fn a_good_rule_before_a_wrong_one_for_the_same_requests_is_its_last_good() {
        let rules = r#"{"v":1,"_match_route_":"r0"},{"v":"x","_match_route_":"r0"}"#;
        let rules = document("p", rules).isolated().rules_with(value).unwrap();
        assert_eq!(found(&rules), [Some(1)]);
        assert!(rules.refused()[0].is_restored());
    }

    #[test]
    fn a_last_good_rule_that_is_wrong_now_is_left_out_and_kept() {
        let read = |limit: u32, settings: &str| {
            let json = format!(
                r#"{{"limit":{limit},"_plugin_id_":"p","_rules_":[
                    {{"v":{settings},"_match_route_":"r0"}},{{"v":0,"_match_route_":"r1"}}]}}"#
            );
            let document = Document::new(json.as_bytes()).unwrap().isolated();
            document.rules_with(|limit: Option<&u32>, section| match limit {
                None => Ok(section.parse::<std::collections::BTreeMap<String, u32>>()?["limit"]),
                Some(limit) => match value(None, section)? {
                    value if value > *limit => Err(ConfigError::invalid("v", "above the limit")),
                    value => Ok(value),
                },
            })
        };
        assert_eq!(found(&read(9, "7").unwrap()), [Some(7), Some(0)]);
        let rules = read(5, "\"x\"").unwrap();
        assert_eq!(found(&rules), [Some(5), Some(0)], "the global one");
        assert!(!rules.refused()[0].is_restored());
        assert_eq!(found(&read(9, "\"x\"").unwrap()), [Some(7), Some(0)]);
    }
}
