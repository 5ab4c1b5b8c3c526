//! The filter manager: how messages pass the one filter under test, as Envoy passes them.
//!
//! Statuses, their conversion and the order of deferred actions follow Envoy's
//! `filter_manager.cc` and its wasm filter's `context.cc` (1.36).

use std::time::Instant;
use std::{fmt, mem};

use bytes::Bytes;

use super::Host;
use super::abi::{DataStatus, Direction, HeadersStatus};
use super::headers::HeaderMap;
use super::output::Received;
use super::stream::{Iteration, LocalReply, Stream};
use crate::engine::{Callback, Fault, Guest, StartError};
use crate::measure::{Allocations, Gauge, Phase};

/// The root context of the plugin.
pub(super) const ROOT: u32 = 1;

/// What is taken down of each callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measure {
    /// How long it took.
    pub time: bool,
    /// What it used: instructions, memory, allocations.
    pub usage: bool,
}

/// A proxy with one plugin in one VM.
pub struct Proxy {
    guest: Box<dyn Guest>,
    pub(super) measure: Measure,
    last_context: u32,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy").field("last_context", &self.last_context).finish_non_exhaustive()
    }
}

impl Proxy {
    /// Starts the VM and configures the plugin.
    pub fn start(
        guest: Box<dyn Guest>,
        configuration: &Bytes,
        measure: Measure,
    ) -> Result<Self, StartError> {
        let mut proxy = Self { guest, measure, last_context: ROOT };
        if measure.usage {
            proxy.book_start();
        }
        proxy.call(Callback::ContextCreate { context: ROOT, parent: 0 })?;
        if proxy.call(Callback::VmStart { context: ROOT, size: 0 })? == Some(0) {
            return Err(proxy.refused("to start the VM"));
        }
        let size = u32::try_from(configuration.len()).unwrap_or(u32::MAX);
        proxy.host().configuration = Some(configuration.clone());
        let answer = proxy.call(Callback::Configure { context: ROOT, size });
        proxy.host().configuration = None;
        if answer? == Some(0) {
            return Err(proxy.refused(StartError::CONFIGURATION));
        }
        Ok(proxy)
    }

    /// Books what ran before the first callback (`_initialize`, `_start`): instructions and
    /// allocations. Pages that it added count as initial ones.
    fn book_start(&mut self) {
        let after = self.guest.gauge();
        let before = Gauge {
            fuel: after.fuel.map(|_| 0),
            pages: after.pages,
            allocations: after.allocations.map(|_| Allocations::default()),
        };
        let ledger = &mut self.guest.host().ledger;
        ledger.enter(Phase::VmStart);
        ledger.changed(&before, &after);
    }

    /// Opens a stream.
    pub fn open(
        &mut self,
        protocol: &'static str,
        upstream: Received,
        downstream: Received,
    ) -> Result<u32, Fault> {
        self.last_context = self.last_context.checked_add(1).unwrap_or(ROOT + 1);
        let context = self.last_context;
        self.host().streams.insert(context, Stream::new(protocol, upstream, downstream));
        self.call(Callback::ContextCreate { context, parent: ROOT })?;
        Ok(context)
    }

    /// Delivers headers.
    pub fn headers(
        &mut self,
        context: u32,
        direction: Direction,
        headers: HeaderMap,
        end: bool,
    ) -> Result<(), Fault> {
        let Some(stream) = self.stream(context) else { return Ok(()) };
        if direction == Direction::Response && stream.details.is_empty() {
            stream.details = "via_upstream".to_owned();
        }
        let half = stream.half(direction);
        half.begun = true;
        half.headers_open = true;
        half.complete = end;
        let count = u32::try_from(headers.len()).unwrap_or(u32::MAX);
        half.headers = headers;
        let callback = match direction {
            Direction::Request => Callback::RequestHeaders { context, count, end },
            Direction::Response => Callback::ResponseHeaders { context, count, end },
        };
        let answer = self.call(callback)?.unwrap_or(0);
        let stop_is_stop_all = self.host().settings.stop_is_stop_all;
        if self.deferred(context)? {
            return Ok(());
        }
        let Some(half) = self.half(context, direction) else { return Ok(()) };
        match HeadersStatus::from_guest(answer, stop_is_stop_all) {
            HeadersStatus::Continue => half.release_headers(end),
            HeadersStatus::Stop => half.iteration = Iteration::StopSingle,
            HeadersStatus::StopAllAndBuffer => {
                half.iteration = Iteration::StopAll { watermark: false };
            }
            HeadersStatus::StopAllAndWatermark => {
                half.iteration = Iteration::StopAll { watermark: true };
            }
        }
        Ok(())
    }

