//! The configuration: where models are, and which errors have which status.

use std::collections::BTreeMap;

use chunkwise::http::{HeaderName, HeaderValue, Headers};
use chunkwise::{Config, ConfigError, Result};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The header by which the proxy routes.
    pub header: HeaderName,
    pub models: BTreeMap<String, Target>,
    /// Where models go that have no target of their own; without it they do not exist.
    pub default: Option<Target>,
    /// The status of errors by their code.
    #[serde(default)]
    pub errors: BTreeMap<String, u16>,
    /// Longest request.
    #[serde(default = "mebibyte")]
    pub max_bytes: u32,
}

fn mebibyte() -> u32 {
    1024 * 1024
}

/// Where a model is: what the header says, and the path if it is another one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    value: HeaderValue,
    path: Option<String>,
}

impl Settings {
    pub fn read(config: &Config<'_>) -> Result<Self, ConfigError> {
        let settings: Self = config.parse()?;
        for (model, target) in &settings.models {
            target.check(&format!("models.{model}"))?;
        }
        settings.default.iter().try_for_each(|target| target.check("default"))?;
        for (code, status) in &settings.errors {
            if !(400..600).contains(status) {
                let reason = "it is no status of an error, from 400 to 599";
                return Err(ConfigError::invalid(format!("errors.{code}"), reason));
            }
        }
        Ok(settings)
    }
}

impl Target {
    fn check(&self, place: &str) -> Result<(), ConfigError> {
        let is_path = |path: &str| {
            path.starts_with('/')
                && path.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#".contains(&byte))
        };
        match &self.path {
            Some(path) if !is_path(path) => {
                Err(ConfigError::invalid(format!("{place}.path"), "it is no path"))
            }
            _ => Ok(()),
        }
    }

    /// Changes the headers by which the proxy routes; a query stays.
    pub fn apply(&self, header: &HeaderName, headers: &Headers<'_>) -> Result<()> {
        headers.set(header.as_str(), &self.value)?;
        if let Some(path) = &self.path {
            let before = headers.get(":path")?.unwrap_or_default();
            let query = before.iter().position(|byte| *byte == b'?').unwrap_or(before.len());
            headers.set(":path", [path.as_bytes(), &before[query..]].concat())?;
        }
        Ok(())
    }
}
