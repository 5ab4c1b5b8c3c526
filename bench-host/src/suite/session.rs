//! A plugin in a VM of its own, as suites drive it. Nothing else here touches the proxy.

use std::num::NonZeroUsize;
use std::time::Instant;

use bytes::Bytes;

use crate::engine::{Fault, Plugin, StartError};
use crate::host::{
    Clock, Direction, HeaderMap, LogLine, Measure, Received, Settings, Shared, Slot, Step, World,
};
use crate::measure::Ledger;
use crate::replay::active::Active;
use crate::replay::drive;
use crate::testing::Outcome;
use crate::traffic::Exchange;
use crate::upstream::Upstreams;

/// What a VM starts with.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    pub settings: Settings,
    pub configuration: Bytes,
    /// The configuration that takes its place before anything is sent.
    pub update: Option<Bytes>,
    /// What answers calls.
    pub upstreams: Upstreams,
    /// Nanoseconds at which the clock stands still; it runs otherwise.
    pub frozen: Option<u64>,
    /// Whether all of the log is kept, for comparing.
    pub whole_log: bool,
}

/// Lines, and bytes of a line, that are kept for comparing.
const LOG_LINES: usize = 100_000;
const LOG_BYTES: usize = 1024 * 1024;

/// Counts what callbacks use.
pub(super) const COUNT: Measure = Measure { time: false, usage: true };
/// Takes the time of callbacks.
pub(super) const TIME: Measure = Measure { time: true, usage: false };
/// Takes nothing down.
pub(super) const NOTHING: Measure = Measure { time: false, usage: false };

/// A plugin that has been configured.
#[derive(Debug)]
pub(super) struct Session<'a> {
    slot: Slot<'a>,
}

impl<'a> Session<'a> {
    pub fn start(
        plugin: &'a dyn Plugin,
        setup: &Setup,
        measure: Measure,
    ) -> Result<Self, StartError> {
        let clock = setup.frozen.map(Clock::frozen).unwrap_or_default();
        let world = World::new(clock, Shared::default(), &setup.upstreams);
        let mut settings = setup.settings.clone();
        if setup.whole_log {
            settings.log_lines = LOG_LINES;
            settings.log_line_bytes = LOG_BYTES;
        }
        let make = |host| plugin.guest(host);
        let mut slot = Slot::start(make, settings, world, setup.configuration.clone(), measure)?;
        if let Some(update) = &setup.update {
            slot.configure(update.clone())?;
        }
        Ok(Self { slot })
    }

    /// Opens a stream whose callbacks are made one by one.
    pub fn open(&mut self) -> Result<u32, Fault> {
        self.slot.current().step_open()
    }

    pub fn headers(
        &mut self,
        stream: u32,
        direction: Direction,
        headers: HeaderMap,
    ) -> Result<Step, Fault> {
        self.slot.current().step_headers(stream, direction, headers)
    }

    pub fn body(
        &mut self,
        stream: u32,
        direction: Direction,
        frame: Bytes,
        end: bool,
    ) -> Result<Step, Fault> {
        self.slot.current().step_body(stream, direction, frame, end)
    }

    pub fn close(&mut self, stream: u32) -> Result<(), Fault> {
        self.slot.current().step_close(stream)
    }

    pub fn end_plugin(&mut self) -> Result<(), Fault> {
        self.slot.current().end_plugin()
    }

    /// Passes a whole exchange through the filter manager, and waits for the answers to calls that
    /// the plugin made beside it.
    pub fn exchange(&mut self, exchange: Exchange, cut: NonZeroUsize) -> Result<Outcome, Fault> {
        let slot = &mut self.slot;
        let (up, down) = (Received::keeping(), Received::keeping());
        let stream = slot.open(exchange.http.protocol(), up, down);
        let mut open = [Active::new(stream, 0, Instant::now(), exchange, cut)];
        drive::to_the_end(slot, &mut open);
        let stream = slot.close(stream);
        drive::last_answers(slot);
        slot.note_faults(None);
        if let Some(crash) = slot.crashes().first() {
            return Err(crash.fault.clone());
        }
        Ok(Outcome::of(stream.expect("the stream was opened above and is closed once")))
    }

    /// Where the log ends now.
    pub fn mark(&mut self) -> usize {
        self.slot.current().host().log.lines().len()
    }

    /// What was logged from a mark on.
    pub fn log_since(&mut self, mark: usize) -> &[LogLine] {
        self.slot.current().host().log.lines().get(mark..).unwrap_or_default()
    }

    pub fn set_measure(&mut self, measure: Measure) {
        self.slot.current().set_measure(measure);
    }

    pub fn ledger(&mut self) -> &mut Ledger {
        &mut self.slot.current().host().ledger
    }

    /// Pages of linear memory.
    pub fn pages(&mut self) -> u64 {
        self.slot.current().guest().heap().pages
    }
}
