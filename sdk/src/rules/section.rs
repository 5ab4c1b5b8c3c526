//! A part of the configuration that the plugin's author reads: the global one, or a rule's.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::config::ConfigError;

/// The settings of the global part or of one rule.
///
/// The keys that the SDK reads itself (`_rules_`, `_plugin_id_` and a rule's `_match_…_`) are not
/// in it, so that types with `deny_unknown_fields` can be read from it.
#[derive(Clone, Copy, Debug)]
pub struct Section<'a> {
    settings: &'a Value,
    rule: Option<usize>,
}

impl<'a> Section<'a> {
    pub(crate) fn global(settings: &'a Value) -> Self {
        Self { settings, rule: None }
    }

    pub(crate) fn rule(settings: &'a Value, index: usize) -> Self {
        Self { settings, rule: Some(index) }
    }

    /// The index of the rule in `_rules_`, or `None` for the global part; free.
    pub fn index(&self) -> Option<usize> {
        self.rule
    }

    /// The settings as a `T`. It may be called more than once, with different types.
    ///
    /// Integers of up to 64 bits and floating-point numbers come out as [`Config::parse`] would
    /// read them. Larger integers are read as floating-point numbers, so a `u128` beyond
    /// [`u64::MAX`] is an error.
    ///
    /// # Cost
    /// What `T` allocates.
    ///
    /// # Errors
    /// [`ConfigError`] names the field. Its path begins in this section; where it is passed on,
    /// [`Document::rules_with`](super::Document::rules_with) puts the rule's place in front.
    ///
    /// [`Config::parse`]: crate::Config::parse
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        serde_path_to_error::deserialize(self.settings).map_err(|error| {
            let field = error.path().to_string();
            ConfigError::json(field, &error.into_inner())
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;
    use crate::rules::{Document, Target};

    /// The same text, read as a section and directly.
    fn both<T: DeserializeOwned>(json: &str) -> (T, T) {
        let settings = serde_json::from_str(json).unwrap();
        (Section::global(&settings).parse().unwrap(), serde_json::from_str(json).unwrap())
    }

    #[test]
    fn numbers_survive() {
        let (read, direct) = both::<Vec<u64>>("[0, 9007199254740993, 18446744073709551615]");
        assert_eq!(read, direct);
        assert_eq!(read[1..], [9_007_199_254_740_993, u64::MAX]);
        let (read, direct) = both::<Vec<i64>>("[-9223372036854775808, -1, 9007199254740993]");
        assert_eq!(read, direct);
        let (read, direct) =
            both::<Vec<f64>>("[0.1, -0.0, 1e300, 5e-324, 123456789012345678901234567890, 2]");
        assert_eq!(read.iter().map(|n| n.to_bits()).collect::<Vec<_>>(), {
            direct.iter().map(|n| n.to_bits()).collect::<Vec<_>>()
        });
        let (read, direct) = both::<Vec<f32>>("[0.1, 16777217, 3.4028235e38]");
        assert_eq!(read, direct);
        let large = serde_json::from_str("18446744073709551616").unwrap();
        Section::global(&large).parse::<u128>().unwrap_err();
    }

    #[test]
    fn errors_name_the_field() {
        #[derive(Debug, Deserialize)]
        #[expect(dead_code, reason = "only read into")]
        struct Settings {
            limits: Vec<Limit>,
        }
        #[derive(Debug, Deserialize)]
        #[expect(dead_code, reason = "only read into")]
        struct Limit {
            rate: u32,
        }
        let settings = serde_json::json!({ "limits": [{ "rate": 1 }, { "rate": "2" }] });
        let error = Section::rule(&settings, 3).parse::<Settings>().unwrap_err();
        assert_eq!(error.field(), "limits[1].rate");
        let error = Section::rule(&Value::Null, 3).parse::<Settings>().unwrap_err();
        assert_eq!(error.field(), "");
    }

    #[test]
    fn rules_are_read_on_top_of_the_global_part() {
        type Header = Option<String>;
        let read = |json: &str| {
            let document = Document::new(json.as_bytes()).unwrap();
            document.rules_with(|global: Option<&(Header, Option<usize>)>, section| {
                let own: BTreeMap<String, String> = section.parse()?;
                let header = own.get("header").cloned();
                Ok((header.or_else(|| global?.0.clone()), section.index()))
            })
        };
        let rules = r#""_rules_":[
            {"_match_route_":"r"},{"_match_route_":"s","header":"own"},{"_match_route_":"t"}]"#;
        let target = |route| Target { route: Some(route), ..Default::default() };
        let found = read(&format!(r#"{{"header":"global",{rules}}}"#)).unwrap();
        let settings = |route| (**found.find_for(&target(route)).unwrap()).clone();
        assert_eq!(settings("r"), (Some("global".into()), Some(0)));
        assert_eq!(settings("s"), (Some("own".into()), Some(1)));
        assert_eq!(settings("?"), (Some("global".into()), None));
        // Without a global part, or with one that is wrong, there is nothing to be on top of.
        for json in [format!("{{{rules}}}"), format!(r#"{{"header":1,{rules}}}"#)] {
            let found = read(&json).unwrap();
            assert_eq!(found.find_for(&target("r")).unwrap().0, None, "{json}");
            assert_eq!(found.find_for(&target("?")), None, "{json}");
        }
    }
}
