//! One worker: its VMs, and the streams that are open in them.

use std::thread;
use std::time::{Duration, Instant};

use super::active::{Active, Step};
use super::drive;
use super::outputs::Outputs;
use super::run::Run;
use super::{Options, ReplayError};
use crate::engine::{Plugin, StartError};
use crate::host::{Clock, Ended, Received, Shared, Slot, StartTimes, Stream, World};
use crate::traffic::{Exchange, Traffic};

/// Points of the heap's timeline that are kept; beyond it every other one goes.
const TIMELINE: usize = 512;

pub(super) struct Worker<'a> {
    options: &'a Options,
    outputs: Option<&'a Outputs>,
    progress: &'a (dyn Fn(u64) + Sync),
    slot: Slot<'a>,
    open: Vec<(Active, String)>,
    run: Run,
    finished: u64,
    timeline_stride: u64,
    /// Which VM was seen last, and since how many finished requests.
    vm: (u64, u64),
    /// When the run began, on the worker's clock.
    began: u64,
}

impl<'a> Worker<'a> {
    /// Starts the first VM.
    pub fn start(
        plugin: &'a dyn Plugin,
        options: &'a Options,
        (shared, index): (Shared, usize),
        outputs: Option<&'a Outputs>,
        progress: &'a (dyn Fn(u64) + Sync),
    ) -> Result<Self, StartError> {
        let clock = if options.wall_clock { Clock::wall_clock() } else { Clock::default() };
        let mut world = World::new(clock, shared, &options.upstreams);
        world.worker = index as u64;
        let began = world.clock.now();
        let slot = Slot::start(
            |host| plugin.guest(host),
            options.settings.clone(),
            world,
            options.configuration.clone(),
            options.measure,
        )?;
        let StartTimes { instantiate, configure } = slot.start_times();
        let run = Run { instantiate, configure, ..Run::default() };
        let mut worker = Self {
            options,
            outputs,
            progress,
            slot,
            open: Vec::new(),
            run,
            finished: 0,
            timeline_stride: 1,
            vm: (1, 0),
            began,
        };
        worker.run.heap.pages_initial = worker.slot.current().guest().heap().pages;
        worker.note_heap();
        Ok(worker)
    }

    /// Replays this worker's share of the trace.
    pub fn replay(mut self, traffic: &Traffic, index: usize) -> Result<Run, ReplayError> {
        let workers = self.options.workers.get() as u64;
        let begin = Instant::now();
        let mut exchanges = (0..self.options.repeat.get())
            .flat_map(|_| traffic.exchanges())
            .zip(0_u64..)
            .filter(|(_, number)| number % workers == index as u64);
        let mut next = exchanges.next();
        while next.is_some() || !self.open.is_empty() {
            let free = self.open.len() < self.options.streams.get();
            match next.take() {
                Some((exchange, number))
                    if free && self.is_due(begin, number, self.open.is_empty()) =>
                {
                    self.begin(exchange?, number, self.due(begin, number));
                    next = exchanges.next();
                }
                waiting => {
                    next = waiting;
                    self.round()?;
                }
            }
        }
        drive::last_answers(&mut self.slot);
        Ok(self.end())
    }

    /// Opens a stream for an exchange.
    fn begin(&mut self, exchange: Exchange, number: u64, due: Instant) {
        self.pass_time_until(&exchange, number);
        let label = exchange.label.clone();
        let (upstream, downstream) = match self.outputs {
            Some(outputs) => outputs.receivers(number),
            None => (Received::default(), Received::default()),
        };
        let mut exchange = exchange;
        exchange.http = self.options.http.unwrap_or(exchange.http);
        let stream = self.slot.open(exchange.http.protocol(), upstream, downstream);
        self.slot.note_faults(Some(number));
        let active = Active::new(stream, number, due, exchange, self.options.chunk);
        self.open.push((active, label));
    }

    /// Lets the virtual clock reach the time at which a request begins, and happen what is due
    /// before: by the rate, or else as it was recorded.
    fn pass_time_until(&mut self, exchange: &Exchange, number: u64) {
        let at = match self.options.rate {
            Some(rate) => Some(Duration::from_secs_f64(number as f64 / rate)),
            None => exchange.start,
        };
        if let Some(at) = at.filter(|_| !self.options.wall_clock) {
            let at = u64::try_from(at.as_nanos()).unwrap_or(u64::MAX);
            self.slot.run_until(self.began.saturating_add(at));
            self.slot.note_faults(None);
        }
    }

    /// One event for every open stream.
    fn round(&mut self) -> Result<(), ReplayError> {
        let mut at = 0;
        let mut moved = false;
        while at < self.open.len() {
            let (active, _) = &mut self.open[at];
            moved |= drive::step(&mut self.slot, active) == Step::Moved;
            if !active.is_finished() {
                at += 1;
                continue;
            }
            let (active, label) = self.open.remove(at);
            let stream = self.slot.close(active.stream);
            self.slot.note_faults(Some(active.number));
            self.finish(&active, &label, stream)?;
        }
        moved |= drive::pass_turn(&mut self.slot);
        if !moved {
            drive::wait(&mut self.slot, self.open.iter_mut().map(|(active, _)| active));
        }
        Ok(())
    }

