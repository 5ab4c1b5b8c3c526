//! Refuses clients on a list, which a task fetches from a service again and again.

#![deny(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use chunkwise::call::{Client, Cluster};
use chunkwise::http::{HeadersAction, Reply, RequestHeaders};
use chunkwise::{Config, ConfigError, Filter, Plugin, PluginContext, Result, time};
use serde::Deserialize;

chunkwise::plugin!(Ticks);

/// The plugin with its configuration, and the list as it was fetched last.
#[derive(Debug)]
pub struct Ticks(Rc<List>);

impl Plugin for Ticks {
    type Filter = TicksFilter;

    fn start(&self, context: &PluginContext<Self>) -> Result<()> {
        let list = Rc::clone(&self.0);
        context.spawn(async move {
            loop {
                list.refresh().await?;
            }
        });
        Ok(())
    }

    fn configure(config: &Config<'_>) -> Result<Self, ConfigError> {
        let Settings { service, path, every_seconds } = config.parse()?;
        if every_seconds == 0 {
            return Err(ConfigError::invalid("every_seconds", "at least 1 is needed"));
        }
        let (client, every) = (Client::new(service), Duration::from_secs(every_seconds));
        client.get(&path).check().map_err(|error| ConfigError::invalid("path", error))?;
        let (wait, refused) = (Cell::default(), RefCell::default());
        Ok(Self(Rc::new(List { client, path, every, wait, refused })))
    }

    fn filter(&self) -> TicksFilter {
        TicksFilter
    }
}

/// Where the list is, and how old it may become.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    service: Cluster,
    path: String,
    every_seconds: u64,
}

#[derive(Debug)]
struct List {
    client: Client,
    path: String,
    every: Duration,
    /// How long it is good for; nothing at first.
    wait: Cell<Duration>,
    refused: RefCell<HashSet<IpAddr>>,
}

/// How soon a list that could not be fetched is asked for again.
const RETRY: Duration = Duration::from_secs(1);

impl List {
    /// Waits until the list is old and fetches it. Without success the one before stays.
    async fn refresh(&self) -> Result<()> {
        time::sleep(self.wait.get()).await?;
        self.wait.set(match self.fetch().await {
            Ok(refused) => {
                self.refused.replace(refused);
                self.every
            }
            Err(error) => {
                chunkwise::warn!("the list of refused clients is as it was: {error}");
                RETRY.min(self.every)
            }
        });
        Ok(())
    }

    async fn fetch(&self) -> Result<HashSet<IpAddr>> {
        let reply = self.client.get(&self.path).send().await?;
        if !reply.is_success() {
            return Err(chunkwise::Error::Plugin("its service answered with a failure"));
        }
        let refused: Vec<IpAddr> = reply.json()?;
        // A socket for both versions shows IPv4 clients as IPv6.
        Ok(refused.iter().map(IpAddr::to_canonical).collect())
    }
}

/// One stream.
#[derive(Debug)]
pub struct TicksFilter;

impl Filter<Ticks> for TicksFilter {
    fn request_headers(
        &mut self,
        plugin: &Ticks,
        headers: &RequestHeaders<'_>,
    ) -> Result<HeadersAction> {
        let Some(client) = headers.property(&["source", "address"])? else {
            return Ok(HeadersAction::Continue);
        };
        // The address comes with a port; what has none, such as a socket's path, is on no list.
        let client = client.str()?.parse().map(|client: SocketAddr| client.ip().to_canonical());
        if client.is_ok_and(|client| plugin.0.refused.borrow().contains(&client)) {
            return Ok(headers.reply(&Reply::new(403))?.into());
        }
        Ok(HeadersAction::Continue)
    }
}
