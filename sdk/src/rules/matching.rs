//! The settings of a plugin, and which of them a request gets.

use std::rc::Rc;

use super::Refused;
use super::condition::Condition;
use super::subject::{Seen, Subject, Target};
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
    /// The settings for a request: of the first rule that matches, or else the global ones. `None`
    /// when there are neither; the plugin should let the request pass then.
    ///
    /// Call it once a stream and keep what it returns (`.cloned()` copies no settings). Request
    /// headers are the time for it, since nothing of the request has been sent on yet; changes that
    /// plugins before this one made to the route are seen.
    ///
    /// # Cost
    /// One host call for each of host, route and service that a rule needs which is looked at; none
    /// without rules. Rules are compared one after the other; nothing is allocated.
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
        let mut seen = Seen::new(subject);
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

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use serde_json::json;

    use super::*;
    use crate::rules::Document;

    /// A request that writes down what it was asked for.
    #[derive(Default)]
    struct Asked {
        target: Target<'static>,
        calls: RefCell<Vec<&'static str>>,
        fails: Option<&'static str>,
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
}
