//! The proxy around a plugin: contexts, streams, buffers, and everything that a host call reaches.

mod abi;
mod actions;
mod attributes;
mod buffer;
mod callouts;
pub mod calls;
mod clock;
mod connection;
mod contexts;
mod ended;
mod events;
mod foreign;
mod headers;
mod http;
mod joined;
mod life;
mod log;
mod metrics;
mod misuse;
mod output;
mod phases;
mod properties;
pub(crate) mod protobuf;
mod proxy;
mod quota;
mod reply;
mod resume;
mod root;
mod route;
mod settings;
mod shared;
mod slot;
mod stall;
mod stream;
mod tcp;
mod views;
mod world;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};

pub use abi::{
    BufferKind, DataStatus, Direction, HeadersStatus, MapKind, PeerKind, Status, StreamKind,
};
pub use buffer::Buffer;
pub use clock::Clock;
pub use connection::Connection;
pub use ended::Ended;
pub use headers::{HeaderMap, decode_pairs, encode_pairs};
pub use log::{Level, Log, LogLine};
pub use metrics::{Histogram, MetricKind, Metrics, Reading};
pub use output::Received;
pub use phases::{Reply, Step};
pub use proxy::{Measure, Proxy};
pub use quota::{DEFAULT_QUOTA, Quota};
pub use settings::{FailurePolicy, Node, Profile, Settings};
pub use shared::{Budget, Shared};
pub use slot::{Crash, Slot, StartTimes, StreamId, canary};
pub(crate) use stall::GivenUp;
pub use stall::Stop;
pub use stream::{Half, Iteration, LocalReply, Stream};
pub use world::World;

use actions::Action;
use callouts::{Callouts, Delivery};
use contexts::Contexts;
use events::Events;
use root::Root;

use crate::measure::Ledger;
use crate::upstream;

/// Everything that host calls of one VM can reach.
#[derive(Debug)]
pub struct Host {
    /// Which host this is, and its limits.
    pub settings: Settings,
    /// What callbacks cost.
    pub ledger: Ledger,
    /// What the plugin logged.
    pub log: Log,
    /// Time and randomness.
    pub clock: Clock,
    /// Data and queues shared with other VMs.
    pub shared: Shared,
    /// This VM among those that share data and queues.
    member: shared::Member,
    /// Metrics of this VM.
    pub metrics: Metrics,
    /// What the guest may make the host keep.
    pub quota: Quota,
    /// Bytes of the guest's linear memory, as `plugin_vm_memory` shows them; 0 natively.
    pub memory_bytes: u64,
    /// The plugin asked for a new VM in its place, which Higress gives it.
    pub rebuild_requested: bool,
    /// New streams that an iteration of the event loop may begin at most, where the plugin has set
    /// a limit (Higress).
    pub max_requests_per_io_cycle: Option<u64>,
    /// Calls to imports that do nothing here, or only answer, by name.
    pub stubbed: BTreeMap<String, u64>,
    /// What answers the calls that the plugin makes.
    upstreams: Arc<Mutex<upstream::Session>>,
    /// What the plugin last passed to `proxy_send_local_response` on a stream.
    last_reply: Option<Reply>,
    /// What the plugin has declared of properties.
    declared: BTreeMap<Vec<u8>, properties::Declared>,
    /// Expressions that the plugin has made.
    expressions: foreign::Expressions,
    /// Root contexts: the plugin, once for each of its configurations that is in use.
    roots: BTreeMap<u32, Root>,
    streams: Contexts<Stream>,
    connections: Contexts<Connection>,
    /// The root context that is being configured, whose configuration may be read.
    configuring: Option<u32>,
    /// Calls that the plugin has made and that are not over.
    callouts: Callouts,
    /// What has arrived for a call, while the plugin is told.
    delivery: Delivery,
    events: Events,
    /// What the current callback has put off.
    actions: VecDeque<Action>,
    /// The current callback has sent a local reply, and so stops its stream whatever it answers.
    stopped: bool,
    /// The context of the current callback.
    current: u32,
    /// The context that the plugin chose to act on instead.
    effective: Option<u32>,
    /// The stream's access log is being written: everything may be read.
    logging: bool,
    /// Memory for what a guest writes into bodies; used again when all that was written has gone.
    writes: BytesMut,
}

