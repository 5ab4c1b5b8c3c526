//! Hosts of a cluster, for plugins that balance load themselves.

use serde::{Deserialize, Serialize};

/// A host of a cluster, as `get_upstream_hosts` lists it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpstreamHost {
    /// Address and port, such as `10.0.0.1:8080`.
    pub address: String,
    /// What health checks say.
    #[serde(default)]
    pub health: Health,
    /// What the host's metrics endpoint said last, if it is scraped: Prometheus' text format.
    #[serde(default)]
    pub metrics: Option<String>,
}

/// What health checks say of a host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all(deserialize = "lowercase"))]
pub enum Health {
    /// Takes requests.
    #[default]
    Healthy,
    /// Takes requests when too few are healthy.
    Degraded,
    /// Takes none.
    Unhealthy,
}

impl UpstreamHost {
    /// The value that belongs to the address in Higress' answer to `get_upstream_hosts`: JSON with
    /// `health_status`, and `metrics` if there are some.
    pub fn details(&self) -> String {
        #[derive(Serialize)]
        struct Details<'a> {
            health_status: Health,
            #[serde(skip_serializing_if = "Option::is_none")]
            metrics: Option<&'a str>,
        }

        let details = Details { health_status: self.health, metrics: self.metrics.as_deref() };
        serde_json::to_string(&details).unwrap_or_default()
    }
}

impl From<String> for UpstreamHost {
    fn from(address: String) -> Self {
        Self { address, health: Health::default(), metrics: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_are_what_higress_writes() {
        let mut host = UpstreamHost::from("10.0.0.1:80".to_owned());
        assert_eq!(host.details(), r#"{"health_status":"Healthy"}"#);
        host.health = Health::Unhealthy;
        host.metrics = Some("load 1\n".to_owned());
        assert_eq!(host.details(), r#"{"health_status":"Unhealthy","metrics":"load 1\n"}"#);
    }
}
