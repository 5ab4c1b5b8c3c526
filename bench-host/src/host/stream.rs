//! One HTTP stream: what is held of it, and what has gone on.

use std::collections::BTreeMap;
use std::mem;
use std::net::SocketAddr;

use bytes::Bytes;

use super::Host;
use super::abi::{Direction, Status};
use super::buffer::Buffer;
use super::headers::HeaderMap;
use super::misuse::ENDED_TWICE;
use super::output::Received;
use super::stall::Stop;

/// State of one stream in the proxy, around the one filter that is under test.
#[derive(Debug)]
pub struct Stream {
    /// The root context that the stream belongs to.
    pub root: u32,
    /// The request's half.
    pub request: Half,
    /// The response's half.
    pub response: Half,
    /// `HTTP/1.1` or `HTTP/2`, as the property `request.protocol` shows it.
    pub protocol: &'static str,
    /// Whom the request says that it is from, where the proxy believes it (Envoy's default, without
    /// `use_remote_address`): the last address of `x-forwarded-for`.
    pub client: Option<SocketAddr>,
    /// Filter state that plugins set as properties, under its path without the prefix `wasm.`.
    pub filter_state: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Filter state of Envoy's own that plugins set, under its whole name.
    pub envoy_state: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Tags of the trace span that the plugin set.
    pub span_tags: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Bytes that each direction may hold, where the plugin has asked for other than the
    /// operator's; 0 is without a limit.
    pub buffer_limit: Option<u32>,
    /// Bytes that each direction could hold in the end; known when the stream has ended.
    pub limit: usize,
    /// Changes of the request headers do not make the proxy look for another route.
    pub keeps_route: bool,
    /// How often the plugin has made the proxy look for the route anew.
    pub route_clears: u32,
    /// When the stream began, in nanoseconds since the epoch.
    pub started: u64,
    /// What the stream has taken of the VM's quota.
    pub charged: u64,
    /// How the response came to be: `via_upstream`, or what a local reply gave.
    pub details: String,
    /// The proxy answers the request as soon as the filter returns, whatever the filter sends.
    pub(super) reply_waits: bool,
    /// What that answer's details have become.
    pub(super) details_to_come: Option<String>,
    /// The plugin, or the proxy on its behalf, answered instead of the upstream.
    pub replied_locally: bool,
    /// The plugin's VM was dead when the stream needed it, and the stream failed with it.
    pub failed: bool,
    /// The stream was cut off.
    pub reset: bool,
    /// Why it never came to its end, where nothing could move it any more.
    pub stalled: Option<String>,
    /// The last headers or frame that the filter was shown, of either direction, ended its message.
    pub(super) end_shown: bool,
    /// The stream is being ended: whatever the plugin puts off now comes too late.
    pub(super) closing: bool,
    /// The upstream host that the plugin chose (Higress).
    pub upstream_override: Option<Bytes>,
    /// When something last moved, in nanoseconds of the host's clock.
    pub moved: u64,
}

/// A response that does not come from upstream.
#[derive(Clone, Debug)]
pub struct LocalReply {
    /// Status code.
    pub status: u32,
    /// Response code details.
    pub details: String,
    /// Headers beside `:status`; those that describe the body are derived from it where missing.
    pub headers: Vec<(Bytes, Bytes)>,
    /// Body.
    pub body: Bytes,
    /// The gRPC status for a client that speaks gRPC, instead of one derived from `status`.
    pub grpc_status: Option<u32>,
}

/// Whether a message moves on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Iteration {
    /// It does.
    #[default]
    Running,
    /// It waits, and this filter still gets its frames.
    StopSingle,
    /// It waits, and so do its frames.
    StopAll {
        /// More than the buffer limit slows the sender down instead of failing the stream.
        watermark: bool,
    },
}

/// One direction of a stream.
#[derive(Debug, Default)]
pub struct Half {
    /// Headers, until they have gone on (a copy stays readable, see `readable_headers`).
    pub headers: HeaderMap,
    /// Whether a plugin may change the headers: from their callback until that lets them go on, or
    /// the plugin resumes the stream. Headers that a body callback lets go stay in its reach, though
    /// changes come too late.
    pub headers_open: bool,
    /// Whether headers have arrived at all.
    pub begun: bool,
    /// Whether the headers have gone on.
    pub headers_sent: bool,
    /// Trailers.
    pub trailers: Option<HeaderMap>,
    /// Whether a plugin may change the trailers: as for headers, also when they have gone on.
    pub trailers_open: bool,
    /// The filter has been shown the trailers, or has made them.
    pub(super) trailers_seen: bool,
    /// Trailers that have gone on and are still in the plugin's reach.
    pub(super) trailers_sent: Option<HeaderMap>,
    /// The frame that the current callback is about.
    pub frame: Buffer,
    /// Frames that wait.
    pub held: Buffer,
    /// Whether the current callback is about a body: a frame is in the filter's hands.
    pub in_body: bool,
    /// Whether a plugin may still see the frame of the current callback.
    pub frame_open: bool,
    /// The host has not forgotten the last frame: the filter has stopped it, or has it in its
    /// hands. If it is the last one, trailers can be added.
    pub(super) frame_kept: bool,
    /// Whether the last body callback held its frame so that the next one sees all of it.
    pub buffering: bool,
    /// The body was held so and resumed from another callback: the proxy still takes it for one
    /// that is held, and puts the next frame with what waits.
    pub(super) still_buffering: bool,
    /// What is resumed begins at this filter, which had stopped everything.
    pub(super) from_current: bool,
    /// Whether the message moves.
    pub iteration: Iteration,
    /// Bytes of the body that have arrived.
    pub arrived: u64,
    /// Whether a frame of the body has arrived that waits, be it an empty one.
    pub frame_waits: bool,
    /// Whether the last frame or the trailers have arrived.
    pub complete: bool,
    /// What stopped the message last.
    pub stopped: Option<Stop>,
    /// The message was resumed while nothing had stopped it.
    pub(super) resumed_too_early: bool,
    /// Nothing of this message goes on any more: the stream was answered instead.
    pub aborted: bool,
    /// What has gone on.
    pub received: Received,
}

