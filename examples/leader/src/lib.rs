//! Tells services the quotas of users, from a table that one worker fetches for all.

#![deny(unsafe_code)]

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use chunkwise::call::{Client, Cluster};
use chunkwise::http::{HeadersAction, Reply, RequestHeaders};
use chunkwise::lease::Leader;
use chunkwise::shared::{SharedData, Version};
use chunkwise::{Config, ConfigError, Filter, Plugin, PluginContext, Result, time};
use serde::Deserialize;

chunkwise::plugin!(Quotas);

/// The plugin with its configuration, and the table as it was read last.
#[derive(Debug)]
pub struct Quotas(Rc<Service>, RefCell<Option<(Version, HashMap<String, u64>)>>);

impl Plugin for Quotas {
    type Filter = QuotasFilter;

    fn start(&self, context: &PluginContext<Self>) -> Result<()> {
        let (leader, service, plugin) = (context.lead(), Rc::clone(&self.0), context.clone());
        context.spawn(async move {
            loop {
                // What the host refuses once it may not refuse again; others have no table without
                // this task, so it goes on.
                if let Err(error) = service.publish(&leader, &plugin).await {
                    chunkwise::warn!("no table of quotas: {error}");
                }
                pause(service.every).await?;
            }
        });
        Ok(())
    }

    fn configure(config: &Config<'_>) -> Result<Self, ConfigError> {
        let Settings { service, path, every_seconds } = config.parse()?;
        let every = Duration::from_secs(every_seconds.max(1));
        let client = Client::new(service);
        client.get(&path).check().map_err(|error| ConfigError::invalid("path", error))?;
        Ok(Self(Rc::new(Service { client, path, every }), RefCell::default()))
    }

    fn filter(&self) -> QuotasFilter {
        QuotasFilter
    }
}

/// Where the table is, and how old it may become.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    service: Cluster,
    path: String,
    every_seconds: u64,
}

#[derive(Debug)]
struct Service {
    client: Client,
    path: String,
    every: Duration,
}

/// The shared value: the table as the service sent it.
const TABLE: &str = "example.quotas";

impl Service {
    /// Fetches the table and gives it to all workers, once this one leads.
    async fn publish(&self, leader: &Leader, plugin: &PluginContext<Quotas>) -> Result<()> {
        leader.acquired().await?;
        let reply = self.client.get(&self.path).send().await?;
        if reply.is_success() && reply.json::<HashMap<String, u64>>().is_ok() {
            return plugin.shared_data(|shared| shared.set(TABLE, reply.body()));
        }
        chunkwise::warn!("no table of quotas: status {}", reply.status());
        Ok(())
    }
}

/// Waits, also on a host that once does not tell the time. Where nothing can be waited for the task
/// ends with an error: a loop without a pause would hold its worker for ever.
async fn pause(time: Duration) -> Result<()> {
    const TRIES: u32 = 3;
    for _ in 1..TRIES {
        match time::sleep(time).await {
            Ok(()) => return Ok(()),
            Err(error) => chunkwise::warn!("no pause: {error}"),
        }
    }
    time::sleep(time).await
}

impl Quotas {
    /// The quota of a user. The table is read anew only when it has changed.
    fn quota(&self, shared: SharedData<'_>, user: &str) -> Result<Option<u64>> {
        let Some(found) = shared.get(TABLE)? else { return Ok(None) };
        let mut table = self.1.borrow_mut();
        if table.as_ref().is_none_or(|(version, _)| *version != found.version) {
            *table = Some((found.version, serde_json::from_slice(found.value)?));
        }
        Ok(table.as_ref().and_then(|(_, table)| table.get(user).copied()))
    }
}

/// One stream.
#[derive(Debug)]
pub struct QuotasFilter;

impl Filter<Quotas> for QuotasFilter {
    fn request_headers(
        &mut self,
        plugin: &Quotas,
        headers: &RequestHeaders<'_>,
    ) -> Result<HeadersAction> {
        // All lines of it, with commas between them: a service may read another than the first.
        let user = headers.property(&["request", "headers", "x-user"])?;
        let user = user.map(|lines| lines.bytes()).unwrap_or_default();
        if user.contains(&b',') {
            return headers.reply(&Reply::new(400).body("x-user has to name one user\n"));
        }
        let quota = plugin.quota(headers.shared_data(), &String::from_utf8_lossy(user))?;
        if quota == Some(0) {
            return headers.reply(&Reply::new(429));
        }
        match quota {
            Some(quota) => headers.set("x-quota", quota.to_string())?,
            // Nobody tells a service his own.
            None => headers.remove("x-quota")?,
        }
        Ok(HeadersAction::Continue)
    }
}
