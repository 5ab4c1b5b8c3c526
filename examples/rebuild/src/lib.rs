//! Lets tenants call the paths that their policies allow, and has its VM made anew in time.
//!
//! Policies are fetched when a tenant is seen first, and are kept. What the plugin frees it can use
//! again, but no host gets it back: a module's memory never shrinks. So the plugin asks for a fresh
//! VM when it has grown.

#![deny(unsafe_code)]

mod policies;

use std::num::{NonZeroU32, NonZeroU64};
use std::rc::Rc;
use std::time::Duration;

use chunkwise::call::{Client, Cluster};
use chunkwise::http::{HeadersAction, Reply, RequestHeaders, Resume};
use chunkwise::{Config, ConfigError, Error, Filter, Plugin, PluginContext, Rebuild, Result};
use serde::Deserialize;

use policies::{Policies, fetch};

chunkwise::plugin!(Tenants);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The service that knows the tenants.
    cluster: Cluster,
    /// How many policies are kept.
    #[serde(default = "thousand")]
    tenants: NonZeroU32,
    /// How old they get.
    #[serde(default = "minute")]
    refresh_seconds: NonZeroU32,
    /// How many requests a worker takes in one round of its event loop (Higress).
    requests_per_io_cycle: Option<NonZeroU64>,
}

fn thousand() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(999)
}

fn minute() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(59)
}

/// The plugin with its configuration, and the policies that it knows.
#[derive(Debug)]
pub struct Tenants {
    client: Client,
    policies: Rc<Policies>,
    refresh: Duration,
    requests_per_io_cycle: Option<NonZeroU64>,
}

impl Plugin for Tenants {
    type Filter = TenantsFilter;

    /// A start needs a hundredth of that memory, so that a fresh VM is worth its price.
    const REBUILD: Rebuild = Rebuild::NEVER.at_memory(64 * 1024 * 1024).after_requests(20_000);

    fn configure(config: &Config<'_>) -> Result<Self, ConfigError> {
        let settings: Settings = config.parse()?;
        Ok(Self {
            client: Client::new(settings.cluster),
            policies: Rc::new(Policies::new(settings.tenants)),
            refresh: Duration::from_secs(settings.refresh_seconds.get().into()),
            requests_per_io_cycle: settings.requests_per_io_cycle,
        })
    }

    fn start(&self, context: &PluginContext<Self>) -> Result<()> {
        context.every(self.refresh, |plugin| plugin.policies.forget());
        let Some(requests) = self.requests_per_io_cycle else { return Ok(()) };
        match context.limit_requests_per_io_cycle(requests.get()) {
            Err(error @ Error::NeedsHost { .. }) => {
                chunkwise::warn!("requests_per_io_cycle does nothing: {error}");
                Ok(())
            }
            told => told,
        }
    }

    fn filter(&self) -> TenantsFilter {
        TenantsFilter
    }
}

/// A stream has no state: it is decided with its request headers.
#[derive(Debug)]
pub struct TenantsFilter;

impl Filter<Tenants> for TenantsFilter {
    fn request_headers(
        &mut self,
        plugin: &Tenants,
        headers: &RequestHeaders<'_>,
    ) -> Result<HeadersAction> {
        // All of its lines, with commas between them: an upstream may read another than the first.
        let tenant = headers.property(&["request", "headers", "x-tenant"])?;
        let Some(tenant) = tenant.and_then(|lines| policies::name(lines.bytes())) else {
            let reply = Reply::new(400).body(b"x-tenant has to name one tenant\n");
            return headers.reply(&reply);
        };
        let path = headers.get(":path")?.unwrap_or_default();
        if let Some(policy) = plugin.policies.get(tenant) {
            return Ok(match policy.allows(path) {
                true => HeadersAction::Detach,
                false => headers.reply(&forbidden())?,
            });
        }
        let call = plugin.client.get(&format!("/tenants/{tenant}")).send();
        let (tenant, path) = (tenant.to_owned(), path.to_vec());
        let policies = Rc::clone(&plugin.policies);
        Ok(headers.wait(async move |request| match fetch(call).await {
            Ok(policy) => {
                let allowed = policy.allows(&path);
                policies.keep(tenant, policy);
                if allowed { Ok(Resume::Detach) } else { request.reply(&forbidden()) }
            }
            Err(error) => {
                chunkwise::error!("tenant {tenant}: {error}");
                request.reply(&Reply::new(503).header("retry-after", "1"))
            }
        }))
    }
}

fn forbidden() -> Reply<'static> {
    Reply::new(403).body(b"not allowed for this tenant\n").details("tenant")
}