    /// Delivers a body frame.
    pub fn data(
        &mut self,
        context: u32,
        direction: Direction,
        frame: Bytes,
        end: bool,
    ) -> Result<(), Fault> {
        let limit = self.buffer_limit(context);
        let Some(half) = self.half(context, direction) else { return Ok(()) };
        half.complete = end;
        if let Iteration::StopAll { watermark } = half.iteration {
            half.held.push(frame);
            if half.held.len() > limit && !watermark {
                self.too_large(context, direction)?;
            }
            return Ok(());
        }
        if half.buffering {
            half.held.push(frame);
            if half.held.len() > limit {
                return self.too_large(context, direction);
            }
        } else {
            half.frame.push(frame);
        }
        self.deliver(context, direction, end)
    }

    /// Delivers trailers, which end the message.
    pub fn trailers(
        &mut self,
        context: u32,
        direction: Direction,
        trailers: HeaderMap,
    ) -> Result<(), Fault> {
        let Some(half) = self.half(context, direction) else { return Ok(()) };
        half.complete = true;
        half.trailers = Some(trailers);
        if let Iteration::StopAll { .. } = half.iteration {
            return Ok(());
        }
        self.deliver_trailers(context, direction)
    }

    /// Ends a stream: access log, done, delete. Gives what was left of it.
    pub fn close(&mut self, context: u32) -> Result<Option<Stream>, Fault> {
        self.host().logging = true;
        let logged = self.call(Callback::Log { context });
        self.host().logging = false;
        logged?;
        self.call(Callback::Done { context })?;
        self.call(Callback::Delete { context })?;
        Ok(self.host().streams.remove(&context))
    }

    /// Answers a stream with a response that no upstream gave, through the filter's own response
    /// callbacks where no response has begun.
    pub fn reply(&mut self, context: u32, reply: LocalReply) -> Result<(), Fault> {
        let Some(stream) = self.stream(context) else { return Ok(()) };
        stream.replied_locally = true;
        stream.request.frame = super::Buffer::default();
        stream.request.held = super::Buffer::default();
        let LocalReply { status, details, headers, body } = reply;
        let headers = local_headers(status, &headers, &body);
        if stream.response.headers_sent {
            stream.reset = true;
            return Ok(());
        }
        stream.details = details;
        if stream.response.begun {
            // A response is in this filter's hands: the reply takes its place and passes no filter.
            let half = &mut stream.response;
            half.headers = headers;
            half.held = super::Buffer::default();
            half.frame = super::Buffer::default();
            half.trailers = None;
            half.complete = true;
            half.held.push(body);
            half.release();
            return Ok(());
        }
        let end = body.is_empty();
        self.headers(context, Direction::Response, headers, end)?;
        // The plugin may have answered its own answer.
        let over = self.stream(context).is_none_or(|stream| stream.is_over());
        if !end && !over {
            self.data(context, Direction::Response, body, true)?;
        }
        Ok(())
    }

    /// A stream that is open.
    pub fn stream(&mut self, context: u32) -> Option<&mut Stream> {
        self.host().streams.get_mut(&context)
    }

    /// The host.
    pub fn host(&mut self) -> &mut Host {
        self.guest.host()
    }

    /// The guest.
    pub fn guest(&mut self) -> &mut dyn Guest {
        &mut *self.guest
    }

    /// Ends the VM and gives the host back.
    pub fn into_host(self) -> Host {
        self.guest.into_host()
    }

    /// Bytes that each direction of a stream may hold.
    pub fn buffer_limit(&mut self, context: u32) -> usize {
        let host = self.host();
        let http2 = host.streams.get(&context).is_some_and(|stream| stream.protocol == "HTTP/2");
        match host.settings.buffer_limit {
            Some(limit) => limit,
            None => host.settings.profile.buffer_limit(http2),
        }
    }

    fn half(&mut self, context: u32, direction: Direction) -> Option<&mut super::Half> {
        self.stream(context).map(|stream| stream.half(direction))
    }

    /// Shows the filter what `data` put in place, and acts on the answer.
    fn deliver(&mut self, context: u32, direction: Direction, end: bool) -> Result<(), Fault> {
        let limit = self.buffer_limit(context);
        let Some(half) = self.half(context, direction) else { return Ok(()) };
        half.in_body = true;
        let size = half.visible_body().map_or(0, |body| body.len());
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        let callback = match direction {
            Direction::Request => Callback::RequestBody { context, size, end },
            Direction::Response => Callback::ResponseBody { context, size, end },
        };
        let answer = self.call(callback)?.unwrap_or(0);
        if let Some(half) = self.half(context, direction) {
            half.in_body = false;
        }
        if self.deferred(context)? {
            return Ok(());
        }
        let Some(half) = self.half(context, direction) else { return Ok(()) };
        half.buffering = false;
        match DataStatus::from_guest(answer) {
            DataStatus::Continue => half.release_frame(),
            DataStatus::StopNoBuffer => {
                // What was held before stays held; only this frame is the plugin's to keep.
                half.frame = super::Buffer::default();
                half.iteration = Iteration::StopSingle;
            }
            status @ (DataStatus::StopAndBuffer | DataStatus::StopAndWatermark) => {
                let mut frame = mem::take(&mut half.frame);
                half.held.append(&mut frame);
                half.frame = frame;
                half.iteration = Iteration::StopSingle;
                half.buffering = status == DataStatus::StopAndBuffer;
                if half.buffering && half.held.len() > limit {
                    return self.too_large(context, direction);
                }
            }
        }
        Ok(())
    }

