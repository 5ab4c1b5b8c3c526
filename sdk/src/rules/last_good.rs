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

thread_local! {
    /// By plugin, the one configured last at the end.
    static PLUGINS_KEPT: RefCell<Vec<(Box<str>, Kept)>> = const { RefCell::new(Vec::new()) };
}

/// The last good settings of a plugin's rule.
pub(crate) fn find(plugin: &str, condition: &Condition) -> Option<Rc<Value>> {
    let find = |plugins: &RefCell<Vec<(Box<str>, Kept)>>| {
        let plugins = plugins.borrow();
        let (_, kept) = plugins.iter().find(|(name, _)| **name == *plugin)?;
        kept.get(condition).cloned()
    };
    PLUGINS_KEPT.try_with(find).ok().flatten()
}

/// Keeps these rules for a plugin, and no others any more.
pub(crate) fn keep(plugin: &str, kept: Kept) {
    // Only a thread that ends natively has none any more, and it will not read a configuration.
    let _ = PLUGINS_KEPT.try_with(|plugins| {
        let mut plugins = plugins.borrow_mut();
        plugins.retain(|(name, _)| **name != *plugin);
        if plugins.len() >= PLUGINS {
            plugins.remove(0);
        }
        plugins.push((plugin.into(), kept));
    });
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
        keep("one", kept(&[("a", 1), ("b", 2)]));
        keep("two", kept(&[("a", 3)]));
        assert_eq!(find("one", &rule("a")), Some(json!(1).into()));
        assert_eq!(find("two", &rule("a")), Some(json!(3).into()));
        assert_eq!(find("two", &rule("b")), None);
        keep("one", kept(&[("b", 4)]));
        assert_eq!(find("one", &rule("a")), None);
        assert_eq!(find("one", &rule("b")), Some(json!(4).into()));
    }

    #[test]
    fn the_plugin_configured_longest_ago_goes_first() {
        for plugin in 0..PLUGINS {
            keep(&plugin.to_string(), kept(&[("a", 1)]));
        }
        keep("0", kept(&[("a", 2)]));
        keep("another", kept(&[("a", 3)]));
        assert_eq!(find("0", &rule("a")), Some(json!(2).into()));
        assert_eq!(find("1", &rule("a")), None);
        assert_eq!(find("2", &rule("a")), Some(json!(1).into()));
        assert_eq!(PLUGINS_KEPT.with_borrow(Vec::len), PLUGINS);
    }
}
