//! The description of a cluster as it is written, and the names that it stands for.
//!
//! Names follow Istio's pattern for outbound clusters, `outbound|PORT|SUBSET|HOST`. The hosts of
//! registries are those that Higress's controller makes (its directory `registry`): there the
//! group and the namespace of Nacos have `-` for `_`, and the namespace without an id is `public`.

use serde::Deserialize;

use super::Names;
use super::error::{ClusterError, Problem};
use crate::call::target::check_authority;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Route,
    Target,
    K8s,
    Nacos,
    StaticIp,
    Dns,
    Consul,
    Fqdn,
}

/// Everything that any kind may have. One flat type (and not one for each kind), so that a wrong
/// value in a configuration is told with its path.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fields {
    #[serde(rename = "type")]
    pub(super) kind: Kind,
    pub(super) service: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) namespace: Option<String>,
    pub(super) version: Option<String>,
    pub(super) group: Option<String>,
    #[serde(default)]
    pub(super) external: bool,
    pub(super) datacenter: Option<String>,
    pub(super) domain: Option<String>,
    pub(super) fqdn: Option<String>,
    pub(super) cluster: Option<String>,
    pub(super) host: Option<String>,
}

impl Kind {
    /// As it is written in a configuration.
    const fn name(self) -> &'static str {
        match self {
            Self::Route => "route",
            Self::Target => "target",
            Self::K8s => "k8s",
            Self::Nacos => "nacos",
            Self::StaticIp => "static_ip",
            Self::Dns => "dns",
            Self::Consul => "consul",
            Self::Fqdn => "fqdn",
        }
    }

    /// The fields that mean something for this kind.
    const fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Route => &["host"],
            Self::Target => &["cluster", "host"],
            Self::K8s => &["service", "port", "namespace", "version", "host"],
            Self::Nacos => {
                &["service", "port", "group", "namespace", "version", "external", "host"]
            }
            Self::StaticIp => &["service", "port", "host"],
            Self::Dns => &["service", "port", "domain"],
            Self::Consul => &["service", "port", "datacenter", "host"],
            Self::Fqdn => &["fqdn", "port", "host"],
        }
    }
}

impl Fields {
    pub(super) const fn new(kind: Kind) -> Self {
        Self {
            kind,
            service: None,
            port: None,
            namespace: None,
            version: None,
            group: None,
            external: false,
            datacenter: None,
            domain: None,
            fqdn: None,
            cluster: None,
            host: None,
        }
    }

    /// The cluster's names, once everything has been checked.
    pub(super) fn names(&self) -> Result<Names, ClusterError> {
        self.check_kind()?;
        let (name, host) = match self.kind {
            Kind::Route => {
                let host = given(&self.host).map(|host| self.as_host("host", host)).transpose()?;
                return Ok(Names::Route { host: host.map(Into::into) });
            }
            Kind::Target => {
                let name = self.need("cluster", given(&self.cluster))?;
                let host = self.need("host", given(&self.host))?;
                (self.text("cluster", name)?.to_owned(), self.as_host("host", host)?.to_owned())
            }
            Kind::K8s => {
                let service = self.label("service", self.need("service", given(&self.service))?)?;
                let namespace =
                    self.label("namespace", given(&self.namespace).unwrap_or("default"))?;
                let fqdn = format!("{service}.{namespace}.svc.cluster.local");
                (self.outbound(&fqdn)?, self.host_or("service", &fqdn)?)
            }
            Kind::Nacos => {
                let service = self.part("service", &self.service)?;
                let group = self.text("group", given(&self.group).unwrap_or("DEFAULT-GROUP"))?;
                let namespace =
                    self.text("namespace", given(&self.namespace).unwrap_or("public"))?;
                let registry = if self.external { "nacos-ext" } else { "nacos" };
                let suffix = format!("{group}.{namespace}.{registry}").replace('_', "-");
                let fqdn = format!("{service}.{suffix}");
                (self.outbound(&fqdn)?, self.host_or("service", service)?)
            }
            Kind::StaticIp => {
                let service = self.part("service", &self.service)?;
                let fqdn = format!("{service}.static");
                (self.outbound(&fqdn)?, self.host_or("service", service)?)
            }
            Kind::Dns => {
                let service = self.part("service", &self.service)?;
                let domain = self.need("domain", given(&self.domain))?;
                let domain = self.as_host("domain", domain)?.to_owned();
                (self.outbound(&format!("{service}.dns"))?, domain)
            }
            Kind::Consul => {
                let service = self.part("service", &self.service)?;
                let datacenter = self.part("datacenter", &self.datacenter)?;
                let fqdn = format!("{service}.{datacenter}.consul");
                (self.outbound(&fqdn)?, self.host_or("service", service)?)
            }
            Kind::Fqdn => {
                let fqdn = self.part("fqdn", &self.fqdn)?;
                (self.outbound(fqdn)?, self.host_or("fqdn", fqdn)?)
            }
        };
        Ok(Names::Fixed { name: name.into(), host: host.into() })
    }

