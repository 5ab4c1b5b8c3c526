//! A run: workers, and the sum of what they counted.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use super::active::Delivered;
use super::outputs::Outputs;
use super::worker::Worker;
use super::{Options, ReplayError};
use crate::engine::{HeapBooks, Plugin};
use crate::host::{Clock, Crash, LogLine, Shared, World, canary};
use crate::leak::{self, LeakCheck};
use crate::measure::{Latency, Ledger};
use crate::traffic::Traffic;

/// What came of a replay. Everything but durations is the same in every run.
#[derive(Debug, Default)]
pub struct Run {
    /// What callbacks cost.
    pub ledger: Ledger,
    /// Requests whose response reached the client as the upstream or the plugin gave it.
    pub completed: u64,
    /// Among them, those that the plugin answered, or the proxy on its behalf.
    pub local_replies: u64,
    /// Requests that were cut off or stood still.
    pub failed: u64,
    /// Why they failed, and how many of them.
    pub failed_because: BTreeMap<String, u64>,
    /// Body traffic that went in.
    pub delivered: Delivered,
    /// How long requests took, counted from when they were due.
    pub request_latency: Latency,
    /// Linear memory and the guest's heap.
    pub heap: HeapLine,
    /// VMs that were made.
    pub vms: u64,
    /// VMs that were replaced before they failed.
    pub rebuilds: u64,
    /// How long the first VM took to make.
    pub instantiate: Duration,
    /// How long its start and configuration took.
    pub configure: Duration,
    /// VMs that trapped.
    pub crashes: Vec<Crash>,
    /// The plugin's log, as far as it was kept.
    pub log: Vec<LogLine>,
    /// Lines that were not kept.
    pub log_dropped: u64,
    /// Calls to imports that do nothing here.
    pub stubbed: BTreeMap<String, u64>,
    /// Calls of the plugin that no rule of the upstreams answered: the first ones, and how many.
    pub unmatched: (Vec<String>, u64),
    /// What the plugin wanted the host to keep beyond its budget.
    pub refused: Vec<&'static str>,
}

/// Memory over a run, added up over workers.
#[derive(Clone, Debug, Default)]
pub struct HeapLine {
    /// Pages when the plugin was configured.
    pub pages_initial: u64,
    /// Pages at the end.
    pub pages_final: u64,
    /// The most pages.
    pub pages_peak: u64,
    /// The guest's books at the end, where it keeps any.
    pub books: Option<HeapBooks>,
    /// Of the first worker: requests finished, pages, live bytes.
    pub timeline: Vec<(u64, u64, Option<u64>)>,
    /// The longest stretch of it that one VM served: requests finished at its first point and at
    /// its last.
    pub one_vm: (u64, u64),
}

impl HeapLine {
    /// Whether memory grows with requests, in the VM that served most of them.
    #[must_use]
    pub fn leak_check(&self) -> LeakCheck {
        let (from, to) = self.one_vm;
        let start = self.timeline.partition_point(|point| point.0 < from);
        let end = self.timeline.partition_point(|point| point.0 <= to);
        leak::check(&self.timeline[start..end.max(start)])
    }
}

/// Replays a trace through a plugin.
///
/// # Errors
/// [`ReplayError`] when the plugin does not start, or the trace or the outputs fail half-way. A
/// plugin that traps is no error: its streams fail, a new VM takes over, and the run says so.
pub fn replay(
    plugin: &dyn Plugin,
    traffic: &Traffic,
    options: &Options,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Run, ReplayError> {
    let outputs = options.outputs.as_deref().map(Outputs::create).transpose()?;
    let shared = Shared::default();
    // A proxy's main thread tries a configuration before the workers get it.
    let mut world = World::new(Clock::default(), shared.clone(), &options.upstreams);
    world.worker = options.workers.get() as u64;
    canary(&|host| plugin.guest(host), &options.settings, &world, &options.configuration)?;
    let worker = |index| {
        let at = (shared.clone(), index);
        let worker = Worker::start(plugin, options, at, outputs.as_ref(), progress);
        worker?.replay(traffic, index)
    };
    let run = if options.workers.get() == 1 {
        worker(0)?
    } else {
        let worker = &worker;
        let runs = thread::scope(|scope| {
            let threads: Vec<_> = (0..options.workers.get())
                .map(|index| thread::Builder::new().spawn_scoped(scope, move || worker(index)))
                .collect();
            let joined = threads.into_iter().map(|thread| {
                let thread = thread.map_err(ReplayError::Thread)?;
                thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            });
            joined.collect::<Result<Vec<_>, _>>()
        })?;
        runs.into_iter().reduce(Run::and).unwrap_or_default()
    };
    if let Some(outputs) = outputs {
        outputs.close()?;
    }
    Ok(run)
}

impl Run {
    /// Adds up two workers.
    fn and(mut self, other: Self) -> Self {
        self.ledger.add(&other.ledger);
        self.completed += other.completed;
        self.local_replies += other.local_replies;
        self.failed += other.failed;
        for (why, count) in other.failed_because {
            *self.failed_because.entry(why).or_insert(0) += count;
        }
        self.delivered.chunks += other.delivered.chunks;
        self.delivered.bytes += other.delivered.bytes;
        self.request_latency.add(&other.request_latency);
        self.heap.pages_initial += other.heap.pages_initial;
        self.heap.pages_final += other.heap.pages_final;
        self.heap.pages_peak += other.heap.pages_peak;
        if let (Some(mine), Some(theirs)) = (&mut self.heap.books, other.heap.books) {
            mine.live += theirs.live;
            mine.peak += theirs.peak;
            mine.arena += theirs.arena;
        }
        self.vms += other.vms;
        self.rebuilds += other.rebuilds;
        self.crashes.extend(other.crashes);
        self.log.extend(other.log);
        self.log_dropped += other.log_dropped;
        for (name, count) in other.stubbed {
            *self.stubbed.entry(name).or_insert(0) += count;
        }
        self.unmatched.0.extend(other.unmatched.0);
        self.unmatched.1 += other.unmatched.1;
        self.refused.extend(other.refused);
        self
    }
}
