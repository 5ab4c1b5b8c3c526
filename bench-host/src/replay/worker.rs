//! One worker: a VM, and the streams that are open in it.

use std::time::{Duration, Instant};
use std::{mem, thread};

use super::active::Active;
use super::outputs::Outputs;
use super::run::{Crash, Run};
use super::{Options, ReplayError};
use crate::engine::{Fault, Plugin, StartError};
use crate::host::{Host, Proxy, Received, Shared};
use crate::traffic::{Exchange, HttpVersion, Traffic};

/// Points of the heap's timeline that are kept; beyond it every other one goes.
const TIMELINE: usize = 512;

pub(super) struct Worker<'a> {
    plugin: &'a dyn Plugin,
    options: &'a Options,
    shared: Shared,
    outputs: Option<&'a Outputs>,
    progress: &'a (dyn Fn(u64) + Sync),
    /// `None` after a crash, until the next request needs a VM.
    proxy: Option<Proxy>,
    run: Run,
    finished: u64,
    timeline_stride: u64,
}

impl<'a> Worker<'a> {
    /// Starts the first VM.
    pub fn start(
        plugin: &'a dyn Plugin,
        options: &'a Options,
        shared: Shared,
        outputs: Option<&'a Outputs>,
        progress: &'a (dyn Fn(u64) + Sync),
    ) -> Result<Self, StartError> {
        let mut worker = Self {
            plugin,
            options,
            shared,
            outputs,
            progress,
            proxy: None,
            run: Run::default(),
            finished: 0,
            timeline_stride: 1,
        };
        let (proxy, instantiate, configure) = worker.make_vm()?;
        worker.run.instantiate = instantiate;
        worker.run.configure = configure;
        worker.proxy = Some(proxy);
        worker.run.heap.pages_initial = worker.pages();
        worker.note_heap();
        Ok(worker)
    }

    /// Replays this worker's share of the trace.
    pub fn replay(mut self, traffic: &Traffic, index: usize) -> Result<Run, ReplayError> {
        let workers = self.options.workers.get() as u64;
        let begin = Instant::now();
        let mut open: Vec<(Active, String)> = Vec::new();
        let mut exchanges = (0..self.options.repeat.get())
            .flat_map(|_| traffic.exchanges())
            .zip(0_u64..)
            .filter(|(_, number)| number % workers == index as u64);
        let mut next = exchanges.next();
        while next.is_some() || !open.is_empty() {
            let free = open.len() < self.options.streams.get();
            match next.take() {
                Some((exchange, number)) if free && self.is_due(begin, number, open.is_empty()) => {
                    self.begin(exchange?, number, self.due(begin, number), &mut open)?;
                    next = exchanges.next();
                }
                waiting => {
                    next = waiting;
                    self.round(&mut open)?;
                }
            }
        }
        self.end();
        Ok(self.run)
    }

    /// Opens a stream for an exchange.
    fn begin(
        &mut self,
        exchange: Exchange,
        number: u64,
        due: Instant,
        open: &mut Vec<(Active, String)>,
    ) -> Result<(), StartError> {
        let label = exchange.label.clone();
        match self.open(exchange, number, due)? {
            Ok(active) => open.push((active, label)),
            Err(fault) => {
                self.finished += 1;
                self.run.failed += 1;
                self.crash(fault, Some(number), open)?;
            }
        }
        Ok(())
    }

    /// One event for every open stream.
    fn round(&mut self, open: &mut Vec<(Active, String)>) -> Result<(), ReplayError> {
        let mut at = 0;
        while at < open.len() {
            let Some(proxy) = &mut self.proxy else { break };
            let (active, _) = &mut open[at];
            if let Err(fault) = active.step(proxy) {
                let number = active.number;
                return Ok(self.crash(fault, Some(number), open)?);
            }
            if !active.is_finished() {
                at += 1;
                continue;
            }
            let (active, label) = open.remove(at);
            match proxy.close(active.context) {
                Ok(stream) => self.finish(&active, &label, stream)?,
                Err(fault) => {
                    self.fail(&active);
                    self.crash(fault, Some(active.number), open)?;
                }
            }
        }
        Ok(())
    }

