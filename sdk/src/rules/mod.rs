//! Settings that differ by host, route or service.
//!
//! A control plane such as Higress's gives a plugin one configuration for all of its traffic: global
//! settings, and a list of rules with settings of their own for some of the requests.
//!
//! ```json
//! {
//!     "limit": 10,
//!     "_rules_": [
//!         { "limit": 20, "_match_route_": ["default/checkout"] },
//!         { "limit": 30, "_match_domain_": ["*.example.com"] }
//!     ]
//! }
//! ```
//!
//! A plugin reads it with [`Config::rules`], and asks for its settings once a stream:
//!
//! ```no_run
//! use std::rc::Rc;
//!
//! use chunkwise::http::{HeadersAction, RequestHeaders};
//! use chunkwise::rules::Rules;
//! use chunkwise::{Config, ConfigError, Filter, Plugin};
//!
//! #[derive(serde::Deserialize)]
//! #[serde(deny_unknown_fields)]
//! struct Settings {
//!     limit: u32,
//! }
//!
//! struct Limiter {
//!     rules: Rules<Settings>,
//! }
//!
//! impl Plugin for Limiter {
//!     type Filter = Limited;
//!
//!     fn configure(config: &Config<'_>) -> Result<Self, ConfigError> {
//!         Ok(Self { rules: config.rules()? })
//!     }
//!
//!     fn filter(&self) -> Limited {
//!         Limited { settings: None }
//!     }
//! }
//!
//! struct Limited {
//!     settings: Option<Rc<Settings>>,
//! }
//!
//! impl Filter<Limiter> for Limited {
//!     fn request_headers(
//!         &mut self,
//!         plugin: &Limiter,
//!         headers: &RequestHeaders<'_>,
//!     ) -> chunkwise::Result<HeadersAction> {
//!         self.settings = plugin.rules.find(headers)?.cloned();
//!         Ok(HeadersAction::Continue)
//!     }
//! }
//! ```
//!
//! # Matching
//! The first rule that matches counts, whatever it matches by; then the global settings; then none,
//! and the plugin should let the request pass. What the keys mean:
//!
//! | key of a rule | matches |
//! |---|---|
//! | `_match_route_` | the route's name |
//! | `_match_route_` and `_match_service_` | both |
//! | `_match_domain_` | the host without its port: `*x` by its end, `x*` by its beginning, others as they are; upper case counts |
//! | `_match_service_` | the service's name, or `name:port` |
//! | `_match_route_prefix_` | the beginning of the route's name |
//!
//! A rule with several keys matches by the first of them in this table; the others mean nothing.
//! One value may stand for a list of one. Empty names are skipped, but an empty domain is a host
//! without letters. A port in a domain is part of its name, so that such a domain matches nothing.
//! A request without `:authority` has no host, and no domain matches it, not even `*`.
//!
//! # Isolation
//! [`Config::rules`] refuses the configuration when one rule is wrong: the proxy goes on with the
//! one that it has. With [`Config::isolated`] a wrong rule is logged and only that rule stays as it
//! was, or is left out when it is new; the others apply. Rules are the same one when they are for
//! the same requests, wherever they stand and whatever their settings are.
//!
//! The last good rules are kept for the VM, by the plugin's `_plugin_id_` (or else its name in the
//! proxy), so they survive a new configuration and are lost with the VM. What the newest
//! configuration does not name is forgotten, so no more are kept than it has rules. A proxy that
//! tries a configuration in a fresh VM first, as Envoy does, has none there: it refuses one all of
//! whose rules are wrong, even where the VMs in use have last good ones.
//!
//! A rule without any match key is for nobody knows whom, and refuses the configuration even then.
//! So does a configuration all of whose rules are wrong and have no last good version.
//!
//! # Differences from Higress's Go SDK
//! - `_rules_`, `_plugin_id_` and the match keys are taken out before settings are read, so
//!   `deny_unknown_fields` finds typing errors.
//! - Errors name the rule: `_rules_[2].limit`. Global settings that are wrong beside rules are no
//!   error here as there, but are logged.
//! - Reading on top of global settings that are missing or wrong is told so ([`None`]) and does not
//!   get empty settings.
//! - A match key that holds lists of lists or objects refuses the configuration.
//! - A request without `:authority` may still match by route or service, or the global settings.
//! - Plugins of one VM do not get each other's last good rules; rules of a refused configuration
//!   never become last good ones, and those that are not named any more are forgotten.
//! - An empty configuration is read as `{}`, without a warning.
//!
//! [`Config::rules`]: crate::Config::rules
//! [`Config::isolated`]: crate::Config::isolated

mod condition;
mod config;
mod document;
mod host_pattern;
pub(crate) mod last_good;
pub(crate) mod lookup;
mod matching;
mod reading;
mod refused;
mod section;
mod subject;

pub use config::Isolated;
pub use document::Document;
pub use matching::Rules;
pub use refused::Refused;
pub use section::Section;
pub use subject::Target;

/// The examples of the guide are tested like all others.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/rules.md")]
struct Guide;
