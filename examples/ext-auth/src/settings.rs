//! The configuration.

use std::cell::RefCell;
use std::time::Duration;

use chunkwise::call::{Client, Cluster};
use chunkwise::{Config, ConfigError};
use serde::Deserialize;

use crate::auth::{Auth, Service};
use crate::cache::Cache;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    service: ServiceSettings,
    also: Option<ServiceSettings>,
    audit: Option<ServiceSettings>,
    #[serde(default = "credentials")]
    forward: Vec<String>,
    #[serde(default)]
    copy: Vec<String>,
    #[serde(default)]
    on_failure: OnFailure,
    cache: Option<CacheSettings>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ServiceSettings {
    cluster: Cluster,
    #[serde(default = "root")]
    path: String,
    #[serde(default = "half_a_second")]
    timeout_ms: u32,
}

#[derive(Clone, Copy, Default, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum OnFailure {
    #[default]
    Closed,
    Open,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CacheSettings {
    seconds: u32,
    #[serde(default = "a_thousand")]
    entries: usize,
}

fn credentials() -> Vec<String> {
    vec!["authorization".into(), "cookie".into()]
}

fn root() -> String {
    "/".into()
}

fn half_a_second() -> u32 {
    500
}

fn a_thousand() -> usize {
    1000
}

/// Reads the configuration, and refuses everything that would make calls fail later.
pub fn read(config: &Config<'_>) -> Result<Auth, ConfigError> {
    let settings: Settings = config.parse()?;
    let service = service("service", settings.service)?;
    Ok(Auth {
        forward: headers("forward", settings.forward, &service)?,
        copy: headers("copy", settings.copy, &service)?,
        also: settings.also.map(|also| self::service("also", also)).transpose()?,
        audit: settings.audit.map(|audit| self::service("audit", audit)).transpose()?,
        fails_open: settings.on_failure == OnFailure::Open,
        cache: settings.cache.as_ref().map(cache).transpose()?,
        service,
    })
}

fn service(field: &str, settings: ServiceSettings) -> Result<Service, ConfigError> {
    let timeout = Duration::from_millis(settings.timeout_ms.into());
    let client = Client::new(settings.cluster).with_timeout(timeout);
    match client.get(&settings.path).check() {
        Ok(()) => Ok(Service { client, path: settings.path }),
        Err(error) => Err(ConfigError::invalid(field, error)),
    }
}

/// Names that a call can have are names that a request can be given.
fn headers(
    field: &str,
    mut names: Vec<String>,
    service: &Service,
) -> Result<Vec<String>, ConfigError> {
    for (place, name) in names.iter_mut().enumerate() {
        name.make_ascii_lowercase();
        // What the plugin itself tells of a request must not come from the client.
        let is_ours = name.starts_with("x-original-");
        if is_ours || service.client.get("/").header(&*name, "").check().is_err() {
            let problem = format!("`{name}` is no header that can be passed on");
            return Err(ConfigError::invalid(format!("{field}[{place}]"), problem));
        }
    }
    Ok(names)
}

fn cache<V>(settings: &CacheSettings) -> Result<RefCell<Cache<V>>, ConfigError> {
    if settings.seconds == 0 || settings.entries == 0 {
        let problem = "`seconds` and `entries` begin with 1: leave `cache` out to have none";
        return Err(ConfigError::invalid("cache", problem));
    }
    let lasts = Duration::from_secs(settings.seconds.into());
    Ok(RefCell::new(Cache::new(lasts, settings.entries)))
}
