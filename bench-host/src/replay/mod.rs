//! Replaying a trace through a plugin, and what came of it.

pub(crate) mod active;
pub(crate) mod drive;
mod outputs;
mod run;
mod worker;

pub use outputs::OutputError;
pub use run::{Run, replay};

use std::num::NonZeroUsize;
use std::path::PathBuf;

use bytes::Bytes;

use crate::engine::StartError;
use crate::host::{Measure, Settings};
use crate::traffic::{HttpVersion, TrafficError};
use crate::upstream::Upstreams;

/// How a trace is replayed.
#[derive(Clone, Debug)]
pub struct Options {
    /// The proxy.
    pub settings: Settings,
    /// The plugin's configuration.
    pub configuration: Bytes,
    /// Streams that are open at once in a VM; their callbacks alternate.
    pub streams: NonZeroUsize,
    /// VMs, each on a thread of its own; requests are dealt out to them in turn.
    pub workers: NonZeroUsize,
    /// How many times the trace is replayed in the same VM.
    pub repeat: NonZeroUsize,
    /// What everything speaks, instead of what was recorded: HTTP/1 ends a body with an empty
    /// frame of its own, HTTP/2 with a flag on the last one.
    pub http: Option<HttpVersion>,
    /// The longest chunk of a body whose chunks were not recorded.
    pub chunk: NonZeroUsize,
    /// Requests a second; `None` is as fast as it goes. Where no time is taken, only the virtual
    /// clock keeps the rate.
    pub rate: Option<f64>,
    /// What is taken down.
    pub measure: Measure,
    /// What answers calls that the plugin makes.
    pub upstreams: Upstreams,
    /// Whether timers and answers take the machine's time; otherwise the clock is virtual, and all
    /// but durations is the same in every run.
    pub wall_clock: bool,
    /// Where what comes out is written.
    pub outputs: Option<PathBuf>,
}

impl Options {
    /// One stream at a time in one VM, once, in chunks of 16 KiB.
    pub fn new(settings: Settings) -> Self {
        const CHUNK: NonZeroUsize = NonZeroUsize::new(16 * 1024).expect("16 KiB is not zero");
        Self {
            settings,
            configuration: Bytes::new(),
            streams: NonZeroUsize::MIN,
            workers: NonZeroUsize::MIN,
            repeat: NonZeroUsize::MIN,
            http: None,
            chunk: CHUNK,
            rate: None,
            measure: Measure { time: true, usage: true },
            upstreams: Upstreams::none(),
            wall_clock: false,
            outputs: None,
        }
    }
}

/// Why a replay did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The plugin does not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The trace cannot be read on.
    #[error(transparent)]
    Traffic(#[from] TrafficError),
    /// A worker has no thread.
    #[error("the machine starts no more threads: {0}; use fewer workers")]
    Thread(std::io::Error),
    /// What came out cannot be written.
    #[error(transparent)]
    Output(#[from] OutputError),
}
