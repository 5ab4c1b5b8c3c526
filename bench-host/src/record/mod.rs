//! A reverse proxy that records what passes as a trace.
//!
//! [`record`] stands between a client and one upstream, speaks to the upstream what the client
//! speaks to it (HTTP/1.1, or HTTP/2 without TLS), passes every frame on when it comes, and writes
//! each exchange that ended well into a [`TraceWriter`]. An exchange that did not, because someone
//! went away or a body was too long, is left out and told as [`Event::LeftOut`].
//!
//! `docs/traffic.md` says what is recorded, and what is not.

mod address;
mod body;
mod connections;
mod headers;
mod passing;
mod proxy;
mod serve;
mod sink;

use std::{fmt, io, net::SocketAddr, sync::Arc, time::Duration};

use thiserror::Error;

use crate::traffic::{Redaction, TraceWriter, WriteError};

pub use address::{AddressError, UpstreamAddress};

/// What to record, and when to stop.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the requests go.
    pub upstream: UpstreamAddress,
    /// Where they come from; with port 0 the system chooses one, see [`Event::Listening`].
    pub listen: SocketAddr,
    /// Stop after so many exchanges have been recorded.
    pub requests: Option<u64>,
    /// Stop after this time.
    pub time: Option<Duration>,
    /// The most that is held of one body, in bytes; an exchange with a longer one passes, and is
    /// left out. A chunk counts 24 bytes more than it has.
    pub max_body: usize,
    /// What is taken out of headers and URLs.
    pub redaction: Redaction,
}

/// What happens while a recording goes on.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// Connections are taken at this address.
    Listening(SocketAddr),
    /// One more exchange is in the trace.
    Recorded,
    /// An exchange is not in the trace.
    LeftOut {
        /// Its method and URL without the query.
        label: String,
        /// Why.
        reason: String,
    },
}

/// Hears what happens, on whatever thread it happens.
#[derive(Clone)]
pub struct Listener(Arc<dyn Fn(Event) + Send + Sync>);

impl Listener {
    /// Calls `hear` for each event.
    pub fn new(hear: impl Fn(Event) + Send + Sync + 'static) -> Self {
        Self(Arc::new(hear))
    }

    fn tell(&self, event: Event) {
        (self.0)(event);
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").finish_non_exhaustive()
    }
}

/// What has been recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Exchanges in the trace.
    pub recorded: u64,
    /// Values that were redacted.
    pub redacted: u64,
}

/// Why nothing can be recorded, or no more.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The address cannot be listened on: it is taken, or not of this machine.
    #[error("cannot listen on {address}: {cause}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// The machine gives no thread or no signals.
    #[error("cannot record: {0}")]
    Machine(#[source] io::Error),
    /// The trace cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// Records until a limit of the `options` is reached, or the process is interrupted (Ctrl-C,
/// SIGTERM).
///
/// Then no connection is taken any more, and requests under way have five seconds to end, or until
/// the next interrupt. The writer comes back with everything that ended in it; the caller
/// [finishes](TraceWriter::finish) it.
///
/// # Cost
///
/// One thread passes the traffic on, another one writes. Bodies are copied once, up to
/// [`Options::max_body`] each, and held until their exchange has ended; new requests wait while
/// 64 MiB wait to be written.
///
/// # Errors
///
/// [`RecordError`]: the address, the machine or the disk.
pub fn record(
    options: Options,
    writer: TraceWriter,
    listener: Listener,
) -> Result<(TraceWriter, Summary), RecordError> {
    serve::run(options, writer, listener)
}
