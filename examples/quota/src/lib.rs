//! Lets every client make so many requests, and answers 429 beyond.
//!
//! What a client has left is kept in the plugin, in a table that never grows; or in the data that
//! all workers share, so that they count together.

#![deny(unsafe_code)]

mod buckets;
mod client;
mod table;

use std::num::NonZeroU32;
use std::time::Duration;

use chunkwise::http::{HeaderName, HeadersAction, Reply, RequestHeaders};
use chunkwise::metrics::Counter;
use chunkwise::{Config, ConfigError, Filter, OnError, Plugin, Result, time};
use serde::Deserialize;

use buckets::{Rate, Taken};
use table::Table;

chunkwise::plugin!(Quota);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// So many requests...
    requests: NonZeroU32,
    /// ... in so many seconds.
    #[serde(default = "one")]
    per_seconds: NonZeroU32,
    /// How many of them may come at once; all of them when left out.
    burst: Option<NonZeroU32>,
    /// The header that names the client; the address does when left out.
    header: Option<HeaderName>,
    /// How many clients are remembered.
    #[serde(default = "ten_thousand")]
    clients: NonZeroU32,
    /// Under which name all workers count together; each for itself when left out.
    shared: Option<String>,
}

fn one() -> NonZeroU32 {
    NonZeroU32::MIN
}

fn ten_thousand() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(9_999)
}

/// The most clients that can be remembered: 16 MB in every worker.
const MOST_CLIENTS: u32 = 1_000_000;

/// The plugin with its configuration, and what each client has left.
#[derive(Debug)]
pub struct Quota {
    rate: Rate,
    header: Option<HeaderName>,
    table: Table,
    denied: Counter,
    forgotten: Counter,
}

impl Plugin for Quota {
    type Filter = QuotaFilter;

    /// A quota that cannot be counted stops nobody.
    const ON_ERROR: OnError = OnError::Continue;

    fn configure(config: &Config<'_>) -> Result<Self, ConfigError> {
        let Settings { requests, per_seconds, burst, header, clients, shared } = config.parse()?;
        if clients.get() > MOST_CLIENTS {
            return Err(ConfigError::invalid("clients", format!("at most {MOST_CLIENTS}")));
        }
        if shared.as_ref().is_some_and(String::is_empty) {
            return Err(ConfigError::invalid("shared", "needs a name"));
        }
        let period = Duration::from_secs(per_seconds.get().into());
        Ok(Self {
            rate: Rate::new(requests, period, burst.unwrap_or(requests)),
            header,
            table: Table::new(clients, shared),
            denied: Counter::define("quota.denied")?,
            forgotten: Counter::define("quota.forgotten")?,
        })
    }

    fn filter(&self) -> QuotaFilter {
        QuotaFilter
    }
}

/// A stream has no state: it is decided with its request headers.
#[derive(Debug)]
pub struct QuotaFilter;

impl Filter<Quota> for QuotaFilter {
    fn request_headers(
        &mut self,
        plugin: &Quota,
        headers: &RequestHeaders<'_>,
    ) -> Result<HeadersAction> {
        let client = client::identify(headers, plugin.header.as_ref())?;
        let now = time::now()?;
        match plugin.table.take(client, now, plugin.rate, headers)? {
            Taken::Token { forgot_another } => {
                plugin.forgotten.add(forgot_another.into())?;
                Ok(HeadersAction::Detach)
            }
            Taken::None { wait } => {
                plugin.denied.add(1)?;
                let reply = Reply::new(429)
                    .header("retry-after", seconds(wait).to_string())
                    .header("content-type", "text/plain")
                    .body(b"too many requests\n")
                    .details("quota");
                headers.reply(&reply)
            }
        }
    }
}

/// Whole seconds, as `retry-after` has them (RFC 9110, 10.2.3), and never too few.
fn seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}
