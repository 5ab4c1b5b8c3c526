//! Which proxy the host is.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use serde::Deserialize;

use super::log::{Level, Log};
use super::quota::DEFAULT_QUOTA;

/// The proxy that is imitated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
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
    /// Over HTTP/1 it is `per_connection_buffer_limit_bytes`, over HTTP/2 the initial window of a
    /// stream. Envoy's defaults are 1 MiB and 16 MiB; Higress sets 32 KiB and 65 535 bytes.
    pub const fn buffer_limit(self, http2: bool) -> usize {
        match self {
            Self::Envoy if http2 => 16 * 1024 * 1024,
            Self::Envoy => 1024 * 1024,
            Self::Higress if http2 => 65_535,
            Self::Higress => 32 * 1024,
        }
    }
}

/// What becomes of streams when the plugin's VM has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailurePolicy {
    /// They are answered 503.
    FailClosed,
    /// They pass without the plugin.
    FailOpen,
    /// They are answered 503 until a new VM takes over, with the first stream that comes when the
    /// back-off of a second has passed. Higress replaces a VM with every policy.
    FailReload,
}

impl FailurePolicy {
    /// The name on the command line and in results: Envoy's, in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FailClosed => "fail-closed",
            Self::FailOpen => "fail-open",
            Self::FailReload => "fail-reload",
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
    /// `allow_on_headers_stop_iteration` of the plugin's configuration in Envoy (1.35 on, off by
    /// default): `StopIteration` of a header callback is what it says, whatever the ABI.
    pub allow_stop_iteration: bool,
    /// Whether a header that is not there reads as an empty one instead of "not found"; decided by
    /// the ABI that the plugin declares.
    pub absent_header_is_empty: bool,
    /// Whether the filter manager has `filter_manager_forward_added_data_on_continue`, which
    /// Envoy's 1.36 has since August 2026: without it, a frame is lost that a plugin lets pass
    /// right after a body that was held with `StopIterationAndBuffer` was resumed from another
    /// callback. `None` is what the profile has.
    pub forwards_added_data: Option<bool>,
    /// What becomes of streams when the VM has failed.
    pub failure_policy: FailurePolicy,
    /// The configuration of the VM.
    pub vm_configuration: Bytes,
    /// The plugin's name, as properties and details of local replies show it.
    pub plugin_name: String,
    /// Variables of the plugin's environment, which WASI gives it (`environment_variables` of the
    /// VM's configuration).
    pub environment: Vec<(String, String)>,
    /// Bytes that a VM may make the host keep.
    pub quota: u64,
    /// Log lines that are kept; those beyond are counted.
    pub log_lines: usize,
    /// Bytes of a log line that are kept.
    pub log_line_bytes: usize,
    /// The id of the plugin's root context.
    pub plugin_root_id: String,
    /// The id of the VM; VMs of the same id share data and queues.
    pub vm_id: String,
    /// The cluster that the route leads to.
    pub cluster_name: String,
    /// The route.
    pub route_name: String,
    /// The proxy's node.
    pub node: Node,
    /// Where requests come from.
    pub source: SocketAddr,
    /// Where the proxy takes them.
    pub destination: SocketAddr,
    /// The endpoint that gets them.
    pub upstream: SocketAddr,
    /// Values of properties by path, before anything that the host would answer. A path's segments
    /// are separated by NUL or by points.
    pub properties: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Only what `properties` gives is known, what the plugin has set, and the plugin itself
    /// (`plugin_name` and so on).
    pub only_given_properties: bool,
}

/// Who the proxy says that it is (`envoy.config.core.v3.Node`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Node {
    /// Its id.
    pub id: String,
    /// The cluster that it belongs to.
    pub cluster: String,
    /// Anything else, as its operator writes it.
    pub metadata: serde_json::Map<String, serde_json::Value>,
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
            allow_stop_iteration: false,
            forwards_added_data: None,
            absent_header_is_empty: false,
            failure_policy: FailurePolicy::FailClosed,
            vm_configuration: Bytes::new(),
            plugin_name: Self::PLUGIN_NAME.to_owned(),
            environment: Vec::new(),
            quota: DEFAULT_QUOTA,
            log_lines: Log::KEPT_LINES,
            log_line_bytes: Log::KEPT_BYTES,
            plugin_root_id: String::new(),
            vm_id: String::new(),
            cluster_name: "upstream".to_owned(),
            route_name: "default".to_owned(),
            node: Node {
                id: "bench-host".to_owned(),
                cluster: "bench-host".to_owned(),
                ..Node::default()
            },
            source: local(50_000),
            destination: local(10_000),
            upstream: local(8_080),
            properties: BTreeMap::new(),
            only_given_properties: false,
        }
    }

    /// What an HTTP/1 stream may hold, which is what the operator's setting is named after.
    pub fn http1_buffer_limit(&self) -> usize {
        self.buffer_limit.unwrap_or(self.profile.buffer_limit(false))
    }

    /// Whether `StopIteration` of a header callback is read as "stop everything".
    pub fn reads_stop_as_stop_all(&self) -> bool {
        self.stop_is_stop_all && !self.allow_stop_iteration
    }

    /// Whether the failure policy makes a fresh VM of one that has failed. Higress's way is another
    /// one, whatever the policy.
    pub fn reloads(&self) -> bool {
        self.profile == Profile::Envoy && self.failure_policy == FailurePolicy::FailReload
    }

    /// Whether frames that pass after a resumed body reach the upstream or the client.
    pub fn forwards_added_data(&self) -> bool {
        self.forwards_added_data.unwrap_or(self.profile == Profile::Envoy)
    }

    /// Does what the real proxies do differently for a module of this ABI: up to 0.2.1,
    /// `StopIteration` of a header callback stops everything (decided by the callback for request
    /// headers, so not in a module without one), and in 0.1.0 no header is missing.
    #[cfg(feature = "wasm")]
    pub fn adapt_to(&mut self, facts: &crate::module::Facts) {
        use crate::module::AbiVersion;

        let has_headers =
            facts.exports.iter().any(|export| export.name == "proxy_on_request_headers");
        self.stop_is_stop_all = facts.abi != Some(AbiVersion::V0_2_100) && has_headers;
        self.absent_header_is_empty = facts.abi == Some(AbiVersion::V0_1_0);
    }
}

fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}
