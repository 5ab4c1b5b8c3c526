//! Header maps, read and changed in place in the host.

use std::ops::Deref;
use std::rc::Rc;

use super::action::{HeadersAction, Relaying, Resume, Task};
use super::control::{BodyMode, Site};
use super::field;
use super::held::HeldHeaders;
use super::relay::{Relay, RelayBegin, RelayState};
use super::stream_view::{Stream, VIA_UPSTREAM};
use crate::abi::pairs::{self, Pairs};
use crate::abi::{Direction, Map, host};
use crate::error::{Error, Result};
use crate::memory::with_scratch;

/// A header map that the host holds; nothing of it is fetched before it is asked for.
///
/// Values are bytes (HTTP allows more than ASCII) and are borrowed from the arena until the
/// callback ends.
///
/// # Cost
/// Every method but [`len`](Self::len) and [`is_empty`](Self::is_empty) makes one host call; none
/// allocates.
///
/// # Errors
/// A host answers `BadArgument` for a map that has already been sent on.
#[derive(Debug)]
pub struct Headers<'a> {
    stream: Stream<'a>,
    map: Map,
    len: usize,
}

impl<'a> Headers<'a> {
    pub(crate) fn new(site: Site<'a>, map: Map, len: usize) -> Self {
        Self { stream: Stream(site), map, len }
    }

    /// How many headers there were when the callback began; free.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there were none; free.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The first value of a header. Names are lower case; pseudo headers begin with a colon.
    pub fn get(&self, name: &str) -> Result<Option<&'a [u8]>> {
        host::header(self.stream.0.scope, self.map, name)
    }

    /// All headers in order.
    pub fn iter(&self) -> Result<Pairs<'a>> {
        Pairs::parse(host::header_pairs(self.stream.0.scope, self.map)?)
    }

    /// Sets a header and removes all others of that name.
    ///
    /// # Errors
    /// [`Error::HeaderText`] for a line break or a NUL in name or value, and the host's.
    pub fn set(&self, name: &str, value: impl AsRef<[u8]>) -> Result<()> {
        let value = field::checked(name.as_bytes(), value.as_ref())?;
        self.changes();
        host::set_header(self.map, name, value)
    }

    /// Puts these headers in the place of all, pseudo headers included.
    ///
    /// ```no_run
    /// # use chunkwise::http::ResponseHeaders;
    /// # fn response_headers(headers: &ResponseHeaders<'_>) -> chunkwise::Result<()> {
    /// headers.set_all(&[(":status", "200"), ("content-type", "text/plain")])?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::TooManyHeaders`] for what hosts would read as none at all, [`Error::HeaderText`] as
    /// for [`set`](Self::set), and the host's.
    pub fn set_all<N: AsRef<[u8]>, V: AsRef<[u8]>>(&self, headers: &[(N, V)]) -> Result<()> {
        for (name, value) in headers {
            field::checked(name.as_ref(), value.as_ref())?;
        }
        with_scratch(|pairs| {
            pairs::write(headers, pairs)?;
            self.changes();
            host::set_header_pairs(self.map, pairs)
        })
    }

    /// Adds a header behind those of the same name.
    ///
    /// # Errors
    /// [`Error::HeaderText`] for a line break or a NUL in name or value, and the host's.
    pub fn add(&self, name: &str, value: impl AsRef<[u8]>) -> Result<()> {
        let value = field::checked(name.as_bytes(), value.as_ref())?;
        self.changes();
        host::add_header(self.map, name, value)
    }

    /// Removes all headers of a name; there need not be any.
    pub fn remove(&self, name: &str) -> Result<()> {
        self.changes();
        host::remove_header(self.map, name)
    }

    /// Notes that a host chooses the route again when a request header changes.
    fn changes(&self) {
        if self.map == Map::RequestHeaders {
            self.stream.0.control.route_cleared.set(true);
        }
    }

    pub(super) fn map(&self) -> Map {
        self.map
    }
}

