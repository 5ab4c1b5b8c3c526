//! The proxy around a plugin: contexts, streams, buffers, and everything that a host call reaches.

mod abi;
mod attributes;
mod buffer;
pub mod calls;
mod clock;
mod filter;
mod foreign;
mod headers;
mod log;
mod metrics;
mod output;
mod properties;
mod protobuf;
mod quota;
mod settings;
mod shared;
mod stream;

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;

pub use abi::{BufferKind, DataStatus, Direction, HeadersStatus, MapKind, Status};
pub use buffer::Buffer;
pub use clock::Clock;
pub use filter::{Measure, Proxy};
pub use headers::{HeaderMap, decode_pairs, encode_pairs};
pub use log::{Level, Log, LogLine};
pub use metrics::{Histogram, MetricKind, Metrics, Reading};
pub use output::Received;
pub use quota::{DEFAULT_QUOTA, Quota};
pub use settings::{Node, Profile, Settings};
pub use shared::{Budget, Shared};
pub use stream::{Half, Iteration, LocalReply, Stream};

use crate::measure::Ledger;

/// Everything that host calls of one VM can reach.
#[derive(Debug)]
pub struct Host {
    /// Which host this is, and its limits.
    pub settings: Settings,
    /// What callbacks cost.
    pub ledger: Ledger,
    /// What the plugin logged.
    pub log: Log,
    /// Time and randomness, the same in every run.
    pub clock: Clock,
    /// Data and queues shared with other VMs.
    pub shared: Shared,
    /// The number of this VM among those that share data and queues.
    pub vm: u64,
    /// Metrics of this VM.
    pub metrics: Metrics,
    /// What the guest may make the host keep.
    pub quota: Quota,
    /// Bytes of the guest's linear memory, as `plugin_vm_memory` shows them.
    pub memory_bytes: u64,
    /// The plugin asked for a new VM in its place, which Higress gives it.
    pub rebuild_requested: bool,
    /// New streams that an iteration of the event loop may begin at most, where the plugin has set
    /// a limit (Higress).
    pub max_requests_per_io_cycle: Option<u64>,
    /// Calls to imports that do nothing here, or only answer, by name.
    pub stubbed: BTreeMap<String, u64>,
    /// The configuration of the plugin, while it is being configured.
    configuration: Option<Bytes>,
    /// What the plugin has declared of properties.
    declared: BTreeMap<Vec<u8>, properties::Declared>,
    /// Expressions that the plugin has made.
    expressions: foreign::Expressions,
    streams: HashMap<u32, Stream>,
    /// The context of the current callback.
    current: u32,
    /// The context that the plugin chose to act on instead.
    effective: Option<u32>,
    /// Other contexts that the current callback has put something off for.
    touched: Vec<u32>,
    /// The stream's access log is being written: everything may be read.
    logging: bool,
}

impl Host {
    /// A host without streams.
    pub fn new(settings: Settings, shared: Shared) -> Self {
        let shared = shared.with_id(settings.vm_id.as_bytes());
        Self {
            vm: shared.new_vm(),
            log: Log::new(settings.log_level),
            settings,
            ledger: Ledger::default(),
            clock: Clock::default(),
            shared,
            metrics: Metrics::default(),
            quota: Quota::default(),
            memory_bytes: 0,
            rebuild_requested: false,
            max_requests_per_io_cycle: None,
            stubbed: BTreeMap::new(),
            configuration: None,
            declared: BTreeMap::new(),
            expressions: foreign::Expressions::default(),
            streams: HashMap::new(),
            current: 0,
            effective: None,
            touched: Vec::new(),
            logging: false,
        }
    }

    /// The stream that host calls act on now.
    fn stream(&mut self) -> Option<&mut Stream> {
        self.streams.get_mut(&self.effective.unwrap_or(self.current))
    }

    /// The quota, and the stream that host calls act on now.
    fn quota_and_stream(&mut self) -> Option<(&mut Quota, &mut Stream)> {
        let stream = self.streams.get_mut(&self.effective.unwrap_or(self.current))?;
        Some((&mut self.quota, stream))
    }

    /// The stream that host calls act on now, for what is put off until the callback returns.
    fn stream_to_act_on(&mut self) -> Option<&mut Stream> {
        if let Some(other) = self.effective.filter(|other| *other != self.current)
            && !self.touched.contains(&other)
        {
            self.touched.push(other);
        }
        self.stream()
    }

    /// Counts a call that is answered as a real host would, but without what it stands for.
    fn not_emulated(&mut self, import: &str) {
        *self.stubbed.entry(import.to_owned()).or_insert(0) += 1;
    }

    fn half(&mut self, direction: Direction) -> Option<&mut Half> {
        self.stream().map(|stream| stream.half(direction))
    }

    /// The bytes of a buffer, for a guest that wants to read them.
    fn buffer(&mut self, kind: BufferKind) -> Option<BufferView<'_>> {
        let direction = match kind {
            BufferKind::RequestBody => Direction::Request,
            BufferKind::ResponseBody => Direction::Response,
            BufferKind::PluginConfiguration => {
                return self.configuration.as_deref().map(BufferView::Flat);
            }
            // No VM configuration is given; it is there all the same.
            BufferKind::VmConfiguration => return Some(BufferView::Flat(&[])),
            BufferKind::Other => return None,
        };
        let half = self.half(direction)?;
        Some(half.visible_body().map_or(BufferView::Flat(&[]), |body| BufferView::Body(body)))
    }

    /// The map that a guest may change now.
    fn open_map(&mut self, kind: MapKind) -> Option<&mut HeaderMap> {
        let (direction, trailers) = place(kind)?;
        let half = self.half(direction)?;
        if trailers {
            half.trailers.as_mut().filter(|_| half.trailers_open)
        } else {
            half.headers_open.then_some(&mut half.headers)
        }
    }

    /// The map that a guest may read now. Request headers stay readable for the whole stream.
    fn readable_map(&mut self, kind: MapKind) -> Option<&HeaderMap> {
        let (direction, trailers) = place(kind)?;
        let logging = self.logging;
        let half = self.half(direction)?;
        if trailers {
            let passed = half.received.trailers.as_ref().filter(|_| logging);
            return half.trailers.as_ref().filter(|_| half.trailers_open).or(passed);
        }
        let stays = direction == Direction::Request || logging;
        (half.headers_open || (stays && half.begun)).then_some(&half.headers)
    }
}

/// A buffer as it lies in the host.
enum BufferView<'a> {
    Flat(&'a [u8]),
    Body(&'a Buffer),
}

impl BufferView<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Flat(bytes) => bytes.len(),
            Self::Body(buffer) => buffer.len(),
        }
    }

    fn copy_to(&self, start: usize, into: &mut [u8]) {
        match self {
            Self::Flat(bytes) => into.copy_from_slice(&bytes[start..start + into.len()]),
            Self::Body(buffer) => buffer.copy_to(start, into),
        }
    }
}

fn place(kind: MapKind) -> Option<(Direction, bool)> {
    match kind {
        MapKind::RequestHeaders => Some((Direction::Request, false)),
        MapKind::RequestTrailers => Some((Direction::Request, true)),
        MapKind::ResponseHeaders => Some((Direction::Response, false)),
        MapKind::ResponseTrailers => Some((Direction::Response, true)),
        MapKind::Other => None,
    }
}
