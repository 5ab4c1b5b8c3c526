//! Where the buckets of all clients are.

use std::cell::Cell;
use std::num::NonZeroU32;
use std::time::Duration;

use chunkwise::http::RequestHeaders;
use chunkwise::{Error, Result};

use crate::buckets::{Buckets, CLIENTS, Rate, Taken};

/// A table of fixed size: each client has its place, which it shares with a few others.
#[derive(Debug)]
pub enum Table {
    /// In the plugin.
    Own(Box<[Cell<Buckets>]>),
    /// In the data that all workers share, a key for each place. Keys can never be removed there,
    /// so there is not one for each client.
    Shared { name: String, places: u32 },
}

/// How often another worker may be first.
const ATTEMPTS: u32 = 16;

impl Table {
    /// A table for so many clients, shared under a name if there is one.
    pub fn new(clients: NonZeroU32, shared: Option<String>) -> Self {
        let places = clients.get().div_ceil(CLIENTS as u32);
        match shared {
            Some(name) => Self::Shared { name, places },
            None => Self::Own((0..places).map(|_| Cell::default()).collect()),
        }
    }

    /// Takes a token of a client.
    pub fn take(
        &self,
        client: u64,
        now: Duration,
        rate: Rate,
        headers: &RequestHeaders<'_>,
    ) -> Result<Taken> {
        match self {
            Self::Own(places) => {
                let place = &places[(client % places.len() as u64) as usize];
                let mut buckets = place.get();
                let taken = buckets.take(client, now, rate);
                place.set(buckets);
                Ok(taken)
            }
            Self::Shared { name, places } => {
                let key = format!("quota.{name}.{}", client % u64::from(*places));
                take_shared(&key, client, now, rate, headers)
            }
        }
    }
}

fn take_shared(
    key: &str,
    client: u64,
    now: Duration,
    rate: Rate,
    headers: &RequestHeaders<'_>,
) -> Result<Taken> {
    let shared = headers.shared_data();
    for _ in 0..ATTEMPTS {
        let before = shared.get(key)?;
        let mut buckets = before.map_or_else(Buckets::default, |it| Buckets::from_bytes(it.value));
        let taken = buckets.take(client, now, rate);
        if matches!(taken, Taken::None { .. }) {
            return Ok(taken);
        }
        let swap = match before {
            Some(before) => shared.compare_and_swap(key, buckets.to_bytes(), before.version)?,
            None => shared.create(key, buckets.to_bytes())?,
        };
        if swap.is_swapped() {
            return Ok(taken);
        }
    }
    Err(Error::Plugin("the quota was not counted: other workers were always first"))
}