impl Host {
    /// A host without streams.
    pub fn new(settings: Settings, world: &World) -> Self {
        let quota = settings.quota;
        let shared = world.shared.clone().with_id(settings.vm_id.as_bytes());
        Self {
            member: shared.join(),
            log: Log::keeping(settings.log_level, settings.log_lines, settings.log_line_bytes),
            settings,
            ledger: Ledger::default(),
            clock: world.clock.with_seed(world.next_seed()),
            shared,
            metrics: Metrics::default(),
            quota: Quota::new(quota),
            memory_bytes: 0,
            rebuild_requested: false,
            max_requests_per_io_cycle: None,
            stubbed: BTreeMap::new(),
            upstreams: Arc::clone(&world.session),
            last_reply: None,
            declared: BTreeMap::new(),
            expressions: foreign::Expressions::default(),
            roots: BTreeMap::new(),
            streams: Contexts::default(),
            connections: Contexts::default(),
            configuring: None,
            callouts: Callouts::default(),
            delivery: Delivery::default(),
            events: Events::default(),
            actions: VecDeque::new(),
            stopped: false,
            current: 0,
            effective: None,
            logging: false,
            writes: BytesMut::new(),
        }
    }

    /// What answers calls.
    fn upstreams(&self) -> MutexGuard<'_, upstream::Session> {
        // Sessions are valid at every step, and no code of ours panics while it holds one.
        self.upstreams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The context that host calls act on now.
    fn context(&self) -> u32 {
        self.effective.unwrap_or(self.current)
    }

    /// A copy of what a guest writes into a body of so many parts.
    fn written(&mut self, bytes: &[u8], parts: usize) -> Bytes {
        /// A part keeps all of the memory that it was cut from; more of them get their own.
        const MOST_PARTS: usize = 16;
        if parts > MOST_PARTS {
            return Bytes::copy_from_slice(bytes);
        }
        /// Room for a few chunks.
        const ROOM: usize = 64 * 1024;
        if self.writes.capacity() < bytes.len() {
            self.writes.reserve(bytes.len().max(ROOM));
        }
        self.writes.extend_from_slice(bytes);
        self.writes.split().freeze()
    }

    /// The stream that host calls act on now.
    fn stream(&mut self) -> Option<&mut Stream> {
        self.streams.get_mut(&self.context())
    }

    /// The quota, and the stream that host calls act on now.
    fn quota_and_stream(&mut self) -> Option<(&mut Quota, &mut Stream)> {
        let stream = self.streams.get_mut(&self.effective.unwrap_or(self.current))?;
        Some((&mut self.quota, stream))
    }

    /// The root context that the current one belongs to.
    fn root(&self) -> u32 {
        self.root_of(self.context())
    }

    /// The root context that a context belongs to: itself, where it is one.
    fn root_of(&self, context: u32) -> u32 {
        let of_stream = self.streams.get(&context).map(|stream| stream.root);
        let of_connection = || self.connections.get(&context).map(|connection| connection.root);
        of_stream.or_else(of_connection).unwrap_or(context)
    }

    /// Whether a context is there.
    fn has_context(&self, context: u32) -> bool {
        self.streams.contains_key(&context)
            || self.connections.contains_key(&context)
            || self.roots.contains_key(&context)
    }

    /// Counts a call that is answered as a real host would, but without what it stands for.
    fn not_emulated(&mut self, import: &str) {
        *self.stubbed.entry(import.to_owned()).or_insert(0) += 1;
    }

    fn half(&mut self, direction: Direction) -> Option<&mut Half> {
        self.stream().map(|stream| stream.half(direction))
    }
}

/// Headers as they are handed around: names and values.
type Pairs = Vec<(Bytes, Bytes)>;
