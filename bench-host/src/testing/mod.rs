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
//! #         Ok(BodyAction::Continue)
//! #     }
//! # }
//!
//! let mut host = TestHost::native::<Shout>("")?;
//! let outcome = host.send(Call::get("/").answer(Answer::new(200).chunks(["hel", "lo"])))?;
//! assert_eq!(outcome.downstream.text(), "HELLO");
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! [`TestHost::wasm`] takes the same plugin as a module.

mod call;
mod outcome;

pub use call::{Answer, Call};
pub use outcome::{Outcome, Seen};

use std::num::NonZeroUsize;
use std::time::Instant;

use bytes::Bytes;

use crate::engine::native::NativePlugin;
use crate::engine::{Fault, Plugin, StartError};
use crate::host::{Host, Level, LogLine, Measure, Profile, Proxy, Received, Settings, Shared};
use crate::measure::Ledger;
use crate::replay::active::Active;
use crate::traffic::HttpVersion;

/// A proxy with one plugin, to which a test sends requests.
#[derive(Debug)]
pub struct TestHost {
    proxy: Proxy,
}

impl TestHost {
    /// The plugin `P` of this process, on a stock Envoy.
    ///
    /// # Errors
    /// [`StartError`] when it refuses its configuration.
    pub fn native<P: chunkwise::Plugin>(configuration: &str) -> Result<Self, StartError> {
        let mut settings = Settings::new(Profile::Envoy);
        settings.stop_is_stop_all = chunkwise::abi::ABI_VERSION != "0.2.100";
        Self::start(&NativePlugin::<P>::new(), settings, configuration)
    }

    /// A module, on a stock Envoy.
    ///
    /// # Errors
    /// [`StartError`] when it does not load or refuses its configuration.
    #[cfg(feature = "wasm")]
    pub fn wasm(path: &std::path::Path, configuration: &str) -> Result<Self, WasmStartError> {
        use crate::engine::wasm::{Limits, WasmPlugin};

        let module = crate::module::Module::read(path)?;
        module.facts.loadable()?;
        let plugin = WasmPlugin::compile(&module.bytes, Limits::COUNTED)?;
        let mut settings = Settings::new(Profile::Envoy);
        settings.adapt_to(module.facts.abi);
        Ok(Self::start(&plugin, settings, configuration)?)
    }

    /// Any plugin on any proxy.
    ///
    /// # Errors
    /// [`StartError`] when it does not load or refuses its configuration.
    pub fn start(
        plugin: &dyn Plugin,
        settings: Settings,
        configuration: &str,
    ) -> Result<Self, StartError> {
        // Tests want to see everything that the plugin says.
        let settings = Settings { log_level: Level::Trace, ..settings };
        let guest = plugin.guest(Host::new(settings, Shared::default()))?;
        let configuration = Bytes::copy_from_slice(configuration.as_bytes());
        let measure = Measure { time: false, usage: true };
        Ok(Self { proxy: Proxy::start(guest, &configuration, measure)? })
    }

    /// Sends one request and waits for its end.
    ///
    /// # Errors
    /// [`Fault`] when the plugin trapped or panicked.
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
        let mut open = Vec::new();
        for (number, call) in (0..).zip(calls) {
            let exchange = call.into_exchange();
            let protocol = match exchange.http {
                HttpVersion::Http1 => "HTTP/1.1",
                HttpVersion::Http2 => "HTTP/2",
            };
            let (up, down) = (Received::keeping(), Received::keeping());
            let context = self.proxy.open(protocol, up, down)?;
            open.push(Active::new(context, number, Instant::now(), exchange, WHOLE));
        }
        while open.iter().any(|active| !active.is_finished()) {
            for active in &mut open {
                active.step(&mut self.proxy)?;
            }
        }
        let closed = open.iter().map(|active| {
            let stream = self.proxy.close(active.context)?;
            Ok(Outcome::of(stream.expect("a stream is closed once")))
        });
        closed.collect()
    }

    /// What the plugin has logged.
    pub fn log(&mut self) -> &[LogLine] {
        self.proxy.host().log.lines()
    }

    /// What its callbacks have cost.
    pub fn ledger(&mut self) -> &Ledger {
        &self.proxy.host().ledger
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
