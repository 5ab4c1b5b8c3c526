//! What a host calls the route of a request, and the cluster that the route leads to.

use super::Vm;
use crate::abi::host;

/// Under which properties a host knows them.
///
/// Envoy up to 1.35 and Higress have single names for them (`PropertyToken` in Envoy's
/// `wasm/context.cc`), whose values have fallbacks that the group `xds` lacks; Envoy from 1.36 on
/// has the group alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Naming {
    /// `route_name` and `cluster_name`.
    Plain,
    /// `xds.route_name` and `xds.cluster_name`.
    Xds,
}

impl Naming {
    /// The property of the route's name, its segments separated by NUL.
    pub const fn route(self) -> &'static str {
        match self {
            Self::Plain => "route_name",
            Self::Xds => "xds\0route_name",
        }
    }

    /// The property of the cluster's name.
    pub const fn cluster(self) -> &'static str {
        match self {
            Self::Plain => "cluster_name",
            Self::Xds => "xds\0cluster_name",
        }
    }
}

impl Vm {
    /// Which names the host has: known for the VM after one host call, or two. `None` where it says
    /// nothing of either, as any may outside of a stream, and others than Envoy always.
    ///
    /// What a request has may be missing for its own sake, so the host is asked for what every
    /// request has.
    pub fn naming(&self) -> Option<Naming> {
        self.naming.get().or_else(|| self.learn_naming())
    }

    #[cold]
    fn learn_naming(&self) -> Option<Naming> {
        let knows =
            |path| host::property(&self.arena.scope(), path).is_ok_and(|value| value.is_some());
        let naming = if knows("listener_direction") {
            Some(Naming::Plain)
        } else {
            knows("xds\0listener_direction").then_some(Naming::Xds)
        };
        self.naming.set(naming);
        naming
    }
}
