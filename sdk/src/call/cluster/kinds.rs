//! A type for each kind of service.

use super::Cluster;
use super::fields::{Fields, Kind};

/// A type over [`Fields`], with a method for each field that it may have besides what it needs.
macro_rules! kind {
    ($(#[$docs:meta])* $name:ident { $($(#[$method_docs:meta])* $method:ident),* }) => {
        $(#[$docs])*
        #[derive(Clone, Debug)]
        #[must_use]
        pub struct $name(Fields);

        impl $name {
            $(
                $(#[$method_docs])*
                pub fn $method(mut self, $method: impl Into<String>) -> Self {
                    self.0.$method = Some($method.into());
                    self
                }
            )*
        }

        impl From<$name> for Cluster {
            fn from(cluster: $name) -> Self {
                Self(cluster.0.names())
            }
        }
    };
}

kind! {
    /// The cluster that the request's own route leads to: another call to the service that the
    /// request is for. It is looked up when a call is made (one host call, and one more for the
    /// host where none is given).
    RouteCluster {
        /// The host that calls name, instead of the request's.
        host
    }
}

impl RouteCluster {
    /// The cluster of the request's route.
    #[expect(clippy::new_without_default, reason = "the kinds are made alike")]
    pub fn new() -> Self {
        Self(Fields::new(Kind::Route))
    }
}

kind! {
    /// A cluster by the proxy's own name of it.
    TargetCluster {}
}

impl TargetCluster {
    /// The cluster `cluster`, under the host name `host`.
    pub fn new(cluster: impl Into<String>, host: impl Into<String>) -> Self {
        let (cluster, host) = (Some(cluster.into()), Some(host.into()));
        Self(Fields { cluster, host, ..Fields::new(Kind::Target) })
    }
}

kind! {
    /// A service of Kubernetes.
    K8sCluster {
        /// The namespace of the service; `default` unless given.
        namespace,
        /// The subset of the service, as a destination rule calls it.
        version,
        /// The host that calls name, instead of `SERVICE.NAMESPACE.svc.cluster.local`.
        host
    }
}

impl K8sCluster {
    /// The service `service`.
    pub fn new(service: impl Into<String>, port: u16) -> Self {
        let (service, port) = (Some(service.into()), Some(port));
        Self(Fields { service, port, ..Fields::new(Kind::K8s) })
    }
}

kind! {
    /// A service of a Nacos registry.
    NacosCluster {
        /// The group of the service; `DEFAULT-GROUP` unless given.
        group,
        /// The id of the service's namespace; `public` unless given.
        namespace,
        /// The subset of the service, as a destination rule calls it.
        version,
        /// The host that calls name, instead of the service.
        host
    }
}

impl NacosCluster {
    /// The service `service`.
    pub fn new(service: impl Into<String>, port: u16) -> Self {
        let (service, port) = (Some(service.into()), Some(port));
        Self(Fields { service, port, ..Fields::new(Kind::Nacos) })
    }

    /// The registry is an external one (`nacos-ext`).
    pub fn external(mut self) -> Self {
        self.0.external = true;
        self
    }
}

kind! {
    /// A service with fixed addresses.
    StaticIpCluster {
        /// The host that calls name, instead of the service.
        host
    }
}

impl StaticIpCluster {
    /// The service `service`.
    pub fn new(service: impl Into<String>, port: u16) -> Self {
        let (service, port) = (Some(service.into()), Some(port));
        Self(Fields { service, port, ..Fields::new(Kind::StaticIp) })
    }
}

kind! {
    /// A service that is found by DNS.
    DnsCluster {}
}

impl DnsCluster {
    /// The service `service`, under the host name `domain`.
    pub fn new(service: impl Into<String>, domain: impl Into<String>, port: u16) -> Self {
        let (service, domain) = (Some(service.into()), Some(domain.into()));
        Self(Fields { service, domain, port: Some(port), ..Fields::new(Kind::Dns) })
    }
}

kind! {
    /// A service of a Consul registry.
    ConsulCluster {
        /// The host that calls name, instead of the service.
        host
    }
}

impl ConsulCluster {
    /// The service `service` in `datacenter`.
    pub fn new(service: impl Into<String>, datacenter: impl Into<String>, port: u16) -> Self {
        let (service, datacenter) = (Some(service.into()), Some(datacenter.into()));
        Self(Fields { service, datacenter, port: Some(port), ..Fields::new(Kind::Consul) })
    }
}

kind! {
    /// A service by its full name, such as `auth.static` or `auth.prod.svc.cluster.local`.
    FqdnCluster {
        /// The host that calls name, instead of the full name.
        host
    }
}

impl FqdnCluster {
    /// The service `fqdn`.
    pub fn new(fqdn: impl Into<String>, port: u16) -> Self {
        let (fqdn, port) = (Some(fqdn.into()), Some(port));
        Self(Fields { fqdn, port, ..Fields::new(Kind::Fqdn) })
    }
}
