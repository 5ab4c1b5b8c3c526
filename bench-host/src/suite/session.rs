//! A plugin in a VM of its own, as suites drive it. Nothing else here touches the proxy.

use std::num::NonZeroUsize;
use std::time::Instant;

use bytes::Bytes;

use crate::engine::{Fault, Plugin, StartError};
use crate::host::{
    Clock, Direction, GivenProperties, HeaderMap, Host, LogLine, Measure, Proxy, Received,
    Settings, Shared, Step,
};
use crate::measure::Ledger;
use crate::replay::active::Active;
use crate::testing::Outcome;
use crate::traffic::{Exchange, HttpVersion};

/// What a VM starts with.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    pub settings: Settings,
    pub configuration: Bytes,
    /// Nanoseconds at which the clock stands still; it runs otherwise.
    pub frozen: Option<u64>,
    pub properties: Option<GivenProperties>,
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
pub(super) struct Session {
    proxy: Proxy,
}

impl Session {
    pub fn start(plugin: &dyn Plugin, setup: &Setup, measure: Measure) -> Result<Self, StartError> {
        let mut host = Host::new(setup.settings.clone(), Shared::default());
        if let Some(now) = setup.frozen {
            host.clock = Clock::frozen(now);
        }
        if setup.whole_log {
            host.log.keep(LOG_LINES, LOG_BYTES);
        }
        host.given_properties.clone_from(&setup.properties);
        let guest = plugin.guest(host)?;
        Ok(Self { proxy: Proxy::start(guest, &setup.configuration, measure)? })
    }

    /// Opens a stream whose callbacks are made one by one.
    pub fn open(&mut self) -> Result<u32, Fault> {
        self.proxy.open("HTTP/1.1", Received::default(), Received::default())
    }

    pub fn headers(
        &mut self,
        stream: u32,
        direction: Direction,
        headers: HeaderMap,
    ) -> Result<Step, Fault> {
        self.proxy.step_headers(stream, direction, headers)
    }

    pub fn body(
        &mut self,
        stream: u32,
        direction: Direction,
        frame: Bytes,
        end: bool,
    ) -> Result<Step, Fault> {
        self.proxy.step_body(stream, direction, frame, end)
    }

    pub fn close(&mut self, stream: u32) -> Result<(), Fault> {
        self.proxy.close(stream).map(drop)
    }

    pub fn end_plugin(&mut self) -> Result<(), Fault> {
        self.proxy.end_plugin()
    }

    /// Passes a whole exchange through the filter manager.
    pub fn exchange(&mut self, exchange: Exchange, cut: NonZeroUsize) -> Result<Outcome, Fault> {
        let protocol = match exchange.http {
            HttpVersion::Http1 => "HTTP/1.1",
            HttpVersion::Http2 => "HTTP/2",
        };
        let (up, down) = (Received::keeping(), Received::keeping());
        let context = self.proxy.open(protocol, up, down)?;
        let mut active = Active::new(context, 0, Instant::now(), exchange, cut);
        while !active.is_finished() {
            active.step(&mut self.proxy)?;
        }
        let stream = self.proxy.close(context)?;
        Ok(Outcome::of(stream.expect("the stream was opened above and is closed once")))
    }

    /// Where the log ends now.
    pub fn mark(&mut self) -> usize {
        self.proxy.host().log.lines().len()
    }

    /// What was logged from a mark on.
    pub fn log_since(&mut self, mark: usize) -> &[LogLine] {
        self.proxy.host().log.lines().get(mark..).unwrap_or_default()
    }

    pub fn set_measure(&mut self, measure: Measure) {
        self.proxy.set_measure(measure);
    }

    pub fn ledger(&mut self) -> &mut Ledger {
        &mut self.proxy.host().ledger
    }

    /// Pages of linear memory.
    pub fn pages(&mut self) -> u64 {
        self.proxy.guest().heap().pages
    }
}