    fn wrong(&self, field: &'static str, problem: Problem) -> ClusterError {
        ClusterError::new(self.kind.name(), field, problem)
    }

    /// Refuses fields that mean nothing for the kind: whoever wrote one expects it to do something.
    fn check_kind(&self) -> Result<(), ClusterError> {
        let fields = [
            ("service", given(&self.service).is_some()),
            ("port", self.port.is_some()),
            ("namespace", given(&self.namespace).is_some()),
            ("version", given(&self.version).is_some()),
            ("group", given(&self.group).is_some()),
            ("external", self.external),
            ("datacenter", given(&self.datacenter).is_some()),
            ("domain", given(&self.domain).is_some()),
            ("fqdn", given(&self.fqdn).is_some()),
            ("cluster", given(&self.cluster).is_some()),
            ("host", given(&self.host).is_some()),
        ];
        let known = self.kind.fields();
        match fields.iter().find(|(field, is_given)| *is_given && !known.contains(field)) {
            Some((field, _)) => Err(self.wrong(field, Problem::NotOfThisKind)),
            None => Ok(()),
        }
    }

    fn need<'a>(
        &self,
        field: &'static str,
        value: Option<&'a str>,
    ) -> Result<&'a str, ClusterError> {
        value.ok_or(self.wrong(field, Problem::Missing))
    }

    fn text<'a>(&self, field: &'static str, value: &'a str) -> Result<&'a str, ClusterError> {
        // The name of a whole cluster has its bars; a piece of one must not add any.
        let is_bad =
            |c: char| c.is_whitespace() || c.is_control() || (c == '|' && field != "cluster");
        if value.contains(is_bad) { Err(self.wrong(field, Problem::Character)) } else { Ok(value) }
    }

    /// A piece of a cluster's name that must be there.
    fn part<'a>(
        &self,
        field: &'static str,
        value: &'a Option<String>,
    ) -> Result<&'a str, ClusterError> {
        self.text(field, self.need(field, given(value))?)
    }

    /// A name of Kubernetes: a label of RFC 1123.
    fn label<'a>(&self, field: &'static str, value: &'a str) -> Result<&'a str, ClusterError> {
        let is_letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let ends_well = !value.starts_with('-') && !value.ends_with('-');
        if value.len() <= 63 && ends_well && value.bytes().all(is_letter) {
            Ok(value)
        } else {
            Err(self.wrong(field, Problem::NotALabel))
        }
    }

    fn outbound(&self, fqdn: &str) -> Result<String, ClusterError> {
        let port = match self.port {
            Some(0) => return Err(self.wrong("port", Problem::NoPort)),
            Some(port) => port,
            None => return Err(self.wrong("port", Problem::Missing)),
        };
        let version = self.text("version", given(&self.version).unwrap_or_default())?;
        Ok(format!("outbound|{port}|{version}|{fqdn}"))
    }

    fn as_host<'a>(&self, field: &'static str, host: &'a str) -> Result<&'a str, ClusterError> {
        match check_authority(host) {
            Ok(()) => Ok(host),
            Err(error) => Err(self.wrong(field, Problem::NotAHost(error))),
        }
    }

    /// The host that was given, or the one that follows from `field`.
    fn host_or(&self, field: &'static str, default: &str) -> Result<String, ClusterError> {
        if let Some(host) = given(&self.host) {
            return self.as_host("host", host).map(str::to_owned);
        }
        match check_authority(default) {
            Ok(()) => Ok(default.to_owned()),
            Err(error) => Err(self.wrong(field, Problem::NeedsHost(error))),
        }
    }
}

/// Forms send what was left out as an empty text.
fn given(value: &Option<String>) -> Option<&str> {
    value.as_deref().filter(|value| !value.is_empty())
}
