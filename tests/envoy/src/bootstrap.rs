//! Bootstraps as users have them, with the ports of a test.

use std::path::Path;
use std::{fs, io};

use chunkwise_tests::root;

/// The text of a bootstrap.
#[derive(Clone, Debug)]
pub struct Bootstrap(String);

/// Why a bootstrap is not what a test needs.
#[derive(Debug, thiserror::Error)]
pub enum BootstrapError {
    /// It cannot be read.
    #[error("cannot read {path}: {error}")]
    Read { path: String, error: io::Error },
    /// What a test wants to change is not in there.
    #[error("there is no `{0}` in the bootstrap")]
    Absent(String),
}

/// The ports that the bootstraps of `examples/` name.
pub mod ports {
    /// Where Envoy listens.
    pub const LISTENER: u16 = 10000;
    /// Envoy's admin interface.
    pub const ADMIN: u16 = 9901;
    /// What is behind the plugin.
    pub const UPSTREAM: u16 = 8080;
}

impl Bootstrap {
    /// The bootstrap of an example, which a user runs from the root of the checkout.
    ///
    /// # Errors
    /// [`BootstrapError::Read`].
    pub fn of_example(example: &str) -> Result<Self, BootstrapError> {
        Self::read(&root().join("examples").join(example).join("envoy.yaml"))
    }

    /// Reads one.
    ///
    /// # Errors
    /// [`BootstrapError::Read`].
    pub fn read(path: &Path) -> Result<Self, BootstrapError> {
        let text = fs::read_to_string(path)
            .map_err(|error| BootstrapError::Read { path: path.display().to_string(), error })?;
        Ok(Self(text))
    }

    /// One that a test wrote.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Puts a port in the place of another one; 0 lets the system choose.
    ///
    /// # Errors
    /// [`BootstrapError::Absent`].
    pub fn port(self, written: u16, port: u16) -> Result<Self, BootstrapError> {
        let key = format!("port_value: {written}");
        let mut text = String::with_capacity(self.0.len());
        let mut rest = self.0.as_str();
        while let Some(at) = rest.find(&key) {
            let (before, after) = (&rest[..at], &rest[at + key.len()..]);
            text.push_str(before);
            if after.starts_with(|next: char| next.is_ascii_digit()) {
                text.push_str(&key);
            } else {
                text.push_str("port_value: ");
                text.push_str(&port.to_string());
            }
            rest = after;
        }
        text.push_str(rest);
        if text == self.0 && written != port {
            return Err(BootstrapError::Absent(key));
        }
        Ok(Self(text))
    }

    /// Puts a text in the place of another one, wherever it is.
    ///
    /// # Errors
    /// [`BootstrapError::Absent`].
    pub fn replace(self, written: &str, text: &str) -> Result<Self, BootstrapError> {
        if !self.0.contains(written) {
            return Err(BootstrapError::Absent(written.to_owned()));
        }
        Ok(Self(self.0.replace(written, text)))
    }

    /// The name that the plugin goes by.
    pub fn plugin_name(&self) -> Option<String> {
        let (_, config) = self.0.split_once("              config:\n")?;
        let name = config.lines().find_map(|line| line.trim().strip_prefix("name: "))?;
        Some(name.trim_matches('"').to_owned())
    }

    /// Has the access log say which flags a response has.
    ///
    /// # Errors
    /// [`BootstrapError::Absent`] where there is no such log.
    pub fn with_flags(self) -> Result<Self, BootstrapError> {
        const LAST: &str = "                  duration_ms: \"%DURATION%\"\n";
        let flags = format!("{LAST}                  response_flags: \"%RESPONSE_FLAGS%\"\n");
        self.replace(LAST, &flags)
    }

    /// The clusters with the ports at which they are.
    pub fn clusters(&self) -> Vec<(String, u16)> {
        let mut clusters = Vec::new();
        let mut name = None;
        for line in self.0.lines().map(str::trim) {
            if let Some(written) = line.strip_prefix("cluster_name: ") {
                name = Some(written.trim_matches('"').to_owned());
            } else if let Some(port) = line.strip_prefix("port_value: ")
                && let Ok(port) = port.parse()
                && let Some(name) = name.take()
            {
                clusters.push((name, port));
            }
        }
        clusters
    }

    /// What Envoy will read.
    pub fn text(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_replaced_as_a_whole() {
        let written = "{port_value: 8080} {port_value: 80801}\nport_value: 8080";
        let changed = Bootstrap::new(written).port(8080, 1).unwrap();
        assert_eq!(changed.text(), "{port_value: 1} {port_value: 80801}\nport_value: 1");
    }

    #[test]
    fn clusters_are_those_with_a_port() {
        let written =
            "port_value: 1\ncluster_name: \"a|b\"\n  port_value: 2\ncluster_name: c\nport_value: 3";
        let clusters = Bootstrap::new(written).clusters();
        assert_eq!(clusters, [("a|b".to_owned(), 2), ("c".to_owned(), 3)]);
    }

    #[test]
    fn what_is_not_there_is_not_replaced_in_silence() {
        assert!(Bootstrap::new("port_value: 80801").port(8080, 1).is_err());
        assert!(Bootstrap::new("a").replace("b", "c").is_err());
    }
}
