//! Streams that a test drives event by event, to look at what has gone on in between.

use bytes::Bytes;

use super::{Outcome, Seen, TestHost};
use crate::engine::Fault;
use crate::host::{Direction, HeaderMap, LocalReply, Proxy, Received, StreamId};

/// What Envoy answers where an upstream resets a stream.
const RESET: &str =
    "upstream connect error or disconnect/reset before headers. reset reason: remote reset";

impl TestHost {
    /// Opens an HTTP/2 stream of which nothing has arrived yet. Nothing happens on it by itself:
    /// the test delivers what client and upstream send, whether or not the plugin holds it. What it
    /// delivers after the response has ended, or after the stream was cut off, reaches nobody: a
    /// proxy has no stream any more, even where the request goes on.
    ///
    /// ```
    /// use std::time::Duration;
    /// use bench_host::host::Direction::{Request, Response};
    /// use bench_host::testing::TestHost;
    /// # use chunkwise::{Config, ConfigError, Filter, Plugin};
    /// # struct Nothing;
    /// # struct NothingFilter;
    /// # impl Plugin for Nothing {
    /// #     type Filter = NothingFilter;
    /// #     fn configure(_: &Config<'_>) -> Result<Self, ConfigError> { Ok(Self) }
    /// #     fn filter(&self) -> NothingFilter { NothingFilter }
    /// # }
    /// # impl Filter<Nothing> for NothingFilter {}
    ///
    /// let mut host = TestHost::native::<Nothing>("")?;
    /// let stream = host.open();
    /// host.headers(stream, Request, &[(":method", "GET"), (":path", "/")], true)?;
    /// host.headers(stream, Response, &[(":status", "200")], false)?;
    /// host.frame(stream, Response, "data: 1\n\n", false)?;
    /// host.run_for(Duration::from_millis(5))?;
    /// let seen = host.seen(stream, Response).ok_or("the stream is open")?;
    /// assert_eq!((&*seen.text(), seen.ended), ("data: 1\n\n", false));
    /// // The client has gone: access log, done, delete.
    /// let outcome = host.close(stream)?.ok_or("the stream was open")?;
    /// assert!(!outcome.downstream.ended);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn open(&mut self) -> StreamId {
        self.slot.open("HTTP/2", Received::keeping(), Received::keeping())
    }

    /// Delivers headers, pseudo headers among them; `end` where no body and no trailers follow.
    ///
    /// # Errors
    /// [`Fault`] when the plugin trapped or panicked.
    pub fn headers(
        &mut self,
        stream: StreamId,
        direction: Direction,
        fields: &[(&str, &str)],
        end: bool,
    ) -> Result<(), Fault> {
        let fields = owned(fields);
        self.step(stream, |proxy| proxy.headers(stream.context, direction, fields, end))
    }

    /// Delivers a frame of a body; `end` where neither another nor trailers follow.
    ///
    /// # Errors
    /// [`Fault`] when the plugin trapped or panicked.
    pub fn frame(
        &mut self,
        stream: StreamId,
        direction: Direction,
        bytes: impl AsRef<[u8]>,
        end: bool,
    ) -> Result<(), Fault> {
        let bytes = Bytes::copy_from_slice(bytes.as_ref());
        self.step(stream, |proxy| proxy.data(stream.context, direction, bytes, end))
    }

    /// Delivers trailers, which end the message.
    ///
    /// # Errors
    /// [`Fault`] when the plugin trapped or panicked.
    pub fn trailers(
        &mut self,
        stream: StreamId,
        direction: Direction,
        fields: &[(&str, &str)],
    ) -> Result<(), Fault> {
        let fields = owned(fields);
        self.step(stream, |proxy| proxy.trailers(stream.context, direction, fields))
    }

    /// What the upstream ([`Direction::Request`]) or the client has received so far; `None` when
    /// the stream is not open.
    pub fn seen(&mut self, stream: StreamId, direction: Direction) -> Option<Seen> {
        let stream = self.slot.stream(stream)?;
        Some(Seen::so_far(&stream.half(direction).received))
    }

    /// The upstream resets its side. Where no response has begun, the plugin gets the proxy's own,
    /// 503; where it holds the headers of one, the proxy answers past it; otherwise the response is
    /// cut off. The details are Envoy's.
    ///
    /// ```
    /// use bench_host::host::Direction::{Request, Response};
    /// use bench_host::testing::TestHost;
    /// # use chunkwise::{Config, ConfigError, Filter, Plugin};
    /// # struct Nothing;
    /// # struct NothingFilter;
    /// # impl Plugin for Nothing {
    /// #     type Filter = NothingFilter;
    /// #     fn configure(_: &Config<'_>) -> Result<Self, ConfigError> { Ok(Self) }
    /// #     fn filter(&self) -> NothingFilter { NothingFilter }
    /// # }
    /// # impl Filter<Nothing> for NothingFilter {}
    ///
    /// let mut host = TestHost::native::<Nothing>("")?;
    /// let stream = host.open();
    /// host.headers(stream, Request, &[(":method", "POST"), (":path", "/")], false)?;
    /// host.upstream_resets(stream)?;
    /// // The client has an answer, so there is nobody any more for what comes now.
    /// host.frame(stream, Request, "more", true)?;
    /// host.frame(stream, Response, "more", true)?;
    /// let outcome = host.close(stream)?.ok_or("the stream was open")?;
    /// assert_eq!((outcome.downstream.status(), outcome.downstream.ended), (Some(503), true));
    /// assert!(!outcome.downstream.text().contains("more") && outcome.upstream.body.is_empty());
    /// assert_eq!(outcome.details, "upstream_reset_before_response_started{remote_reset}");
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Fault`] when the plugin trapped or panicked.
    pub fn upstream_resets(&mut self, stream: StreamId) -> Result<(), Fault> {
        let began = self.slot.stream(stream).is_some_and(|stream| stream.response.begun);
        let when = if began { "after" } else { "before" };
        let details = format!("upstream_reset_{when}_response_started{{remote_reset}}");
        let reply = LocalReply::new(503, &details, Bytes::from_static(RESET.as_bytes()));
        self.step(stream, |proxy| proxy.reply(stream.context, reply))
    }

    /// Ends a stream, whether its messages have ended or the client has gone: access log, done,
    /// delete. `None` when it was not open.
    ///
    /// The details of a stream whose response has not ended are Envoy's for a client that resets
    /// it, `http2.remote_reset`.
    ///
    /// # Errors
    /// [`Fault`] when the plugin trapped or panicked.
    pub fn close(&mut self, stream: StreamId) -> Result<Option<Outcome>, Fault> {
        if let Some(left) = self.slot.stream(stream).filter(|stream| !stream.is_over()) {
            "http2.remote_reset".clone_into(&mut left.details);
        }
        let closed = self.slot.close(stream);
        self.slot.note_faults(None);
        self.untold().map_or(Ok(closed.map(Outcome::of)), Err)
    }

    fn step(&mut self, stream: StreamId, step: impl FnOnce(&mut Proxy)) -> Result<(), Fault> {
        let over = self.slot.stream(stream).is_none_or(|stream| stream.is_over());
        if let Some(proxy) = self.slot.proxy(stream).filter(|_| !over) {
            step(proxy);
        }
        self.slot.note_faults(None);
        self.untold().map_or(Ok(()), Err)
    }
}

fn owned(fields: &[(&str, &str)]) -> HeaderMap {
    fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect()
}
