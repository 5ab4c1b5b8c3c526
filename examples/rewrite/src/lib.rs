//! Rewrites paths by templates, on the route that was chosen by the path before.
//!
//! A proxy chooses the route again when a plugin changes a request header, and would then look for
//! one that fits the new path. Higress lets a plugin keep it.

#![deny(unsafe_code)]

mod rule;

use chunkwise::http::{HeadersAction, RequestHeaders};
use chunkwise::{Config, ConfigError, Filter, Plugin, Result};
use serde::Deserialize;

use rule::Rule;

chunkwise::plugin!(Rewrite);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    rules: Vec<Rule>,
    #[serde(default = "yes")]
    keep_route: bool,
}

fn yes() -> bool {
    true
}

/// The plugin with its configuration.
#[derive(Debug)]
pub struct Rewrite {
    rules: Vec<Rule>,
    keep_route: bool,
}

impl Plugin for Rewrite {
    type Filter = RewriteFilter;

    fn configure(config: &Config<'_>) -> Result<Self, ConfigError> {
        let Settings { rules, keep_route } = config.parse()?;
        for (index, rule) in rules.iter().enumerate() {
            rule.check().map_err(|(key, reason)| {
                ConfigError::invalid(format!("rules[{index}].{key}"), reason)
            })?;
        }
        Ok(Self { rules, keep_route })
    }

    fn filter(&self) -> RewriteFilter {
        RewriteFilter
    }
}

/// A stream has no state: all is done with its request headers.
#[derive(Debug)]
pub struct RewriteFilter;

impl Filter<Rewrite> for RewriteFilter {
    fn request_headers(
        &mut self,
        plugin: &Rewrite,
        headers: &RequestHeaders<'_>,
    ) -> Result<HeadersAction> {
        // A CONNECT may have none.
        let Some(path) = headers.get(":path")? else { return Ok(HeadersAction::Detach) };
        if let Some(rewritten) = plugin.rules.iter().find_map(|rule| rule.rewrite(path)) {
            if plugin.keep_route {
                // Before the first change; where the host cannot, the new path chooses the route.
                headers.where_possible(headers.keep_route())?;
            }
            // Where Envoy itself says what a path was before its own rewriting.
            headers.set("x-envoy-original-path", path)?;
            headers.set(":path", rewritten)?;
        }
        Ok(HeadersAction::Detach)
    }
}
