//! A script as it is written, and what it becomes.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc, time::Duration};

use serde::Deserialize;

use super::{
    UpstreamError, UpstreamHost,
    grpc_rule::{GrpcRule, GrpcScript},
    http::{HttpRule, HttpScript},
    redis_rule::{RedisRule, RedisScript},
    rule::Rule,
    value::OrText,
    wait::Wait,
};

/// All clusters, by name.
#[derive(Debug, Default)]
pub(super) struct Script {
    pub(super) clusters: BTreeMap<Vec<u8>, Cluster>,
    /// How many rules there are, each with its counter.
    pub(super) rules: usize,
}

/// A cluster and its rules.
#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) latency: Duration,
    pub(super) hosts: Vec<UpstreamHost>,
    pub(super) http: Vec<Rule<HttpScript>>,
    pub(super) grpc: Vec<Rule<Arc<GrpcScript>>>,
    pub(super) redis: Vec<Rule<RedisScript>>,
    /// Whether commands that no rule answers go to a store.
    pub(super) store: bool,
}

/// The text of a script.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawScript {
    #[serde(default)]
    cluster: BTreeMap<String, RawCluster>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCluster {
    latency: Option<Wait>,
    #[serde(default)]
    hosts: Vec<OrText<UpstreamHost>>,
    #[serde(default)]
    store: bool,
    #[serde(default)]
    http: Vec<HttpRule>,
    #[serde(default)]
    grpc: Vec<GrpcRule>,
    #[serde(default)]
    redis: Vec<RedisRule>,
}

impl Script {
    /// Reads the files with bodies and numbers the rules; `script` is the name for messages.
    pub(super) fn new(raw: RawScript, script: &str, base: &Path) -> Result<Self, UpstreamError> {
        let mut rules = 0;
        let mut next = || {
            rules += 1;
            rules - 1
        };
        let mut clusters = BTreeMap::new();
        for (name, mut raw) in raw.cluster {
            for (at, rule) in raw.http.iter_mut().enumerate() {
                let Some(file) = rule.body_file.take() else { continue };
                let file = base.join(file);
                match fs::read(&file) {
                    Ok(body) => rule.set_body(body.into()),
                    Err(cause) => {
                        let at = format!("cluster.{name:?}.http[{at}]");
                        return Err(UpstreamError::BodyFile {
                            script: script.to_owned(),
                            at,
                            file,
                            cause,
                        });
                    }
                }
            }
            let cluster = Cluster {
                latency: raw.latency.map_or(Duration::ZERO, |wait| wait.0),
                hosts: raw.hosts.into_iter().map(|host| host.0).collect(),
                http: raw
                    .http
                    .into_iter()
                    .map(|HttpRule { pace, script, .. }| Rule { id: next(), pace, script })
                    .collect(),
                grpc: raw
                    .grpc
                    .into_iter()
                    .map(|GrpcRule { pace, script }| Rule {
                        id: next(),
                        pace,
                        script: Arc::new(script),
                    })
                    .collect(),
                redis: raw
                    .redis
                    .into_iter()
                    .map(|RedisRule { pace, script }| Rule { id: next(), pace, script })
                    .collect(),
                store: raw.store,
            };
            clusters.insert(name.into_bytes(), cluster);
        }
        Ok(Self { clusters, rules })
    }
}
