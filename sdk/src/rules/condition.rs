//! Which requests a rule is for.

use serde_json::{Map, Value};

use super::host_pattern::HostPattern;
use super::subject::{Kinds, Seen, Subject};
use crate::config::ConfigError;

/// The keys of a rule that say which requests it is for; the others are the rule's settings.
const ROUTE: &str = "_match_route_";
const DOMAIN: &str = "_match_domain_";
const SERVICE: &str = "_match_service_";
const ROUTE_PREFIX: &str = "_match_route_prefix_";

/// Names in order, none twice.
type Names = Box<[Box<str>]>;

/// What a request must be for a rule to apply.
///
/// It is the rule's identity as well: two rules with equal conditions are for the same requests.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Condition {
    Route(Names),
    RouteAndService(Names, Names),
    Host(Box<[HostPattern]>),
    Service(Names),
    RoutePrefix(Names),
}

impl Condition {
    /// Takes the match keys out of a rule, which is left with its settings.
    ///
    /// Routes come before hosts, hosts before services, services before prefixes; only routes and
    /// services go together.
    ///
    /// # Errors
    /// The rule says nothing of the requests that it is for, or a name is no text.
    pub(crate) fn take(rule: &mut Map<String, Value>) -> Result<Self, ConfigError> {
        let routes = named(take(rule, ROUTE)?);
        let hosts = take(rule, DOMAIN)?;
        let services = named(take(rule, SERVICE)?);
        let prefixes = named(take(rule, ROUTE_PREFIX)?);
        match (routes.is_empty(), hosts.is_empty(), services.is_empty(), prefixes.is_empty()) {
            (false, _, true, _) => Ok(Self::Route(routes)),
            (false, _, false, _) => Ok(Self::RouteAndService(routes, services)),
            (true, false, _, _) => {
                Ok(Self::Host(sorted(hosts.iter().map(|host| HostPattern::new(host)).collect())))
            }
            (true, true, false, _) => Ok(Self::Service(services)),
            (true, true, true, false) => Ok(Self::RoutePrefix(prefixes)),
            (true, true, true, true) => Err(ConfigError::invalid(
                "",
                format_args!(
                    "the rule matches nothing: give it one of {ROUTE}, {DOMAIN}, {SERVICE} and \
                     {ROUTE_PREFIX}"
                ),
            )),
        }
    }

    /// What it looks at.
    pub(crate) fn kinds(&self) -> Kinds {
        match self {
            Self::Route(_) | Self::RoutePrefix(_) => Kinds::ROUTE,
            Self::RouteAndService(..) => Kinds::ROUTE.with(Kinds::SERVICE),
            Self::Host(_) => Kinds::HOST,
            Self::Service(_) => Kinds::SERVICE,
        }
    }

    /// Whether a request is meant. Asks only for what decides, and allocates nothing.
    pub(crate) fn matches<S: Subject>(&self, seen: &mut Seen<'_, S>) -> Result<bool, S::Error> {
        match self {
            Self::Route(routes) => is_route(seen, routes),
            Self::RouteAndService(routes, services) => {
                Ok(is_route(seen, routes)? && is_service(seen, services)?)
            }
            Self::Host(patterns) => Ok(seen
                .host()?
                .is_some_and(|host| patterns.iter().any(|pattern| pattern.matches(host)))),
            Self::Service(services) => is_service(seen, services),
            Self::RoutePrefix(prefixes) => Ok(seen.route()?.is_some_and(|route| {
                prefixes.iter().any(|prefix| route.starts_with(prefix.as_bytes()))
            })),
        }
    }
}

fn is_route<S: Subject>(seen: &mut Seen<'_, S>, routes: &Names) -> Result<bool, S::Error> {
    Ok(seen
        .route()?
        .is_some_and(|route| routes.binary_search_by(|name| name.as_bytes().cmp(route)).is_ok()))
}

fn is_service<S: Subject>(seen: &mut Seen<'_, S>, services: &Names) -> Result<bool, S::Error> {
    Ok(seen.service()?.is_some_and(|service| services.iter().any(|name| service.is(name))))
}

/// The texts of a match key; one that is no list stands for a list of one.
fn take(rule: &mut Map<String, Value>, key: &str) -> Result<Vec<Box<str>>, ConfigError> {
    match rule.remove(key) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(list)) => list.into_iter().map(|item| text(item, key)).collect(),
        Some(single) => Ok(vec![text(single, key)?]),
    }
}

/// A name; numbers and truth values are taken as they are written, and null as the empty name.
fn text(value: Value, key: &str) -> Result<Box<str>, ConfigError> {
    match value {
        Value::Null => Ok("".into()),
        Value::String(text) => Ok(text.into()),
        Value::Bool(_) | Value::Number(_) => Ok(value.to_string().into()),
        Value::Array(_) | Value::Object(_) => {
            Err(ConfigError::invalid(key, "expected a text or a list of texts"))
        }
    }
}

