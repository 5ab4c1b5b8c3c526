//! Tests of a plugin, natively or in wasm, with the same words.
//!
//! ```
//! use bench_host::testing::{Answer, Call, TestHost};
//! # use chunkwise::{Chunk, Config, ConfigError, Filter, Plugin, Result, http::BodyAction};
//! # struct Shout;
//! # struct ShoutFilter;
//! # impl Plugin for Shout {
//! #     type Filter = ShoutFilter;
//! #     fn configure(_: &Config<'_>) -> Result<Self, ConfigError> { Ok(Self) }
//! #     fn filter(&self) -> ShoutFilter { ShoutFilter }
//! # }
//! # impl Filter<Shout> for ShoutFilter {
//! #     fn response_body(&mut self, _: &Shout, chunk: &mut Chunk<'_>) -> Result<BodyAction> {
//! #         chunk.bytes_mut()?.make_ascii_uppercase();
//! #         Ok(BodyAction::Pass)
//! #     }
//! # }
//!
//! let mut host = TestHost::native::<Shout>("")?;
//! let outcome = host.send(Call::get("/").answer(Answer::new(200).chunks(["hel", "lo"])))?;
//! assert_eq!(outcome.downstream.text(), "HELLO");
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! [`TestHost::wasm`] takes the same plugin as a module, and [`Setup`] chooses the proxy around it.

mod call;
mod callout;
#[cfg(feature = "wasm")]
mod module;
mod outcome;
mod setup;
mod steps;
mod together;

pub use call::{Answer, Call};
pub use callout::Callout;
#[cfg(feature = "wasm")]
pub use module::TestModule;
pub use outcome::{Outcome, Seen};
pub use setup::Setup;
pub use together::run_together;

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::engine::{Fault, Plugin, StartError};
use crate::host::{Level, LogLine, Measure, Proxy, Received, Settings, Slot, World};
use crate::measure::Ledger;
use crate::replay::active::Active;
use crate::replay::drive;
use crate::traffic::Exchange;

/// A proxy with one plugin, to which a test sends requests.
#[derive(Debug)]
pub struct TestHost {
    slot: Slot<'static>,
    /// Faults that were handed out.
    told: usize,
}

impl TestHost {
    /// The plugin `P` of this process, on a stock Envoy, or on Higress where it declares that ABI.
    ///
    /// # Errors
    /// [`StartError`] when it refuses its configuration.
    pub fn native<P: chunkwise::Plugin>(configuration: &str) -> Result<Self, StartError> {
        let setup = Setup::new();
        let setup = if setup::declares_higress::<P>() { setup.higress() } else { setup };
        setup.native::<P>(configuration)
    }

    /// A module, on a stock Envoy, or on Higress where it declares that ABI.
    ///
    /// # Errors
    /// [`StartError`] when it does not load or refuses its configuration.
    #[cfg(feature = "wasm")]
    pub fn wasm(path: &std::path::Path, configuration: &str) -> Result<Self, WasmStartError> {
        let module = TestModule::read(path)?;
        let setup = Setup::new();
        let setup = if module.declares_higress() { setup.higress() } else { setup };
        Ok(setup.module(&module, configuration)?)
    }