    fn open(
        &mut self,
        exchange: Exchange,
        number: u64,
        due: Instant,
    ) -> Result<Result<Active, Fault>, StartError> {
        let (upstream, downstream) = match self.outputs {
            Some(outputs) => outputs.receivers(number),
            None => (Received::default(), Received::default()),
        };
        let proxy = match &mut self.proxy {
            Some(proxy) => proxy,
            None => {
                let (proxy, ..) = self.make_vm()?;
                self.proxy.insert(proxy)
            }
        };
        let protocol = match exchange.http {
            HttpVersion::Http1 => "HTTP/1.1",
            HttpVersion::Http2 => "HTTP/2",
        };
        let opened = proxy.open(protocol, upstream, downstream);
        Ok(opened.map(|context| Active::new(context, number, due, exchange, self.options.chunk)))
    }

    fn finish(
        &mut self,
        active: &Active,
        label: &str,
        stream: Option<crate::host::Stream>,
    ) -> Result<(), ReplayError> {
        self.run.request_latency.record(active.due.elapsed());
        self.count(active);
        let Some(mut stream) = stream else {
            self.run.failed += 1;
            return Ok(());
        };
        if stream.response.received.ended && !stream.reset {
            self.run.completed += 1;
            self.run.local_replies += u64::from(stream.replied_locally);
        } else {
            self.run.failed += 1;
        }
        if let Some(outputs) = self.outputs {
            outputs.finish(active.number, label, &mut stream)?;
        }
        self.note_heap();
        Ok(())
    }

    fn fail(&mut self, active: &Active) {
        self.count(active);
        self.run.failed += 1;
    }

    fn count(&mut self, active: &Active) {
        self.finished += 1;
        (self.progress)(active.delivered.bytes);
        self.run.delivered.chunks += active.delivered.chunks;
        self.run.delivered.bytes += active.delivered.bytes;
    }

    /// The VM is gone: its streams fail, and the next request gets a new one.
    fn crash(
        &mut self,
        fault: Fault,
        request: Option<u64>,
        open: &mut Vec<(Active, String)>,
    ) -> Result<(), StartError> {
        self.run.crashes.push(Crash { request, fault });
        for (active, _) in mem::take(open) {
            self.fail(&active);
        }
        self.end();
        Ok(())
    }

    /// Takes the books of the VM that ends.
    fn end(&mut self) {
        let Some(mut proxy) = self.proxy.take() else { return };
        let heap = proxy.guest().heap();
        self.run.heap.pages_final = heap.pages;
        self.run.heap.pages_peak = self.run.heap.pages_peak.max(heap.pages);
        self.run.heap.books = heap.books;
        let Host { ledger, log, stubbed, .. } = proxy.into_host();
        self.run.ledger.add(&ledger);
        // A plugin that crashes at every request must not fill the memory with what it says.
        let room = self
            .options
            .settings
            .log_lines
            .saturating_sub(self.run.log.len())
            .min(log.lines().len());
        let (kept, over) = log.lines().split_at(room);
        self.run.log.extend_from_slice(kept);
        self.run.log_dropped += log.dropped() + over.len() as u64;
        for (name, count) in stubbed {
            *self.run.stubbed.entry(name).or_insert(0) += count;
        }
    }

    fn make_vm(&mut self) -> Result<(Proxy, Duration, Duration), StartError> {
        let host = Host::new(self.options.settings.clone(), self.shared.clone());
        let begin = Instant::now();
        let guest = self.plugin.guest(host)?;
        let instantiate = begin.elapsed();
        let begin = Instant::now();
        let proxy = Proxy::start(guest, &self.options.configuration, self.options.measure)?;
        self.run.vms += 1;
        Ok((proxy, instantiate, begin.elapsed()))
    }

    fn pages(&mut self) -> u64 {
        self.proxy.as_mut().map_or(0, |proxy| proxy.guest().heap().pages)
    }

    fn note_heap(&mut self) {
        let Some(proxy) = self.proxy.as_mut().filter(|_| self.options.measure.usage) else {
            return;
        };
        let heap = proxy.guest().heap();
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
        match self.options.rate {
            Some(rate) => begin + Duration::from_secs_f64(number as f64 / rate),
            None => Instant::now(),
        }
    }

    /// Whether a request is due; with nothing else to do, waits until it is.
    fn is_due(&self, begin: Instant, number: u64, idle: bool) -> bool {
        let ahead = self.due(begin, number).saturating_duration_since(Instant::now());
        if idle {
            thread::sleep(ahead);
        }
        idle || ahead.is_zero()
    }
}
