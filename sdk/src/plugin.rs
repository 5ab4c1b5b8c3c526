//! What an author writes: a plugin, and the filter that it puts on every stream.

use crate::config::{Config, ConfigError};
use crate::context::PluginContext;
use crate::error::Result;
use crate::http::{
    BodyAction, BodyMode, Chunk, EndedStream, HeadersAction, RequestHeaders, ResponseHeaders,
    Trailers, TrailersAction,
};

/// One configuration of a plugin; it lives as long as the proxy keeps that configuration.
///
/// A proxy makes one in every worker, and a new one beside it when the configuration changes;
/// streams keep the one that they began with. Filters see it by shared reference, since several
/// streams are open at once.
pub trait Plugin: Sized + 'static {
    /// State of one stream.
    type Filter: Filter<Self>;

    /// What becomes of a stream whose callback returned an error.
    const ON_ERROR: OnError = OnError::Refuse;

    /// Which hosts the module is for; [`plugin!`](crate::plugin) has to be told the same.
    const HOST: Host = Host::Envoy;

    /// When the plugin wants a fresh VM.
    const REBUILD: Rebuild = Rebuild::NEVER;

    /// Builds the plugin from its configuration.
    ///
    /// # Errors
    /// An error is logged and makes the proxy refuse the configuration; it keeps running with the
    /// one that it has.
    fn configure(config: &Config<'_>) -> Result<Self, ConfigError>;

    /// The plugin has been configured: the place to start timers and tasks.
    ///
    /// A proxy configures a plugin in a VM of its own first, to see whether it is refused, and ends
    /// that VM; so this runs more often than there are workers.
    ///
    /// # Errors
    /// An error is logged and makes the proxy refuse the configuration.
    fn start(&self, _context: &PluginContext<Self>) -> Result<()> {
        Ok(())
    }

    /// Begins a stream. Called before its request headers arrive.
    fn filter(&self) -> Self::Filter;
}

/// What becomes of a stream whose callback returned an error. The error is logged either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnError {
    /// Let the stream go on untouched: no later callback of it is made. For plugins that observe.
    Continue,
    /// Answer with 500, or reset the stream where its response has begun. For plugins that guard.
    Refuse,
}

/// Which hosts a module is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Host {
    /// Any: Envoy, Istio, Higress. The module declares ABI 0.2.1.
    Envoy,
    /// Higress alone: the module declares ABI 0.2.100, under which headers can be held while the
    /// body comes, and bytes can be sent on at any time. No other host loads it.
    Higress,
}

/// When a plugin wants a fresh VM, since the memory of a module never shrinks.
///
/// The limits are looked at when a request begins.
///
/// - Higress is asked: a new VM is made beside this one within a second, and this one ends with its
///   last stream.
/// - A stock Envoy, from 1.33 on, makes a new VM of one that has trapped, under the failure policy
///   `FAIL_RELOAD` alone. Where the *configuration of the VM* says
///   `{"failure_policy":"FAIL_RELOAD"}`, which is for the operator to write next to the policy
///   itself, the VM ends itself with a trap as soon as it is two seconds old, no stream is open and
///   no call is under way; no request fails. Said without the policy, it is the end of the plugin.
/// - Otherwise the VM is kept, and the log says so, once.
///
/// `docs/rebuild.md` has what is to be configured, what was measured, and the dangers.
///
/// Plugins that run natively have no memory of their own, so only their requests count.
///
/// What a VM needs right after its start has to be well below the limit of memory, or it is made
/// anew every second or two.
///
/// # Cost
/// A comparison for each request; one host call for a request at which a limit is passed, and one
/// more for the first of a VM to find out which host it is ([`Host::Envoy`]). A VM that has a
/// configuration reads it when it starts, and the clock where it says that it is made anew. Once it
/// is time, the clock is read whenever the VM is idle, until it is old enough, and with each request
/// once the VM has twice what a limit allows, until the log has said so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rebuild {
    pub(crate) requests: u64,
    pub(crate) memory: usize,
}

impl Rebuild {
    /// Never.
    pub const NEVER: Self = Self { requests: u64::MAX, memory: usize::MAX };

    /// After so many requests, counted over all configurations of the VM.
    #[must_use]
    pub const fn after_requests(self, requests: u64) -> Self {
        Self { requests, ..self }
    }

    /// When the module's memory has so many bytes.
    #[must_use]
    pub const fn at_memory(self, bytes: usize) -> Self {
        Self { memory: bytes, ..self }
    }
}

/// The state of one stream, and what happens to it.
///
/// Every method has a default that lets everything pass and calls nothing. While a method runs
/// the SDK holds no lock and no borrow of its own, so a host may call back in the middle of any
/// host call.
///
/// # Errors
/// Methods return [`crate::Error`]; what becomes of the stream then is [`Plugin::ON_ERROR`].
pub trait Filter<P: Plugin> {
    /// How request bodies are given, unless the header callback
    /// [chooses](RequestHeaders::body_mode).
    const REQUEST_BODY: BodyMode = BodyMode::Stream;

    /// How response bodies are given, unless the header callback
    /// [chooses](ResponseHeaders::body_mode).
    const RESPONSE_BODY: BodyMode = BodyMode::Stream;

    /// Request headers arrived; nothing has been sent upstream yet.
    fn request_headers(
        &mut self,
        _plugin: &P,
        _headers: &RequestHeaders<'_>,
    ) -> Result<HeadersAction> {
        Ok(HeadersAction::Continue)
    }

    /// A part of the request body arrived.
    ///
    /// The call with [`Chunk::is_last`] comes exactly once for each body, empty ones and those
    /// that trailers end included. A request without a body
    /// ([`has_body`](RequestHeaders::has_body) is false) gets none.
    fn request_body(&mut self, _plugin: &P, _chunk: &mut Chunk<'_>) -> Result<BodyAction> {
        Ok(BodyAction::Pass)
    }

    /// Request trailers arrived; the last chunk was given before.
    fn request_trailers(
        &mut self,
        _plugin: &P,
        _trailers: &Trailers<'_>,
    ) -> Result<TrailersAction> {
        Ok(TrailersAction::Continue)
    }

    /// Response headers arrived; nothing has been sent to the client yet.
    ///
    /// A local reply passes here too, this plugin's own included.
    fn response_headers(
        &mut self,
        _plugin: &P,
        _headers: &ResponseHeaders<'_>,
    ) -> Result<HeadersAction> {
        Ok(HeadersAction::Continue)
    }

    /// A part of the response body arrived; see [`request_body`](Self::request_body).
    fn response_body(&mut self, _plugin: &P, _chunk: &mut Chunk<'_>) -> Result<BodyAction> {
        Ok(BodyAction::Pass)
    }

    /// Response trailers arrived; the last chunk was given before.
    fn response_trailers(
        &mut self,
        _plugin: &P,
        _trailers: &Trailers<'_>,
    ) -> Result<TrailersAction> {
        Ok(TrailersAction::Continue)
    }

    /// The stream is over, well or badly.
    fn done(&mut self, _plugin: &P, _stream: &EndedStream<'_>) {}
}

/// A filter that lets everything pass, for plugins that only have timers and tasks.
impl<P: Plugin> Filter<P> for () {}