    fn finish(
        &mut self,
        active: &Active,
        label: &str,
        stream: Option<Stream>,
    ) -> Result<(), ReplayError> {
        self.run.request_latency.record(active.due.elapsed());
        self.finished += 1;
        (self.progress)(active.delivered.bytes);
        self.run.delivered.chunks += active.delivered.chunks;
        self.run.delivered.bytes += active.delivered.bytes;
        let Some(mut stream) = stream else {
            self.run.failed += 1;
            return Ok(());
        };
        if stream.response.received.ended && !stream.reset && !stream.failed {
            self.run.completed += 1;
            self.run.local_replies += u64::from(stream.replied_locally);
        } else {
            self.run.failed += 1;
            *self.run.failed_because.entry(why_failed(&stream)).or_insert(0) += 1;
        }
        if let Some(outputs) = self.outputs {
            outputs.finish(active.number, label, &mut stream)?;
        }
        self.note_heap();
        Ok(())
    }

    /// Takes the books of all VMs.
    fn end(self) -> Run {
        let Self { slot, mut run, options, .. } = self;
        run.vms = slot.vms();
        run.rebuilds = slot.rebuilds();
        run.crashes = slot.crashes().to_vec();
        run.unmatched = slot.unmatched();
        for ended in slot.finish() {
            run.heap.pages_final = ended.heap.pages;
            run.heap.pages_peak = run.heap.pages_peak.max(ended.heap.pages);
            run.heap.books = ended.heap.books;
            let Ended { ledger, log, stubbed, refused, .. } = ended;
            run.ledger.add(&ledger);
            // A plugin that crashes at every request must not fill the memory with what it says.
            let room = options.settings.log_lines.saturating_sub(run.log.len());
            let room = room.min(log.lines().len());
            let (kept, over) = log.lines().split_at(room);
            run.log.extend_from_slice(kept);
            run.log_dropped += log.dropped() + over.len() as u64;
            for (name, count) in stubbed {
                *run.stubbed.entry(name).or_insert(0) += count;
            }
            run.refused.extend(refused);
        }
        run
    }

    fn note_heap(&mut self) {
        if !self.options.measure.usage {
            return;
        }
        if self.vm.0 != self.slot.vms() {
            self.vm = (self.slot.vms(), self.finished);
        }
        let (from, to) = self.run.heap.one_vm;
        if self.finished - self.vm.1 > to - from {
            self.run.heap.one_vm = (self.vm.1, self.finished);
        }
        let heap = self.slot.current().guest().heap();
        self.run.heap.pages_peak = self.run.heap.pages_peak.max(heap.pages);
        if !self.finished.is_multiple_of(self.timeline_stride) {
            return;
        }
        let live = heap.books.map(|books| books.live);
        let timeline = &mut self.run.heap.timeline;
        timeline.push((self.finished, heap.pages, live));
        if timeline.len() > TIMELINE {
            self.timeline_stride *= 2;
            let stride = self.timeline_stride;
            timeline.retain(|(finished, ..)| finished.is_multiple_of(stride));
        }
    }

    /// When a request is due: in open loop by the rate, however late the plugin is, so that a slow
    /// callback counts for every request behind it (no coordinated omission).
    fn due(&self, begin: Instant, number: u64) -> Instant {
        match self.options.rate.filter(|_| self.options.measure.time) {
            Some(rate) => begin + Duration::from_secs_f64(number as f64 / rate),
            None => Instant::now(),
        }
    }

    /// Whether a request is due; with nothing else to do, waits until it is.
    fn is_due(&mut self, begin: Instant, number: u64, idle: bool) -> bool {
        let ahead = self.due(begin, number).saturating_duration_since(Instant::now());
        if idle && self.options.wall_clock {
            // Timers fire and answers arrive meanwhile.
            let ahead = u64::try_from(ahead.as_nanos()).unwrap_or(u64::MAX);
            self.slot.run_until(self.slot.now().saturating_add(ahead));
        } else if idle {
            thread::sleep(ahead);
        }
        idle || ahead.is_zero()
    }
}

/// Why a request did not come to its end.
fn why_failed(stream: &Stream) -> String {
    if stream.failed {
        "the plugin had failed".to_owned()
    } else if stream.reset && !stream.details.is_empty() {
        format!("the response was cut off ({})", stream.details)
    } else if stream.reset {
        "the stream was cut off".to_owned()
    } else {
        stream.stalled.clone().unwrap_or_else(|| "the response never ended".to_owned())
    }
}