/// Routes, services and prefixes without the empty ones, which name nothing.
fn named(mut names: Vec<Box<str>>) -> Names {
    names.retain(|name| !name.is_empty());
    sorted(names)
}

fn sorted<T: Ord>(mut items: Vec<T>) -> Box<[T]> {
    items.sort_unstable();
    items.dedup();
    items.into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn taken(rule: Value) -> Result<Condition, ConfigError> {
        let Value::Object(mut rule) = rule else { panic!("{rule}") };
        let condition = Condition::take(&mut rule)?;
        assert!(rule.keys().all(|key| !key.starts_with("_match_")), "{rule:?}");
        Ok(condition)
    }

    fn names(names: &[&str]) -> Names {
        names.iter().map(|name| Box::from(*name)).collect()
    }

    #[test]
    fn categories_have_an_order() {
        let all = json!({
            "_match_route_": ["r"], "_match_domain_": ["d"], "_match_service_": ["s"],
            "_match_route_prefix_": ["p"],
        });
        let without = |keys: &[&str]| {
            let Value::Object(mut rule) = all.clone() else { panic!() };
            rule.retain(|key, _| !keys.contains(&key.as_str()));
            taken(Value::Object(rule))
        };
        let (r, s, p) = (names(&["r"]), names(&["s"]), names(&["p"]));
        let d: Box<[HostPattern]> = Box::new([HostPattern::Exact("d".into())]);
        assert_eq!(without(&[]).unwrap(), Condition::RouteAndService(r.clone(), s.clone()));
        assert_eq!(without(&[SERVICE]).unwrap(), Condition::Route(r));
        assert_eq!(without(&[ROUTE]).unwrap(), Condition::Host(d));
        assert_eq!(without(&[ROUTE, DOMAIN]).unwrap(), Condition::Service(s));
        assert_eq!(without(&[ROUTE, DOMAIN, SERVICE]).unwrap(), Condition::RoutePrefix(p));
        let error = without(&[ROUTE, DOMAIN, SERVICE, ROUTE_PREFIX]).unwrap_err();
        assert!(error.to_string().starts_with("the rule matches nothing"), "{error}");
    }

    #[test]
    fn empty_names_count_only_as_hosts() {
        for key in [ROUTE, SERVICE, ROUTE_PREFIX] {
            assert!(taken(json!({ key: ["", ""] })).is_err(), "{key}");
            assert!(taken(json!({ key: "" })).is_err(), "{key}");
            assert!(taken(json!({ key: [null] })).is_err(), "{key}");
        }
        let nobody = Condition::Host(Box::new([HostPattern::Exact("".into())]));
        assert_eq!(taken(json!({ DOMAIN: [""] })).unwrap(), nobody);
        assert_eq!(taken(json!({ ROUTE: [""], DOMAIN: "" })).unwrap(), nobody);
        assert_eq!(taken(json!({ ROUTE: ["", "a"] })).unwrap(), Condition::Route(names(&["a"])));
        assert!(taken(json!({ DOMAIN: [] })).is_err());
        assert!(taken(json!({ DOMAIN: null })).is_err());
    }

    #[test]
    fn a_single_value_stands_for_a_list() {
        assert_eq!(taken(json!({ ROUTE: "a" })).unwrap(), Condition::Route(names(&["a"])));
        assert_eq!(taken(json!({ SERVICE: 80 })).unwrap(), Condition::Service(names(&["80"])));
        assert_eq!(
            taken(json!({ SERVICE: [true] })).unwrap(),
            Condition::Service(names(&["true"]))
        );
        for wrong in [json!({ ROUTE: { "a": 1 } }), json!({ ROUTE: [["a"]] })] {
            assert_eq!(taken(wrong).unwrap_err().field(), ROUTE);
        }
    }

    #[test]
    fn order_and_repetition_do_not_change_the_identity() {
        let one = taken(json!({ ROUTE: ["b", "a", "b"] })).unwrap();
        assert_eq!(one, taken(json!({ ROUTE: ["a", "b"], DOMAIN: "ignored" })).unwrap());
        assert_ne!(one, taken(json!({ ROUTE_PREFIX: ["a", "b"] })).unwrap());
        let hosts = taken(json!({ DOMAIN: ["*a", "b*"] })).unwrap();
        assert_eq!(hosts, taken(json!({ DOMAIN: ["b*", "*a"] })).unwrap());
        assert_ne!(hosts, taken(json!({ DOMAIN: ["a*", "b*"] })).unwrap());
    }
}
