//! How a plugin gets its rules from its configuration.

use std::borrow::Cow;
use std::rc::Rc;

use serde::de::DeserializeOwned;

use super::{Document, Rules, Section};
use crate::config::{Config, ConfigError};

impl<'a> Config<'a> {
    /// The configuration as settings by host, route and service; see [`rules`](crate::rules).
    ///
    /// Every rule is a `T` of its own, and so is the global part: neither completes the other.
    ///
    /// ```no_run
    /// # use chunkwise::{Config, ConfigError, rules::Rules};
    /// #[derive(serde::Deserialize)]
    /// #[serde(deny_unknown_fields)]
    /// struct Settings {
    ///     limit: u32,
    /// }
    /// # fn configure(config: &Config<'_>) -> Result<(), ConfigError> {
    /// let rules: Rules<Settings> = config.rules()?; // "_rules_[2].limit: invalid type: string …"
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Cost
    /// One host call; the document becomes a tree for as long as this runs.
    ///
    /// # Errors
    /// [`ConfigError`] where one rule is wrong; see [`Document::rules_with`].
    pub fn rules<T: DeserializeOwned>(&self) -> Result<Rules<T>, ConfigError> {
        self.rules_with(plain)
    }

    /// The same with rules that are read on top of the global settings, as `read` says.
    ///
    /// `read` is called for the global part first, with `None`, and then for every rule, with the
    /// global settings, or `None` when there are none (or they were wrong).
    ///
    /// ```no_run
    /// # use chunkwise::{Config, ConfigError, rules::Rules};
    /// #[derive(serde::Deserialize)]
    /// struct Settings {
    ///     header: Option<String>,
    ///     limit: Option<u32>,
    /// }
    /// # fn configure(config: &Config<'_>) -> Result<(), ConfigError> {
    /// let rules = config.rules_with(|global: Option<&Settings>, section| {
    ///     let own: Settings = section.parse()?;
    ///     Ok(Settings {
    ///         header: own.header.or_else(|| global?.header.clone()),
    ///         limit: own.limit.or_else(|| global?.limit),
    ///     })
    /// })?;
    /// # let _: Rules<Settings> = rules;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Cost
    /// As for [`rules`](Self::rules).
    ///
    /// # Errors
    /// As for [`rules`](Self::rules), and what `read` returns, with the rule's place in front of
    /// its field.
    pub fn rules_with<T>(
        &self,
        read: impl FnMut(Option<&T>, Section<'_>) -> Result<T, ConfigError>,
    ) -> Result<Rules<T>, ConfigError> {
        Document::new(self.bytes()?)?.rules_with(read).inspect(report)
    }

    /// Keeps the other rules when one is wrong; see [isolation](crate::rules#isolation).
    ///
    /// ```no_run
    /// # use chunkwise::{Config, ConfigError, rules::Rules};
    /// # fn configure(config: &Config<'_>) -> Result<(), ConfigError> {
    /// let rules: Rules<u32> = config.isolated().rules()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn isolated(&self) -> Isolated<'_> {
        Isolated { config: self }
    }
}

/// A configuration in which a wrong rule does no harm to the others; see
/// [`Config::isolated`](crate::Config::isolated).
#[derive(Clone, Copy, Debug)]
pub struct Isolated<'a> {
    config: &'a Config<'a>,
}

impl Isolated<'_> {
    /// The configuration as settings by host, route and service.
    ///
    /// # Cost
    /// As for [`Config::rules`], and one host call more for a configuration without `_plugin_id_`.
    /// The settings of all rules are kept as trees until the next configuration.
    ///
    /// # Errors
    /// [`ConfigError`] where all rules are wrong, or one matches nothing; see
    /// [`Document::rules_with`].
    pub fn rules<T: DeserializeOwned>(&self) -> Result<Rules<T>, ConfigError> {
        self.rules_with(plain)
    }

    /// The same with rules that are read on top of the global settings; see
    /// [`Config::rules_with`].
    ///
    /// # Cost
    /// As for [`rules`](Self::rules).
    ///
    /// # Errors
    /// As for [`rules`](Self::rules).
    pub fn rules_with<T>(
        &self,
        read: impl FnMut(Option<&T>, Section<'_>) -> Result<T, ConfigError>,
    ) -> Result<Rules<T>, ConfigError> {
        let document = Document::new(self.config.bytes()?)?;
        let plugin = match document.plugin_id() {
            Some(id) if !id.is_empty() => Cow::Borrowed(id),
            _ => String::from_utf8_lossy(self.config.plugin_name().unwrap_or_default()),
        }
        .into_owned();
        let document = document.isolated_for(Rc::clone(self.config.last_good()), &plugin);
        document.rules_with(read).inspect(report)
    }
}

/// Reads a section by itself.
fn plain<T: DeserializeOwned>(_: Option<&T>, section: Section<'_>) -> Result<T, ConfigError> {
    section.parse()
}

/// Logs what the configuration's writer has to know although the rules are in force.
fn report<T>(rules: &Rules<T>) {
    if let Some(error) = rules.global_error() {
        crate::warn!("the global settings are wrong and count for no request: {error}");
    }
    for refused in rules.refused() {
        crate::warn!("{refused}");
    }
}
