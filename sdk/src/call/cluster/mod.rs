//! Clusters: the proxy's names for the services that can be called.

mod error;
mod fields;
mod kinds;
#[cfg(test)]
mod tests;

use serde::Deserialize;

pub use error::ClusterError;
use fields::Fields;
pub use kinds::{
    ConsulCluster, DnsCluster, FqdnCluster, K8sCluster, NacosCluster, RouteCluster,
    StaticIpCluster, TargetCluster,
};

use super::error::CallError;
use super::target::check_authority;
use crate::abi::{Map, host};
use crate::memory::Scope;
use crate::vm::{Naming, Vm};

/// A cluster of the proxy, and the host that calls to it name.
///
/// Each kind of service has a type that becomes one, such as [`K8sCluster`]. In a plugin's
/// configuration it is written as an object with the `type` of the cluster and the fields that the
/// methods of those types are called after:
///
/// ```
/// use chunkwise::call::Cluster;
///
/// # fn main() -> Result<(), serde_json::Error> {
/// let auth: Cluster = serde_json::from_str(
///     r#"{ "type": "k8s", "service": "auth", "namespace": "prod", "port": 80 }"#,
/// )?;
/// assert_eq!(auth.name(), Some("outbound|80||auth.prod.svc.cluster.local"));
/// assert_eq!(auth.host_name(), Some("auth.prod.svc.cluster.local"));
/// # Ok(())
/// # }
/// ```
///
/// | `type` | fields that it needs | and may have | the proxy's name of it, with port 80 |
/// |---|---|---|---|
/// | `route` | | `host` | that of the request's route |
/// | `target` | `cluster`, `host` | | `cluster` |
/// | `k8s` | `service`, `port` | `namespace`, `version`, `host` | `outbound\|80\|\|SERVICE.NAMESPACE.svc.cluster.local` |
/// | `nacos` | `service`, `port` | `group`, `namespace`, `version`, `external`, `host` | `outbound\|80\|\|SERVICE.GROUP.NAMESPACE.nacos` |
/// | `static_ip` | `service`, `port` | `host` | `outbound\|80\|\|SERVICE.static` |
/// | `dns` | `service`, `port`, `domain` | | `outbound\|80\|\|SERVICE.dns` |
/// | `consul` | `service`, `port`, `datacenter` | `host` | `outbound\|80\|\|SERVICE.DATACENTER.consul` |
/// | `fqdn` | `fqdn`, `port` | `host` | `outbound\|80\|\|FQDN` |
///
/// That name is what an upstream script of the bench host calls the cluster by. `version` stands
/// between the two bars. Fields that a type does not have are refused.
///
/// # Cost
/// Both names are put together when it is made; a call allocates nothing for them. The cluster of
/// the route is asked for with each call.
///
/// # Errors
/// What was read from a configuration is right, for reading fails otherwise and names the field.
/// What was put together in code may be wrong: [`check`](Self::check) says so at once, and every
/// call of it does.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Fields")]
pub struct Cluster(Result<Names, ClusterError>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Names {
    /// Known from the beginning.
    Fixed { name: Box<str>, host: Box<str> },
    /// That of the request's route; its host is the request's where there is none.
    Route { host: Option<Box<str>> },
}

impl Cluster {
    /// Whether calls can be made at all. Free.
    ///
    /// # Errors
    /// [`ClusterError`] names the field that is to be mended.
    pub fn check(&self) -> Result<(), ClusterError> {
        self.names().map(|_| ())
    }

    /// The proxy's name of it; `None` for the cluster of the route, which only a request has. Free.
    pub fn name(&self) -> Option<&str> {
        match self.names() {
            Ok(Names::Fixed { name, .. }) => Some(name),
            _ => None,
        }
    }

    /// The host that calls name; `None` where it is the request's own. Free.
    pub fn host_name(&self) -> Option<&str> {
        match self.names() {
            Ok(Names::Fixed { host, .. } | Names::Route { host: Some(host) }) => Some(host),
            _ => None,
        }
    }

    /// The name of the route's cluster: one host call, and for the first of a VM one or two more.
    /// `None` for all others, which is free.
    pub(super) fn route_name<'a>(
        &self,
        vm: &Vm,
        scope: &'a Scope<'_>,
    ) -> Result<Option<&'a str>, CallError> {
        if let Names::Fixed { .. } = self.names()? {
            return Ok(None);
        }
        let naming = vm.naming().unwrap_or(Naming::Plain);
        let name = host::property(scope, naming.cluster())
            .map_err(|error| CallError::from_host(error, false))?;
        route_name(name).map(Some)
    }

    /// The host to name: one host call where it is the request's own, otherwise free.
    pub(super) fn resolve_host<'a>(&'a self, scope: &'a Scope<'_>) -> Result<&'a str, CallError> {
        match self.names()? {
            Names::Fixed { host, .. } | Names::Route { host: Some(host) } => Ok(host),
            Names::Route { host: None } => {
                // A host refuses the map in phases that do not have it.
                let host = host::header(scope, Map::RequestHeaders, ":authority").ok().flatten();
                request_host(host)
            }
        }
    }

    fn names(&self) -> Result<&Names, ClusterError> {
        self.0.as_ref().map_err(|error| *error)
    }
}

/// The route's cluster out of what the host answered.
fn route_name(name: Option<&[u8]>) -> Result<&str, CallError> {
    name.and_then(|name| str::from_utf8(name).ok())
        .filter(|name| !name.is_empty())
        .ok_or(CallError::NoRoute)
}

/// The request's host out of what the host answered.
fn request_host(host: Option<&[u8]>) -> Result<&str, CallError> {
    host.and_then(|host| str::from_utf8(host).ok())
        .filter(|host| check_authority(host).is_ok())
        .ok_or(CallError::NoAuthority)
}

impl TryFrom<Fields> for Cluster {
    type Error = ClusterError;

    fn try_from(fields: Fields) -> Result<Self, ClusterError> {
        fields.names().map(|names| Self(Ok(names)))
    }
}