impl Stream {
    /// A stream of which nothing has arrived.
    pub fn new(
        root: u32,
        protocol: &'static str,
        upstream: Received,
        downstream: Received,
    ) -> Self {
        Self {
            root,
            request: Half { received: upstream, ..Half::default() },
            response: Half { received: downstream, ..Half::default() },
            protocol,
            client: None,
            filter_state: BTreeMap::new(),
            envoy_state: BTreeMap::new(),
            span_tags: BTreeMap::new(),
            buffer_limit: None,
            limit: 0,
            keeps_route: false,
            route_clears: 0,
            started: 0,
            charged: 0,
            details: String::new(),
            reply_waits: false,
            details_to_come: None,
            replied_locally: false,
            failed: false,
            reset: false,
            stalled: None,
            end_shown: false,
            closing: false,
            upstream_override: None,
            moved: 0,
        }
    }

    /// One direction.
    pub fn half(&mut self, direction: Direction) -> &mut Half {
        match direction {
            Direction::Request => &mut self.request,
            Direction::Response => &mut self.response,
        }
    }

    /// Whether nothing more can happen: the response has ended, or the stream was cut off.
    pub fn is_over(&self) -> bool {
        self.reset || self.closing || self.response.received.ended
    }
}

impl Half {
    /// The body bytes that a body call of the guest addresses.
    pub fn visible_body(&mut self) -> Option<&mut Buffer> {
        if self.buffering {
            Some(&mut self.held)
        } else if self.frame_open {
            Some(&mut self.frame)
        } else {
            None
        }
    }

    /// The trailers that a plugin can read now.
    pub(super) fn open_trailers(&self) -> Option<&HeaderMap> {
        let trailers = self.trailers.as_ref().or(self.trailers_sent.as_ref());
        trailers.filter(|_| self.trailers_open)
    }

    /// Drops what has not gone on, for good.
    pub fn abort(&mut self) {
        self.aborted = true;
        self.frame = Buffer::default();
        self.held = Buffer::default();
    }

    /// Sends headers on, if they have not gone yet.
    pub fn release_headers(&mut self, end: bool) {
        if !self.headers_sent {
            self.headers_sent = true;
            self.received.headers(&self.headers, end);
        }
    }

    /// Sends on everything that waits and has passed the filter: headers, body, and trailers once
    /// the filter had them too. A frame that is in the filter's hands comes later.
    pub fn release(&mut self) {
        let ends_here = self.complete && !self.in_body;
        let bodiless = ends_here && self.held.is_empty() && self.trailers.is_none();
        let headers_go_now = !self.headers_sent;
        self.release_headers(bodiless);
        self.iteration = Iteration::Running;
        self.buffering = false;
        self.received.frames += u64::from(!self.held.is_empty());
        while let Some(part) = self.held.pop() {
            self.received.data(&part);
        }
        if self.trailers.is_none() {
            if ends_here && !(headers_go_now && bodiless) {
                self.received.end();
            }
        } else if ends_here
            && mem::take(&mut self.trailers_seen)
            && let Some(trailers) = self.trailers.take()
        {
            self.received.trailers(&trailers);
            self.trailers_sent = Some(trailers);
        }
    }

    /// Sends the current frame on, behind everything that waited.
    pub fn release_frame(&mut self) {
        let mut frame = mem::take(&mut self.frame);
        self.held.append(&mut frame);
        // The emptied queue keeps its memory for the next frame.
        self.frame = frame;
        self.in_body = false;
        self.release();
    }

    /// Lets a frame pass that the proxy has put with what waits, though nothing waits: an empty one
    /// goes on instead. Gives how many bytes are lost.
    pub(super) fn lose_added(&mut self) -> usize {
        let lost = mem::take(&mut self.held).len();
        self.release_frame();
        lost
    }

    /// Sends on trailers that the filter has added with the last frame, though it holds that frame.
    /// The filter manager gives them to the filters behind it without looking at the answer, and
    /// with them the message ends: what is held is lost.
    pub(super) fn release_added_trailers(&mut self) {
        if let Some(trailers) = self.trailers.take() {
            self.held = Buffer::default();
            self.iteration = Iteration::Running;
            self.received.trailers(&trailers);
            self.trailers_sent = Some(trailers);
        }
    }

    /// Sends bytes past the filter, behind the headers and before what waits.
    pub fn inject(&mut self, body: &[u8], end: bool) {
        self.release_headers(false);
        self.received.frames += 1;
        self.received.data(body);
        if end {
            self.received.end();
        }
    }
}

impl Host {
    /// Sends bytes of a response on behind the filter, at once.
    pub(super) fn inject(&mut self, context: u32, body: &[u8], end: bool) -> Result<(), Status> {
        // Without a stream there is nobody to send to, and the real host says nothing of it.
        let Some(stream) = self.streams.get_mut(&context) else { return Ok(()) };
        if !stream.response.begun {
            return Err(Status::BadArgument);
        }
        if stream.is_over() {
            // The real host would write behind the end of the response, or crash.
            self.misused(ENDED_TWICE);
            return Ok(());
        }
        let kept = stream.response.received.memory() as u64;
        if kept.saturating_add(body.len() as u64) > self.settings.quota {
            self.quota.refuse("sent-on bytes", body.len() as u64);
            return Err(Status::InternalFailure);
        }
        stream.response.inject(body, end);
        Ok(())
    }
}