/// Request headers; a [`Headers`] that also knows whether a body follows.
///
/// ```
/// # use chunkwise::call::Call;
/// # use chunkwise::http::{HeadersAction, Reply, RequestHeaders};
/// # fn check() -> Call { unimplemented!() }
/// # fn request_headers(headers: &RequestHeaders<'_>) -> chunkwise::Result<HeadersAction> {
/// let call = check();
/// Ok(headers.wait(async move |request| {
///     let reply = call.await?;
///     if !reply.is_success() {
///         return request.reply(&Reply::new(403));
///     }
///     request.set("x-user", reply.body())?;
///     Ok(chunkwise::http::Resume::Continue)
/// }))
/// # }
/// ```
#[derive(Debug)]
pub struct RequestHeaders<'a> {
    headers: Headers<'a>,
    end: bool,
}

/// Response headers; a [`Headers`] that also knows whether a body follows.
#[derive(Debug)]
pub struct ResponseHeaders<'a> {
    headers: Headers<'a>,
    end: bool,
}

/// Trailers; a [`Headers`] that comes behind a body, for which it is too late then:
///
/// ```compile_fail,E0599
/// # use chunkwise::http::{BodyMode, Trailers};
/// fn request_trailers(trailers: &Trailers<'_>) {
///     trailers.body_mode(BodyMode::Skip);
/// }
/// ```
#[derive(Debug)]
pub struct Trailers<'a>(Headers<'a>);

impl<'a> RequestHeaders<'a> {
    pub(crate) fn new(site: Site<'a>, len: usize, end: bool) -> Self {
        Self { headers: Headers::new(site, Map::RequestHeaders, len), end }
    }

    /// Whether a body (it may be empty) or trailers follow; free.
    pub fn has_body(&self) -> bool {
        !self.end
    }

    /// The path without its query, as the proxy has it (see `normalize_path` of Envoy's connection
    /// manager); `None` where there is none, as for many a CONNECT. One host call.
    pub fn path(&self) -> Result<Option<&'a [u8]>> {
        let path = self.get(":path")?;
        Ok(path.map(|path| path.split(|byte| *byte == b'?').next().unwrap_or(path)))
    }

    /// Chooses how the body of this request is given, instead of
    /// [`Filter::REQUEST_BODY`](crate::Filter::REQUEST_BODY); free.
    pub fn body_mode(&self, mode: BodyMode) {
        self.stream.0.control.side(Direction::Request).choose(mode);
    }

    /// Holds the request until a task has ended. The task is dropped with its calls when the stream
    /// ends before.
    ///
    /// The host holds what follows and slows the client down when that passes its buffer limit
    /// (`StopAllIterationAndWatermark`).
    ///
    /// # Cost
    /// One allocation, for the task; none for a poll. When the task has waited, one host call lets
    /// the request go on, and one more chose its stream. A task that another stream's callback
    /// wakes is polled a millisecond later, for its reply would stop that one.
    pub fn wait<F>(&self, task: F) -> HeadersAction
    where
        F: AsyncFnOnce(HeldHeaders) -> Result<Resume> + 'static,
    {
        let held = HeldHeaders::new(self.handle(), Direction::Request, false);
        HeadersAction::Wait(Task::new(async move { task(held).await }))
    }

    /// Keeps the route, however headers are changed from now on.
    ///
    /// # Cost
    /// One host call; on [`Host::Envoy`](crate::Host::Envoy) one more for the first stream of a VM.
    ///
    /// # Errors
    /// [`Error::RouteCleared`] when a header was changed before, and [`Error::NeedsHost`] where the
    /// host is not Higress.
    pub fn keep_route(&self) -> Result<()> {
        if self.stream.0.control.route_cleared.get() {
            return Err(Error::RouteCleared);
        }
        self.higress_only("way to keep a route")?;
        host::set_property("clear_route_cache", b"off")
    }
}

