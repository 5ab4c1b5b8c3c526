//! Reading a configuration that has rules.

use std::rc::Rc;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Rules;
use super::last_good::LastGood;
use super::reading::{RULES, all, isolated};
use super::section::Section;
use crate::config::ConfigError;

/// What a control plane calls the plugin.
const PLUGIN_ID: &str = "_plugin_id_";

/// A configuration with rules, before the plugin has read its settings.
///
/// A plugin calls [`Config::rules`](crate::Config::rules) and its kin, which do all of this. This
/// type is for whoever has the configuration as bytes: above all the tests of a plugin.
///
/// ```
/// use chunkwise::rules::{Document, Target};
///
/// #[derive(serde::Deserialize)]
/// #[serde(deny_unknown_fields)]
/// struct Settings {
///     limit: u32,
/// }
///
/// let json = br#"{
///     "limit": 1,
///     "_rules_": [{ "limit": 2, "_match_domain_": ["*.example.com"] }]
/// }"#;
/// let rules = Document::new(json)?.rules::<Settings>()?;
/// let target = Target { host: Some("www.example.com:443"), ..Target::default() };
/// assert_eq!(rules.find_for(&target).map(|settings| settings.limit), Some(2));
/// assert_eq!(rules.find_for(&Target::default()).map(|settings| settings.limit), Some(1));
/// # Ok::<(), chunkwise::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Document {
    plugin_id: Option<Box<str>>,
    /// The settings beside the rules; `None` when there is no key but `_rules_`.
    global: Option<Value>,
    rules: Vec<Value>,
    /// Whose last good rules count; `None` without isolation.
    isolated_for: Option<(Rc<LastGood>, Box<str>)>,
}

