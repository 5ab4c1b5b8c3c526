//! The last good version of each rule, for plugins whose rules are isolated.
//!
//! It belongs to the VM and not to a configuration, for it has to outlive the configuration that
//! brought the rule: a proxy keeps the VM when only a configuration changes. It is lost with the
//! VM (a crash, a rebuild, a new image).
//!
//! Every configuration that a plugin accepts replaces what was kept for that plugin: its good
//! rules, and of those that it failed to change the last good ones. So there are never more than
//! the newest configuration has rules, and a rule that was deleted does not come back when it is
//! written anew and wrong. A configuration that was refused changes nothing.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::Value;

use super::condition::Condition;

/// How many plugins of one VM are kept; beyond it, what was configured longest ago goes.
///
/// A VM serves all plugins of the same image, and is not told when one of them is deleted.
const PLUGINS: usize = 64;

/// The settings of rules by the requests that they are for.
pub(crate) type Kept = BTreeMap<Condition, Rc<Value>>;

/// What one VM keeps.
#[derive(Debug, Default)]
pub(crate) struct LastGood {
    /// By plugin, the one configured last at the end.
    plugins: RefCell<Vec<(Box<str>, Kept)>>,
}

impl LastGood {
    /// That of documents which no VM reads: tests of a configuration, a thread for itself.
    pub fn of_thread() -> Rc<Self> {
        thread_local! {
            static OF_THREAD: Rc<LastGood> = Rc::default();
        }
        // Only a thread that ends has none any more.
        OF_THREAD.try_with(Rc::clone).unwrap_or_default()
    }

    /// The last good settings of a plugin's rule.
    pub fn find(&self, plugin: &str, condition: &Condition) -> Option<Rc<Value>> {
        let plugins = self.plugins.borrow();
        let (_, kept) = plugins.iter().find(|(name, _)| **name == *plugin)?;
        kept.get(condition).cloned()
    }

    /// Keeps these rules for a plugin, and no others any more.
    pub fn keep(&self, plugin: &str, kept: Kept) {
        let mut plugins = self.plugins.borrow_mut();
        plugins.retain(|(name, _)| **name != *plugin);
        if plugins.len() >= PLUGINS {
            plugins.remove(0);
        }
        plugins.push((plugin.into(), kept));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rule(name: &str) -> Condition {
        Condition::Route(Box::new([name.into()]))
    }

    fn kept(rules: &[(&str, u32)]) -> Kept {
        rules.iter().map(|(name, value)| (rule(name), Rc::new(json!(value)))).collect()
    }

    #[test]
    fn a_plugin_has_its_own_and_only_the_newest() {
        let last = LastGood::default();
        last.keep("one", kept(&[("a", 1), ("b", 2)]));
        last.keep("two", kept(&[("a", 3)]));
        assert_eq!(last.find("one", &rule("a")), Some(json!(1).into()));
        assert_eq!(last.find("two", &rule("a")), Some(json!(3).into()));
        assert_eq!(last.find("two", &rule("b")), None);
        last.keep("one", kept(&[("b", 4)]));
        assert_eq!(last.find("one", &rule("a")), None);
        assert_eq!(last.find("one", &rule("b")), Some(json!(4).into()));
    }

    #[test]
    fn the_plugin_configured_longest_ago_goes_first() {
        let last = LastGood::default();
        for plugin in 0..PLUGINS {
            last.keep(&plugin.to_string(), kept(&[("a", 1)]));
        }
        last.keep("0", kept(&[("a", 2)]));
        last.keep("another", kept(&[("a", 3)]));
        assert_eq!(last.find("0", &rule("a")), Some(json!(2).into()));
        assert_eq!(last.find("1", &rule("a")), None);
        assert_eq!(last.find("2", &rule("a")), Some(json!(1).into()));
        assert_eq!(last.plugins.borrow().len(), PLUGINS);
    }
}
