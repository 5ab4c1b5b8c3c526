//! One point of a sweep: a replay, and the memory that it took.

use serde::{Deserialize, Serialize};

use super::load::Load;
use crate::engine::Plugin;
use crate::measure::Phase;
use crate::replay::{Options, ReplayError, replay};

/// How often the same requests are sent at each point: to fill, to settle, to see whether it stays.
const ROUNDS: usize = 3;

/// Bytes in a page of linear memory.
const PAGE: u64 = 64 * 1024;

/// The memory of a VM at one point.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Point {
    /// Streams that were open at once.
    pub streams: usize,
    /// Bytes that each direction of a stream could hold.
    pub buffer_limit_bytes: u64,
    /// Length of each body.
    pub body_bytes: u64,
    /// Linear memory once the plugin was configured.
    pub initial_bytes: u64,
    /// The most linear memory.
    pub peak_bytes: u64,
    /// Linear memory when all streams had ended.
    pub retained_bytes: u64,
    /// What was allocated then, by the plugin's books.
    pub live_bytes: Option<u64>,
    /// The most that was ever allocated, by the plugin's books.
    pub live_peak: Option<u64>,
    /// Whether linear memory stayed when the same requests came again.
    pub is_steady: bool,
    /// Bytes of bodies that the plugin read, a round.
    pub read_bytes: u64,
    /// Requests, a round.
    pub requests: u64,
    /// Among all of them, those that the plugin answered, or the proxy on its behalf.
    pub local_replies: u64,
    /// And those that failed.
    pub failed: u64,
    /// What the plugin crashed of.
    pub crash: Option<String>,
}

impl Point {
    /// Sends the requests of one point.
    pub(super) fn measure(
        plugin: &dyn Plugin,
        options: &Options,
        load: &Load,
        (streams, limit, body): (std::num::NonZeroUsize, u64, u64),
    ) -> Result<Self, ReplayError> {
        let traffic = load.traffic(body, streams.get())?;
        let rounds = std::num::NonZeroUsize::new(ROUNDS).expect("there are three");
        let mut options = Options { streams, repeat: rounds, ..options.clone() };
        options.settings.buffer_limit = Some(usize::try_from(limit).unwrap_or(usize::MAX));
        let run = replay(plugin, &traffic, &options, &|_| ())?;
        let heap = &run.heap;
        let settled = (ROUNDS - 1) as u64 * streams.get() as u64;
        let settled = heap.timeline.iter().find(|point| point.0 >= settled);
        let read = |phase| run.ledger.phase(phase).bytes_in;
        Ok(Self {
            streams: streams.get(),
            buffer_limit_bytes: limit,
            body_bytes: body,
            initial_bytes: heap.pages_initial * PAGE,
            peak_bytes: heap.pages_peak * PAGE,
            retained_bytes: heap.pages_final * PAGE,
            live_bytes: heap.books.map(|books| books.live),
            live_peak: heap.books.map(|books| books.peak),
            is_steady: settled.is_none_or(|point| point.1 >= heap.pages_final),
            read_bytes: (read(Phase::RequestBody) + read(Phase::ResponseBody)) / ROUNDS as u64,
            requests: traffic.requests(),
            local_replies: run.local_replies,
            failed: run.failed,
            crash: run.crashes.first().map(|crash| crash.fault.to_string()),
        })
    }
}