impl Document {
    /// Reads the document's frame. An empty one is read as `{}`; of a key that is there twice the
    /// last one counts.
    ///
    /// # Cost
    /// The whole document becomes a tree, which the settings are read from.
    ///
    /// # Errors
    /// [`ConfigError`] names line and column where it is no JSON.
    pub fn new(json: &[u8]) -> Result<Self, ConfigError> {
        let document = serde_json::from_slice(if json.is_empty() { b"{}" } else { json })
            .map_err(|error| ConfigError::json(String::new(), &error))?;
        let mut global = match document {
            Value::Object(global) => global,
            // Such as a list: all of it is the global part.
            other => return Ok(Self::with(None, Some(other), Vec::new())),
        };
        let plugin_id = global.remove(PLUGIN_ID).and_then(|id| match id {
            Value::Null => None,
            Value::String(id) => Some(id.into()),
            other => Some(other.to_string().into()),
        });
        let rules = global.remove(RULES);
        let only_rules = rules.is_some() && global.is_empty();
        let rules = match rules {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(rules)) => rules,
            Some(single) => vec![single],
        };
        let global = (!only_rules).then_some(Value::Object(global));
        Ok(Self::with(plugin_id, global, rules))
    }

    fn with(plugin_id: Option<Box<str>>, global: Option<Value>, rules: Vec<Value>) -> Self {
        Self { plugin_id, global, rules, isolated_for: None }
    }

    /// The configuration's `_plugin_id_`, if it has one.
    pub fn plugin_id(&self) -> Option<&str> {
        self.plugin_id.as_deref()
    }

    /// Keeps the other rules when one is wrong; see [isolation](super#isolation).
    ///
    /// Last good rules are found by the configuration's `_plugin_id_`, among those that were read
    /// so in this thread.
    #[must_use]
    pub fn isolated(self) -> Self {
        let plugin = self.plugin_id.clone().unwrap_or_default();
        self.isolated_for(LastGood::of_thread(), &plugin)
    }

    pub(crate) fn isolated_for(self, last_good: Rc<LastGood>, plugin: &str) -> Self {
        Self { isolated_for: Some((last_good, plugin.into())), ..self }
    }

    /// The settings of every rule as a `T`, each on its own.
    ///
    /// # Errors
    /// As for [`rules_with`](Self::rules_with).
    pub fn rules<T: DeserializeOwned>(self) -> Result<Rules<T>, ConfigError> {
        self.rules_with(|_, section| section.parse())
    }

    /// The settings of every rule on top of the global ones, as `read` says.
    ///
    /// `read` is called for the global part first, with `None`, and then for every rule, with the
    /// global settings, or `None` when there are none (or they were wrong).
    ///
    /// # Errors
    /// [`ConfigError`] names the field with its place: `_rules_[2].limit`. The configuration is
    /// refused when
    /// - it has no rules, and the global part is wrong or missing;
    /// - a rule is wrong, unless rules are isolated and one of them is right;
    /// - a rule says nothing of the requests that it is for, isolated or not.
    pub fn rules_with<T>(
        self,
        mut read: impl FnMut(Option<&T>, Section<'_>) -> Result<T, ConfigError>,
    ) -> Result<Rules<T>, ConfigError> {
        let (global, global_error) = match &self.global {
            None => (None, None),
            Some(settings) => match read(None, Section::global(settings)) {
                Ok(global) => (Some(global), None),
                Err(error) => (None, Some(error)),
            },
        };
        if self.rules.is_empty() && global.is_none() {
            let nothing = "there is neither a rule nor a global setting";
            return Err(global_error.unwrap_or_else(|| ConfigError::invalid("", nothing)));
        }
        let read = |section: Section<'_>| read(global.as_ref(), section);
        let (rules, refused) = match self.isolated_for {
            None => (all(self.rules, read)?, Vec::new()),
            Some((last_good, plugin)) => isolated(self.rules, &last_good, &plugin, read)?,
        };
        let global = global.map(Rc::new);
        let plugin_id = self.plugin_id;
        Ok(Rules { plugin_id, global, global_error, refused, ..Rules::new(rules) })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Settings {
        a: u32,
    }

    fn read(json: &str) -> Result<Rules<Settings>, ConfigError> {
        Document::new(json.as_bytes())?.rules()
    }

    fn global(json: &str) -> Option<u32> {
        read(json).unwrap().global().map(|settings| settings.a)
    }

    #[test]
    fn an_empty_configuration_is_an_empty_object() {
        for json in ["", "{}", r#"{"_plugin_id_":"p"}"#] {
            let rules = Document::new(json.as_bytes()).unwrap().rules::<BTreeMap<String, u8>>();
            assert!(rules.unwrap().global().unwrap().is_empty(), "{json}");
            assert_eq!(read(json).unwrap_err().to_string(), "missing field `a`", "{json}");
        }
    }

    #[test]
    fn what_is_no_object_is_the_global_part() {
        let rules = Document::new(b"[1,2]").unwrap().rules::<Vec<u8>>().unwrap();
        assert_eq!(**rules.global().unwrap(), [1, 2]);
        let rules = Document::new(br#""text""#).unwrap().rules::<String>().unwrap();
        assert_eq!(**rules.global().unwrap(), "text");
        read("[]").unwrap_err();
    }

    #[test]
    fn what_is_no_json_is_refused_with_its_place() {
        for json in [" ", "{", "{}x", "\u{0}"] {
            let error = Document::new(json.as_bytes()).unwrap_err();
            assert!(error.to_string().contains("line 1 column"), "{error}");
        }
        Document::new(&[b'"', 0xff, b'"']).unwrap_err();
    }

    #[test]
    fn the_plugin_id_is_taken_out() {
        for (id, expected) in
            [(r#""p""#, Some("p")), ("7", Some("7")), ("null", None), (r#""""#, Some(""))]
        {
            let json = format!(r#"{{"_plugin_id_":{id},"a":1}}"#);
            let rules = read(&json).unwrap();
            assert_eq!(rules.plugin_id(), expected, "{id}");
            assert_eq!(rules.global().unwrap().a, 1);
        }
        assert_eq!(read(r#"{"a":1}"#).unwrap().plugin_id(), None);
    }

    #[test]
    fn there_is_a_global_part_where_there_are_other_keys() {
        let rule = r#"{"a":2,"_match_route_":["r"]}"#;
        assert_eq!(global(&format!(r#"{{"a":1,"_rules_":[{rule}]}}"#)), Some(1));
        assert_eq!(global(&format!(r#"{{"_rules_":[{rule}]}}"#)), None);
        assert_eq!(global(&format!(r#"{{"_plugin_id_":"p","_rules_":[{rule}]}}"#)), None);
        assert_eq!(global(r#"{"a":1,"_rules_":[]}"#), Some(1));
        assert_eq!(global(r#"{"a":1,"_rules_":null}"#), Some(1));
    }

    #[test]
    fn a_wrong_global_part_counts_only_without_rules() {
        let rules = read(r#"{"a":"x","_rules_":[{"a":2,"_match_route_":["r"]}]}"#).unwrap();
        assert_eq!(rules.global(), None);
        assert_eq!(rules.global_error().unwrap().field(), "a");
        for json in [r#"{"a":"x"}"#, r#"{"a":"x","_rules_":[]}"#] {
            assert_eq!(read(json).unwrap_err().field(), "a", "{json}");
        }
        for json in [r#"{"_rules_":[]}"#, r#"{"_rules_":null,"_plugin_id_":"p"}"#] {
            let error = read(json).unwrap_err();
            assert_eq!(error.to_string(), "there is neither a rule nor a global setting");
        }
    }

    #[test]
    fn of_a_key_that_is_there_twice_the_last_counts() {
        assert_eq!(global(r#"{"a":"x","a":1,"_rules_":5,"_rules_":[]}"#), Some(1));
    }

    #[test]
    fn a_single_rule_needs_no_list() {
        let rules = read(r#"{"_rules_":{"a":2,"_match_route_":"r"}}"#).unwrap();
        let target = crate::rules::Target { route: Some("r"), ..Default::default() };
        assert_eq!(rules.find_for(&target).unwrap().a, 2);
    }
}
