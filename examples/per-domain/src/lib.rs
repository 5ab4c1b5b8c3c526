//! Sets and removes headers by host, route and service.
//!
//! One configuration has settings for all requests and rules for some of them. A rule stands on the
//! settings for all, and a rule that is wrong does no harm to the others.

#![deny(unsafe_code)]

use std::collections::BTreeMap;
use std::rc::Rc;

use chunkwise::http::{
    HeaderName, HeaderValue, Headers, HeadersAction, RequestHeaders, ResponseHeaders,
};
use chunkwise::rules::{Rules, Section};
use chunkwise::{Config, ConfigError, Filter, Plugin, Result};
use serde::Deserialize;

chunkwise::plugin!(PerDomain);

/// The headers to be set, or to be removed where there is no value.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
struct Edits(BTreeMap<HeaderName, Option<HeaderValue>>);

/// What the global part and every rule may say.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {
    #[serde(default)]
    request: Edits,
    #[serde(default)]
    response: Edits,
    /// Whether a rule keeps those global edits whose headers it does not name.
    #[serde(default = "yes")]
    inherit: bool,
}

fn yes() -> bool {
    true
}

/// What is done to a request and its response.
#[derive(Debug)]
struct Settings {
    request: Edits,
    response: Edits,
}

/// The plugin with its configuration.
#[derive(Debug)]
pub struct PerDomain {
    rules: Rules<Settings>,
}

impl Plugin for PerDomain {
    type Filter = PerDomainFilter;

    fn configure(config: &Config<'_>) -> Result<Self, ConfigError> {
        Ok(Self { rules: config.isolated().rules_with(Settings::read)? })
    }

    fn filter(&self) -> PerDomainFilter {
        PerDomainFilter { settings: None }
    }
}

impl Settings {
    /// Reads one part of the configuration on top of the global one.
    fn read(global: Option<&Self>, section: Section<'_>) -> Result<Self, ConfigError> {
        let own: Own = section.parse()?;
        let global = global.filter(|_| own.inherit);
        Ok(Self {
            request: own.request.on_top_of(global.map(|global| &global.request)),
            response: own.response.on_top_of(global.map(|global| &global.response)),
        })
    }
}

impl Edits {
    fn on_top_of(self, global: Option<&Self>) -> Self {
        let mut edits = global.cloned().unwrap_or_default();
        edits.0.extend(self.0);
        edits
    }

    fn apply(&self, headers: &Headers<'_>) -> Result<()> {
        self.0.iter().try_for_each(|(name, value)| match value {
            Some(value) => headers.set(name.as_str(), value),
            None => headers.remove(name.as_str()),
        })
    }
}

/// One stream; `None` until its rule is known, and where nothing is to be done.
#[derive(Debug)]
pub struct PerDomainFilter {
    settings: Option<Rc<Settings>>,
}

impl Filter<PerDomain> for PerDomainFilter {
    fn request_headers(
        &mut self,
        plugin: &PerDomain,
        headers: &RequestHeaders<'_>,
    ) -> Result<HeadersAction> {
        let Some(settings) = plugin.rules.find(headers)? else { return Ok(HeadersAction::Detach) };
        settings.request.apply(headers)?;
        if settings.response.0.is_empty() {
            return Ok(HeadersAction::Detach);
        }
        self.settings = Some(Rc::clone(settings));
        Ok(HeadersAction::Continue)
    }

    fn response_headers(
        &mut self,
        _: &PerDomain,
        headers: &ResponseHeaders<'_>,
    ) -> Result<HeadersAction> {
        if let Some(settings) = &self.settings {
            settings.response.apply(headers)?;
        }
        Ok(HeadersAction::Detach)
    }
}
