//! Which proxy the host is.

use super::log::Level;

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
    /// Whether a header that is not there reads as an empty one instead of "not found"; decided by
    /// the ABI that the plugin declares.
    pub absent_header_is_empty: bool,
    /// The plugin's name, as properties and details of local replies show it.
    pub plugin_name: String,
}

impl Settings {
    /// The defaults of a profile.
    pub fn new(profile: Profile) -> Self {
        Self {
            profile,
            buffer_limit: None,
            log_level: Level::Warn,
            stop_is_stop_all: true,
            absent_header_is_empty: false,
            plugin_name: "plugin".to_owned(),
        }
    }

    /// What an HTTP/1 stream may hold, which is what the operator's setting is named after.
    pub fn http1_buffer_limit(&self) -> usize {
        self.buffer_limit.unwrap_or(self.profile.buffer_limit(false))
    }

    /// Reads header statuses as the real proxies do for a module of this ABI: from 0.2.100 on,
    /// `StopIteration` is what it says. And answers for a header that is not there as Envoy does
    /// (`Context::getHeaderMapValue`): up to 0.1.0, it is empty.
    #[cfg(feature = "wasm")]
    pub fn adapt_to(&mut self, abi: Option<crate::module::AbiVersion>) {
        self.stop_is_stop_all = abi != Some(crate::module::AbiVersion::V0_2_100);
        self.absent_header_is_empty = abi == Some(crate::module::AbiVersion::V0_1_0);
    }
}
