//! The configuration of a plugin, typed.

use std::fmt;
use std::rc::Rc;

use serde::de::DeserializeOwned;

use crate::abi::{Buffer, host};
use crate::error::Error;
use crate::memory::Scope;
use crate::rules::last_good::LastGood;

/// The configuration that the proxy holds for a plugin, fetched when it is asked for.
#[derive(Debug)]
pub struct Config<'a> {
    scope: &'a Scope<'a>,
    size: usize,
    last_good: &'a Rc<LastGood>,
}

impl<'a> Config<'a> {
    pub(crate) fn new(scope: &'a Scope<'a>, size: usize, last_good: &'a Rc<LastGood>) -> Self {
        Self { scope, size, last_good }
    }

    /// The rules that the VM keeps.
    pub(crate) fn last_good(&self) -> &'a Rc<LastGood> {
        self.last_good
    }

    /// Length in bytes; free.
    pub fn len(&self) -> usize {
        self.size
    }

    /// Whether there is no configuration; free.
    pub fn is_empty(&self) -> bool {
        self.size == 0
    }

    /// The configuration as the proxy was given it.
    ///
    /// # Cost
    /// One host call; the bytes lie in the arena.
    ///
    /// # Errors
    /// [`ConfigError`] when the host does not hand it out.
    pub fn bytes(&self) -> Result<&'a [u8], ConfigError> {
        if self.is_empty() {
            return Ok(&[]);
        }
        Ok(host::whole_buffer(self.scope, Buffer::PluginConfiguration)?)
    }

    /// The configuration of the VM, which all plugins in it share; empty where the proxy has none.
    ///
    /// # Cost
    /// One host call; the bytes lie in the arena.
    ///
    /// # Errors
    /// [`ConfigError`] when the host does not hand it out.
    pub fn vm_bytes(&self) -> Result<&'a [u8], ConfigError> {
        Ok(host::whole_buffer(self.scope, Buffer::VmConfiguration)?)
    }

    /// What the proxy calls the plugin, where it says so. One host call.
    pub(crate) fn plugin_name(&self) -> Option<&'a [u8]> {
        // A host that refuses to tell is like one that does not know.
        host::property(self.scope, "plugin_name").ok().flatten()
    }

    /// The configuration as a JSON document of type `T`. An empty configuration is read as `{}`,
    /// so that a type whose fields all have defaults needs none.
    ///
    /// ```no_run
    /// # use chunkwise::{Config, ConfigError};
    /// #[derive(serde::Deserialize)]
    /// #[serde(deny_unknown_fields)]
    /// struct Settings {
    ///     limit: u32,
    /// }
    /// # fn configure(config: &Config<'_>) -> Result<(), ConfigError> {
    /// let settings: Settings = config.parse()?; // "limit: invalid type: string …"
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ConfigError`] names the field, the line and the column.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        let bytes = self.bytes()?;
        let mut json =
            serde_json::Deserializer::from_slice(if bytes.is_empty() { b"{}" } else { bytes });
        let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
            let field = error.path().to_string();
            ConfigError::json(field, &error.into_inner())
        })?;
        json.end().map_err(|error| ConfigError::json(String::new(), &error))?;
        Ok(value)
    }
}

/// Why a configuration is refused. Whoever wrote the configuration is to mend it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    field: String,
    reason: String,
}

impl ConfigError {
    /// A value that has the right type and is still wrong, such as an empty list.
    ///
    /// `field` is its path: `rules[0].find`.
    pub fn invalid(field: impl Into<String>, reason: impl fmt::Display) -> Self {
        Self { field: field.into(), reason: reason.to_string() }
    }

    /// The path of the field, empty when the document as a whole is wrong.
    pub fn field(&self) -> &str {
        &self.field
    }

    pub(crate) fn reason(&self) -> &str {
        &self.reason
    }

    /// The same error in a document of which this one is a part, at `place`.
    pub(crate) fn under(self, place: &str) -> Self {
        let dot = if self.field.is_empty() || self.field.starts_with('[') { "" } else { "." };
        Self { field: format!("{place}{dot}{}", self.field), reason: self.reason }
    }

    pub(crate) fn json(field: String, error: &serde_json::Error) -> Self {
        // serde_path_to_error calls the document itself ".".
        let field = if field == "." { String::new() } else { field };
        Self { field, reason: error.to_string() }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.reason)
    }
}

impl std::error::Error for ConfigError {}

impl From<Error> for ConfigError {
    fn from(error: Error) -> Self {
        Self { field: String::new(), reason: error.to_string() }
    }
}
