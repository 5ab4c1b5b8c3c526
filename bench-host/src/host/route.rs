//! The route of a stream, and the cluster that it leads to.

use super::Host;
use super::abi::MapKind;
use crate::upstream::UpstreamHost;

impl Host {
    /// The proxy looks for the stream's route anew, unless the plugin has told it to keep the one
    /// that it has (Higress).
    pub(super) fn clear_route(&mut self) {
        if let Some(stream) = self.stream().filter(|stream| !stream.keeps_route) {
            stream.route_clears = stream.route_clears.saturating_add(1);
        }
    }

    /// A plugin has changed a map: with other request headers, the route may be another one
    /// (`onHeadersModified` in Envoy's wasm filter).
    pub(super) fn headers_changed(&mut self, kind: MapKind) {
        if kind == MapKind::RequestHeaders {
            self.clear_route();
        }
    }

    /// Addresses of the route's cluster, and how its hosts are (Higress).
    pub(super) fn upstream_hosts(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let cluster = self.settings.cluster_name.as_bytes();
        let upstreams = self.upstreams();
        let hosts = upstreams.hosts(cluster).iter();
        let pair =
            |host: &UpstreamHost| (host.address.clone().into_bytes(), host.details().into_bytes());
        hosts.map(pair).collect()
    }
}
