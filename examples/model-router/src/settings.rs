//! The configuration: where models are, and which errors have which status.

use std::collections::BTreeMap;

use chunkwise::http::Headers;
use chunkwise::{ConfigError, Result};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    #[serde(default = "x_model")]
    pub header: String,
    pub models: BTreeMap<String, Target>,
    pub default: Option<Target>,
    #[serde(default)]
    pub errors: BTreeMap<String, u16>,
    #[serde(default = "mebibyte")]
    pub max_bytes: u32,
}

impl Settings {
    pub fn check(&self) -> Result<(), ConfigError> {
        let is_name = |byte: u8| byte == b'-' || byte.is_ascii_lowercase() || byte.is_ascii_digit();
        if self.header.is_empty() || !self.header.bytes().all(is_name) {
            return Err(ConfigError::invalid("header", "it is no lower-case header name"));
        }
        for (model, target) in &self.models {
            target.check(&format!("models.{model}"))?;
        }
        self.default.iter().try_for_each(|target| target.check("default"))?;
        if let Some((code, _)) = self.errors.iter().find(|(_, s)| !(400..600).contains(*s)) {
            let reason = "it is no status of an error, from 400 to 599";
            return Err(ConfigError::invalid(format!("errors.{code}"), reason));
        }
        Ok(())
    }
}

fn x_model() -> String {
    "x-model".to_owned()
}

fn mebibyte() -> u32 {
    1024 * 1024
}

/// Where a model is: what the header says, and the path if it is another one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    pub value: String,
    pub path: Option<String>,
}

impl Target {
    fn check(&self, place: &str) -> Result<(), ConfigError> {
        let is_text = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        if self.value.is_empty() || !is_text(&self.value) {
            return Err(ConfigError::invalid(format!("{place}.value"), "it is no header value"));
        }
        if self.path.as_ref().is_some_and(|path| !path.starts_with('/') || !is_text(path)) {
            return Err(ConfigError::invalid(format!("{place}.path"), "it is no path"));
        }
        Ok(())
    }

    /// Changes the headers by which the proxy routes; a query stays.
    pub fn apply(&self, header: &str, headers: &Headers<'_>) -> Result<()> {
        headers.set(header, &self.value)?;
        if let Some(path) = &self.path {
            let before = headers.get(":path")?.unwrap_or_default();
            let query = before.iter().position(|byte| *byte == b'?').unwrap_or(before.len());
            headers.set(":path", [path.as_bytes(), &before[query..]].concat())?;
        }
        Ok(())
    }
}