    /// Any plugin on any proxy.
    ///
    /// # Errors
    /// [`StartError`] when it does not load or refuses its configuration.
    pub fn start(
        plugin: &(impl Plugin + Clone + 'static),
        settings: Settings,
        configuration: &str,
    ) -> Result<Self, StartError> {
        Self::start_in(plugin, settings, World::default(), configuration)
    }

    /// Any plugin on any proxy, with a clock, shared data and upstreams of the test's choice.
    ///
    /// # Errors
    /// [`StartError`] when it does not load or refuses its configuration.
    pub fn start_in(
        plugin: &(impl Plugin + Clone + 'static),
        settings: Settings,
        world: World,
        configuration: &str,
    ) -> Result<Self, StartError> {
        // Tests want to see everything that the plugin says.
        let settings = Settings { log_level: Level::Trace, ..settings };
        let plugin = plugin.clone();
        let make = move |host| plugin.guest(host);
        let configuration = Bytes::copy_from_slice(configuration.as_bytes());
        let measure = Measure { time: false, usage: true };
        world.keep_calls();
        let slot = Slot::start(make, settings, world, configuration, measure)?;
        Ok(Self { slot, told: 0 })
    }

    /// Gives the plugin another configuration, in the same VM, after trying it in another one.
    ///
    /// # Errors
    /// [`StartError`] when it refuses; then the configuration before stays.
    pub fn configure(&mut self, configuration: &str) -> Result<(), StartError> {
        self.slot.configure(Bytes::copy_from_slice(configuration.as_bytes()))
    }

    /// Sends one request and waits for its end.
    ///
    /// # Errors
    /// [`Fault`] when the plugin trapped or panicked; [`outcomes`](Self::outcomes) goes on.
    pub fn send(&mut self, call: Call) -> Result<Outcome, Fault> {
        let mut outcomes = self.interleave([call])?;
        Ok(outcomes.pop().expect("one call has one outcome"))
    }

    /// Sends several requests at once; their callbacks alternate.
    ///
    /// # Errors
    /// [`Fault`] when the plugin trapped or panicked.
    pub fn interleave(
        &mut self,
        calls: impl IntoIterator<Item = Call>,
    ) -> Result<Vec<Outcome>, Fault> {
        let outcomes = self.outcomes(calls);
        self.untold().map_or(Ok(outcomes), Err)
    }

    /// The first fault that was not handed out yet, and with it all of them are.
    fn untold(&mut self) -> Option<Fault> {
        let crashes = self.slot.crashes();
        let fault = crashes.get(self.told)?.fault.clone();
        self.told = crashes.len();
        Some(fault)
    }

    /// Sends several requests at once, and says what became of them even if the plugin trapped.
    pub fn outcomes(&mut self, calls: impl IntoIterator<Item = Call>) -> Vec<Outcome> {
        let mut open = Vec::new();
        for (number, call) in (0..).zip(calls) {
            let exchange = Exchange::from(call);
            let (up, down) = (Received::keeping(), Received::keeping());
            let stream = self.slot.open(exchange.http.protocol(), up, down);
            open.push(Active::new(stream, number, Instant::now(), exchange, WHOLE));
        }
        drive::to_the_end(&mut self.slot, &mut open);
        let closed = open.iter().filter_map(|active| {
            let stream = self.slot.close(active.stream);
            self.slot.note_faults(Some(active.number));
            stream.map(Outcome::of)
        });
        closed.collect()
    }

    /// Lets time pass without requests: timers fire, and answers arrive.
    ///
    /// # Errors
    /// [`Fault`] when the plugin trapped or panicked.
    pub fn run_for(&mut self, time: Duration) -> Result<(), Fault> {
        let time = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.slot.run_until(self.slot.now().saturating_add(time));
        self.slot.note_faults(None);
        self.interleave([]).map(drop)
    }

    /// The HTTP calls that the plugin has made since this was asked last, in their order, as the
    /// upstream script saw them. Calls to clusters that no script knows are not among them: they
    /// are refused. Workers of one proxy have one list. Of calls that nobody takes, the first 64 MiB
    /// are kept.
    pub fn take_callouts(&mut self) -> Vec<Callout> {
        self.slot.world().take_calls().into_iter().map(Callout::of).collect()
    }

    /// The proxy around the current VM, for what a test wants to do step by step, and for what the
    /// plugin has counted: `host.proxy().host().metrics.iter()`.
    pub fn proxy(&mut self) -> &mut Proxy {
        self.slot.current()
    }

    /// All VMs, the current one and those before it.
    pub fn slot(&mut self) -> &mut Slot<'static> {
        &mut self.slot
    }

    /// What the plugin has logged, in its current VM.
    pub fn log(&mut self) -> &[LogLine] {
        self.slot.current().host().log.lines()
    }

    /// What its callbacks have cost, in its current VM.
    pub fn ledger(&mut self) -> &Ledger {
        &self.slot.current().host().ledger
    }
}

/// Bodies come in the chunks that the test says.
const WHOLE: NonZeroUsize = NonZeroUsize::MAX;

/// Why a module could not be started for a test.
#[cfg(feature = "wasm")]
#[derive(Debug, thiserror::Error)]
pub enum WasmStartError {
    /// It cannot be read.
    #[error(transparent)]
    Module(#[from] crate::module::ModuleError),
    /// It is not a plugin.
    #[error(transparent)]
    NotAPlugin(#[from] crate::module::NotAPlugin),
    /// It does not start.
    #[error(transparent)]
    Start(#[from] StartError),
}
