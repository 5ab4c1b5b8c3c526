//! The configuration, and the metrics that it defines.

use chunkwise::metrics::{Counter, Histogram};
use chunkwise::{Config, ConfigError};
use serde::Deserialize;

use crate::usage::Usage;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    #[serde(default)]
    models: Vec<String>,
    #[serde(default)]
    trace: bool,
    #[serde(default = "one_mebibyte")]
    max_bytes: usize,
}

fn one_mebibyte() -> usize {
    1024 * 1024
}

/// What is published, and how much is kept of an answer.
#[derive(Debug)]
pub struct Counting {
    /// Beginnings of models' names; the longest that fits counts.
    models: Vec<(String, Tokens)>,
    other: Tokens,
    pub first_token: Histogram,
    pub duration: Histogram,
    pub trace: bool,
    pub max_bytes: usize,
}

#[derive(Debug)]
struct Tokens {
    input: Counter,
    output: Counter,
}

/// Most that may be kept of an answer: many come at once, and a module has 4 GiB at best.
const MOST_BYTES: usize = 64 * 1024 * 1024;

/// Most models that have counters of their own: proxies keep metrics for ever.
const MOST_MODELS: usize = 100;

impl Counting {
    pub fn read(config: &Config<'_>) -> Result<Self, ConfigError> {
        let Settings { models, trace, max_bytes } = config.parse()?;
        if models.len() > MOST_MODELS {
            let problem = format!("more than {MOST_MODELS} would be more than a proxy should keep");
            return Err(ConfigError::invalid("models", problem));
        }
        if let Some(place) = models.iter().position(|model| model.is_empty()) {
            return Err(ConfigError::invalid(format!("models[{place}]"), "is empty"));
        }
        if max_bytes > MOST_BYTES {
            return Err(ConfigError::invalid("max_bytes", format!("at most {MOST_BYTES}")));
        }
        let tokens = |model: String| Ok::<_, ConfigError>((Tokens::define(&model)?, model));
        let models = models.into_iter().map(tokens).map(|known| known.map(|(a, b)| (b, a)));
        Ok(Self {
            models: models.collect::<Result<_, _>>()?,
            other: Tokens::define("other")?,
            first_token: Histogram::define("token_count.first_token_ms")?,
            duration: Histogram::define("token_count.duration_ms")?,
            trace,
            max_bytes,
        })
    }

    /// Adds what an answer has cost to the counters of its model. Up to two host calls.
    pub fn count(&self, usage: &Usage) -> chunkwise::Result<()> {
        let name = usage.model.as_deref().unwrap_or_default();
        let known = self.models.iter().filter(|(model, _)| name.starts_with(&**model));
        let known = known.max_by_key(|(model, _)| model.len());
        let tokens = known.map_or(&self.other, |(_, tokens)| tokens);
        tokens.input.add(usage.input.unwrap_or_default())?;
        tokens.output.add(usage.output.unwrap_or_default())
    }
}

impl Tokens {
    /// Letters, digits and `-` stay; everything else is `_`, for a point would be another level.
    fn define(model: &str) -> chunkwise::Result<Self> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let name: String = model.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
        Ok(Self {
            input: Counter::define(&format!("token_count.{name}.input"))?,
            output: Counter::define(&format!("token_count.{name}.output"))?,
        })
    }
}