    fn deliver_trailers(&mut self, context: u32, direction: Direction) -> Result<(), Fault> {
        let Some(half) = self.half(context, direction) else { return Ok(()) };
        half.trailers_open = true;
        let count = half.trailers.as_ref().map_or(0, HeaderMap::len);
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let callback = match direction {
            Direction::Request => Callback::RequestTrailers { context, count },
            Direction::Response => Callback::ResponseTrailers { context, count },
        };
        let answer = self.call(callback)?.unwrap_or(0);
        if self.deferred(context)? {
            return Ok(());
        }
        if let Some(half) = self.half(context, direction) {
            if answer == 0 {
                half.release();
            } else {
                half.iteration = Iteration::StopSingle;
            }
        }
        Ok(())
    }

    /// Acts on what host calls of the last callback put off. A reset goes before a reply, and a
    /// reply before resumes, whatever order they were made in; Envoy keeps that order. True when
    /// the answer of the callback does not count any more.
    fn deferred(&mut self, context: u32) -> Result<bool, Fault> {
        for other in mem::take(&mut self.host().touched) {
            self.deferred(other)?;
        }
        let Some(stream) = self.stream(context) else { return Ok(true) };
        if stream.pending_reset {
            stream.reset = true;
            return Ok(true);
        }
        let resumes = mem::take(&mut stream.pending_resume);
        if let Some(reply) = stream.pending_reply.take() {
            self.reply(context, reply)?;
            return Ok(true);
        }
        for direction in resumes {
            self.resume(context, direction)?;
        }
        Ok(false)
    }

    fn resume(&mut self, context: u32, direction: Direction) -> Result<(), Fault> {
        let Some(half) = self.half(context, direction) else { return Ok(()) };
        match half.iteration {
            // Resuming what runs has no effect; in particular from the callback that stops it.
            Iteration::Running => Ok(()),
            Iteration::StopSingle => {
                half.release();
                Ok(())
            }
            Iteration::StopAll { .. } => {
                half.iteration = Iteration::Running;
                let end = half.complete && half.trailers.is_none();
                half.release_headers(end && half.held.is_empty());
                if half.received.ended {
                    return Ok(());
                }
                if !half.held.is_empty() || end {
                    // What was held starts again at this filter.
                    half.frame = mem::take(&mut half.held);
                    self.deliver(context, direction, end)?;
                }
                let waiting = self.half(context, direction).is_some_and(|h| h.trailers.is_some());
                if waiting { self.deliver_trailers(context, direction) } else { Ok(()) }
            }
        }
    }

    /// More is held than the buffer limit allows.
    fn too_large(&mut self, context: u32, direction: Direction) -> Result<(), Fault> {
        let (status, details, body) = match direction {
            Direction::Request => (413, "request_payload_too_large", "Payload Too Large"),
            Direction::Response => (500, "response_payload_too_large", "Internal Server Error"),
        };
        let reply = LocalReply {
            status,
            details: details.to_owned(),
            headers: Vec::new(),
            body: Bytes::from_static(body.as_bytes()),
        };
        self.reply(context, reply)
    }

    /// Makes a callback and books what it cost.
    pub(super) fn call(&mut self, callback: Callback) -> Result<Option<u32>, Fault> {
        let before = if self.measure.usage { self.guest.gauge() } else { Gauge::default() };
        let host = self.guest.host();
        host.current = callback.context();
        host.effective = None;
        host.ledger.enter(callback.phase());
        let start = self.measure.time.then(Instant::now);
        let answer = self.guest.call(callback);
        let took = start.map(|start| start.elapsed());
        if let Ok(None) = answer {
            return answer;
        }
        if self.measure.usage {
            let after = self.guest.gauge();
            self.guest.host().ledger.changed(&before, &after);
        }
        self.guest.host().ledger.called(took);
        answer
    }

    fn refused(&mut self, what: &'static str) -> StartError {
        let lines = self.host().log.lines().iter();
        let log = lines
            .filter(|line| line.level >= super::Level::Error)
            .map(|line| line.message.clone())
            .collect();
        StartError::Refused { what, log }
    }
}

/// The plugin's headers, then those that the proxy derives from the body.
fn local_headers(status: u32, headers: &[(Bytes, Bytes)], body: &Bytes) -> HeaderMap {
    let mut map = HeaderMap::default();
    map.add(b":status", status.to_string().as_bytes());
    for (name, value) in headers {
        map.add(name, value);
    }
    if body.is_empty() {
        map.remove(b"content-length");
        map.remove(b"content-type");
    } else {
        map.set(b"content-length", body.len().to_string().as_bytes());
        if map.get(b"content-type").is_none() {
            map.add(b"content-type", b"text/plain");
        }
    }
    map
}
