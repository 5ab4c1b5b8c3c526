//! The settings of a plugin, and which of them a request gets.

#[cfg(test)]
mod tests;

use std::rc::Rc;

use super::Refused;
use super::condition::Condition;
use super::subject::{Kinds, Seen, Subject, Target};
use crate::config::ConfigError;
use crate::error::Error;
use crate::http::RequestHeaders;

/// The settings of a plugin, by request.
///
/// [`Config::rules`](crate::Config::rules) and its kin make it.
#[derive(Clone, Debug)]
pub struct Rules<T> {
    pub(super) plugin_id: Option<Box<str>>,
    pub(super) rules: Vec<Rule<T>>,
    pub(super) global: Option<Rc<T>>,
    pub(super) global_error: Option<ConfigError>,
    pub(super) refused: Vec<Refused>,
    pub(super) kinds: Kinds,
}

/// The settings of one rule.
#[derive(Clone, Debug)]
pub(crate) struct Rule<T> {
    condition: Condition,
    settings: Rc<T>,
}

impl<T> Rule<T> {
    pub(crate) fn new(condition: Condition, settings: T) -> Self {
        Self { condition, settings: Rc::new(settings) }
    }
}

impl<T> Rules<T> {
    pub(super) fn new(rules: Vec<Rule<T>>) -> Self {
        let kinds = rules.iter().map(|rule| rule.condition.kinds());
        let kinds = kinds.fold(Kinds::default(), Kinds::with);
        Self { rules, kinds, plugin_id: None, global: None, global_error: None, refused: vec![] }
    }

    /// The settings for a request: of the first rule that matches, or else the global ones. `None`
    /// when there are neither; the plugin should let the request pass then.
    ///
    /// Call it once a stream and keep what it returns (`.cloned()` copies no settings). Request
    /// headers are the time for it, since nothing of the request has been sent on yet; changes that
    /// plugins before this one made to the route are seen.
    ///
    /// # Cost
    /// One host call, whatever the rules look at; none without rules. Rules are compared one after
    /// the other; nothing is allocated. The first requests of a VM cost up to three more, to find
    /// out what the host has.
    ///
    /// Rules of several kinds have the host put everything together in an expression. Where it has
    /// none, or cannot evaluate it for a request, it is one call more, and then one for each of
    /// host, route and service that is looked at; so it is for a request without a host, and with
    /// Envoy before 1.36 and Higress for one without a route or a cluster.
    ///
    /// # Errors
    /// The host refused one of these calls. A route or service that it does not know is no error:
    /// no rule of that kind matches.
    pub fn find(&self, headers: &RequestHeaders<'_>) -> Result<Option<&Rc<T>>, Error> {
        self.find_in(headers)
    }

    /// The settings for a request that is described by hand: for tests.
    pub fn find_for(&self, target: &Target<'_>) -> Option<&Rc<T>> {
        let Ok(found) = self.find_in(target);
        found
    }

    fn find_in<S: Subject>(&self, subject: &S) -> Result<Option<&Rc<T>>, S::Error> {
        let mut seen = Seen::new(subject, self.kinds);
        for rule in &self.rules {
            if rule.condition.matches(&mut seen)? {
                return Ok(Some(&rule.settings));
            }
        }
        Ok(self.global.as_ref())
    }

    /// The global settings; `None` when there are none or they are wrong.
    pub fn global(&self) -> Option<&Rc<T>> {
        self.global.as_ref()
    }

    /// Why the global settings are wrong, if they are. They count only where no rule matches, and
    /// there the plugin has no settings then. [`Config`](crate::Config) has logged it.
    pub fn global_error(&self) -> Option<&ConfigError> {
        self.global_error.as_ref()
    }

    /// The rules that were wrong; always empty without [isolation](super#isolation).
    /// [`Config`](crate::Config) has logged them.
    pub fn refused(&self) -> &[Refused] {
        &self.refused
    }

    /// The configuration's `_plugin_id_`, if it has one: what the control plane calls the plugin.
    pub fn plugin_id(&self) -> Option<&str> {
        self.plugin_id.as_deref()
    }
}