impl<'a> ResponseHeaders<'a> {
    pub(crate) fn new(site: Site<'a>, len: usize, end: bool) -> Self {
        Self { headers: Headers::new(site, Map::ResponseHeaders, len), end }
    }

    /// Whether a body (it may be empty) or trailers follow; free.
    pub fn has_body(&self) -> bool {
        !self.end
    }

    /// Whether the upstream has answered, and not the proxy or a plugin. One host call.
    pub fn is_from_upstream(&self) -> Result<bool> {
        let details = self.property(&["response", "code_details"])?;
        Ok(details.is_some_and(|details| details.bytes() == VIA_UPSTREAM))
    }

    /// Chooses how the body of this response is given, instead of
    /// [`Filter::RESPONSE_BODY`](crate::Filter::RESPONSE_BODY); free.
    pub fn body_mode(&self, mode: BodyMode) {
        self.stream.0.control.side(Direction::Response).choose(mode);
    }

    /// Holds the response until a task has ended; see [`RequestHeaders::wait`].
    pub fn wait<F>(&self, task: F) -> HeadersAction
    where
        F: AsyncFnOnce(HeldHeaders) -> Result<Resume> + 'static,
    {
        let held = HeldHeaders::new(self.handle(), Direction::Response, false);
        HeadersAction::Wait(Task::new(async move { task(held).await }))
    }

    /// Sends the headers on without their `content-length`, and gives the body to a task chunk by
    /// chunk: see [`Relay`]. The body callback is not called for it. A response without a body has nothing to relay: the task is
    /// dropped.
    ///
    /// ```
    /// # use chunkwise::call::Call;
    /// # use chunkwise::http::{HeadersAction, Relay, ResponseHeaders};
    /// # fn moderate(_: &[u8]) -> Call { unimplemented!() }
    /// # fn response_headers(headers: &ResponseHeaders<'_>) -> chunkwise::Result<HeadersAction> {
    /// Ok(headers.relay(async move |mut body: Relay| {
    ///     while let Some(chunk) = body.next().await {
    ///         let verdict = moderate(&chunk).await?;
    ///         body.send(if verdict.is_success() { &chunk[..] } else { b"[removed]" })?;
    ///     }
    ///     Ok(())
    /// }))
    /// # }
    /// ```
    ///
    /// No host lets a request pass through a task like this:
    ///
    /// ```compile_fail,E0599
    /// # use chunkwise::http::{HeadersAction, RequestHeaders};
    /// fn request_headers(headers: &RequestHeaders<'_>) -> HeadersAction {
    ///     headers.relay(async |_| Ok(()))
    /// }
    /// ```
    pub fn relay<F>(&self, task: F) -> HeadersAction
    where
        F: AsyncFnOnce(Relay) -> Result<()> + 'static,
    {
        let state = Rc::new(RelayState::default());
        let relay = Relay::new(Rc::clone(&state), self.handle());
        let task = Box::pin(async move { task(relay).await.map(|()| Resume::Continue) });
        HeadersAction::Relay(Relaying::new(RelayBegin { state, task }))
    }
}

impl<'a> Trailers<'a> {
    pub(crate) fn new(site: Site<'a>, direction: Direction, len: usize) -> Self {
        Self(Headers::new(site, Map::trailers(direction), len))
    }
}

impl<'a> Deref for Headers<'a> {
    type Target = Stream<'a>;

    fn deref(&self) -> &Stream<'a> {
        &self.stream
    }
}

impl<'a> Deref for RequestHeaders<'a> {
    type Target = Headers<'a>;

    fn deref(&self) -> &Headers<'a> {
        &self.headers
    }
}

impl<'a> Deref for ResponseHeaders<'a> {
    type Target = Headers<'a>;

    fn deref(&self) -> &Headers<'a> {
        &self.headers
    }
}

impl<'a> Deref for Trailers<'a> {
    type Target = Headers<'a>;

    fn deref(&self) -> &Headers<'a> {
        &self.0
    }
}
