//! Which proxy the host is.

use super::log::{Level, Log};

/// The proxy that is imitated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Stock Envoy.
    Envoy,
    /// Higress, which adds ABI 0.2.100.
    Higress,
}

impl Profile {
    /// The name on the command line and in results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Envoy => "envoy",
            Self::Higress => "higress",
        }
    }

    /// Bytes that one direction of a stream may hold by default.
    ///
    /// Envoy's default for `per_connection_buffer_limit_bytes` is 1 MiB. Higress sets 32 KiB for
    /// HTTP/1; on HTTP/2 its limit is the initial window of a stream, 65 535 bytes.
    pub const fn buffer_limit(self, http2: bool) -> usize {
        match self {
            Self::Envoy => 1024 * 1024,
            Self::Higress if http2 => 65_535,
            Self::Higress => 32 * 1024,
        }
    }
}

/// What a proxy's operator configures.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which proxy.
    pub profile: Profile,
    /// Bytes that one direction of a stream may hold; `None` is the profile's default.
    pub buffer_limit: Option<usize>,
    /// Lines below this level are dropped.
    pub log_level: Level,
    /// Whether `StopIteration` of a header callback means "stop everything"; decided by the ABI
    /// that the plugin declares.
    pub stop_is_stop_all: bool,
    /// The plugin's name, as properties and details of local replies show it.
    pub plugin_name: String,
    /// Variables of the plugin's environment, which WASI gives it (`environment_variables` of the
    /// VM's configuration).
    pub environment: Vec<(String, String)>,
    /// Log lines that are kept; those beyond are counted.
    pub log_lines: usize,
    /// Bytes of a log line that are kept.
    pub log_line_bytes: usize,
}

impl Settings {
    /// The plugin's name where nobody chose one.
    pub const PLUGIN_NAME: &str = "plugin";

    /// The defaults of a profile.
    pub fn new(profile: Profile) -> Self {
        Self {
            profile,
            buffer_limit: None,
            log_level: Level::Warn,
            stop_is_stop_all: true,
            plugin_name: Self::PLUGIN_NAME.to_owned(),
            environment: Vec::new(),
            log_lines: Log::KEPT_LINES,
            log_line_bytes: Log::KEPT_BYTES,
        }
    }

    /// What an HTTP/1 stream may hold, which is what the operator's setting is named after.
    pub fn http1_buffer_limit(&self) -> usize {
        self.buffer_limit.unwrap_or(self.profile.buffer_limit(false))
    }

    /// Reads header statuses as the real proxies do for a module of this ABI: from 0.2.100 on,
    /// `StopIteration` is what it says.
    #[cfg(feature = "wasm")]
    pub fn adapt_to(&mut self, abi: Option<crate::module::AbiVersion>) {
        self.stop_is_stop_all = abi != Some(crate::module::AbiVersion::V0_2_100);
    }
}
