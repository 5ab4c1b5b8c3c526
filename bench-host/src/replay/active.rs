//! One exchange on its way through the proxy, an event at a time.

use std::num::NonZeroUsize;
use std::time::Instant;

use bytes::Bytes;

use crate::engine::Fault;
use crate::host::{Direction, Iteration, LocalReply, Proxy};
use crate::traffic::{Body, BodyChunks, Exchange, Headers, HttpVersion, Message};

/// An exchange that is open.
#[derive(Debug)]
pub(crate) struct Active {
    /// Context of the stream.
    pub context: u32,
    /// Its place in the run.
    pub number: u64,
    /// When it was due, or when it began.
    pub due: Instant,
    http: HttpVersion,
    cut: NonZeroUsize,
    stage: Stage,
    request: Message,
    response: Option<Message>,
    chunks: BodyChunks,
    /// Body frames and bytes that were delivered.
    pub delivered: Delivered,
}

/// Body traffic that went into the filter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Frames.
    pub chunks: u64,
    /// Bytes.
    pub bytes: u64,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Headers(Direction),
    Body(Direction),
    /// HTTP/1 ends a body with a frame of its own.
    EmptyFrame(Direction),
    Trailers(Direction),
    Upstream,
    Finished,
}

impl Active {
    pub fn new(
        context: u32,
        number: u64,
        due: Instant,
        exchange: Exchange,
        cut: NonZeroUsize,
    ) -> Self {
        let Exchange { http, request, response, .. } = exchange;
        let stage = Stage::Headers(Direction::Request);
        let chunks = request.body.chunks(cut);
        let delivered = Delivered::default();
        Self { context, number, due, http, cut, stage, request, response, chunks, delivered }
    }

    /// Whether nothing comes any more.
    pub fn is_finished(&self) -> bool {
        self.stage == Stage::Finished
    }

    /// Delivers the next event.
    pub fn step(&mut self, proxy: &mut Proxy) -> Result<(), Fault> {
        self.stage = match self.stage {
            Stage::Headers(direction) => {
                let message = self.message(direction);
                let end = message.ends_with_headers();
                let next = match message.body {
                    _ if end => after(direction),
                    Body::None => Stage::Trailers(direction),
                    _ => Stage::Body(direction),
                };
                let mut headers = std::mem::take(&mut message.headers);
                if self.http == HttpVersion::Http1 && direction == Direction::Response && !end {
                    say_how_it_is_framed(&mut headers);
                }
                proxy.headers(self.context, direction, fields(headers), end)?;
                next
            }
            Stage::Body(direction) => self.body(proxy, direction)?,
            Stage::EmptyFrame(direction) => {
                self.deliver(proxy, direction, Bytes::new(), true)?;
                after(direction)
            }
            Stage::Trailers(direction) => {
                let trailers = std::mem::take(&mut self.message(direction).trailers);
                proxy.trailers(self.context, direction, fields(trailers))?;
                after(direction)
            }
            Stage::Upstream => self.upstream(proxy)?,
            Stage::Finished => Stage::Finished,
        };
        if self.is_over(proxy) {
            self.stage = Stage::Finished;
        }
        Ok(())
    }

    fn body(&mut self, proxy: &mut Proxy, direction: Direction) -> Result<Stage, Fault> {
        let Some(frame) = self.chunks.next() else { return Ok(after(direction)) };
        let more = !self.chunks.is_finished();
        let trailers = !self.message(direction).trailers.is_empty();
        let next = match self.http {
            _ if more => Stage::Body(direction),
            _ if trailers => Stage::Trailers(direction),
            HttpVersion::Http1 if !frame.is_empty() => Stage::EmptyFrame(direction),
            HttpVersion::Http1 | HttpVersion::Http2 => after(direction),
        };
        let end = !matches!(next, Stage::Body(_) | Stage::Trailers(_) | Stage::EmptyFrame(_));
        self.deliver(proxy, direction, frame, end)?;
        Ok(next)
    }

    fn deliver(
        &mut self,
        proxy: &mut Proxy,
        direction: Direction,
        frame: Bytes,
        end: bool,
    ) -> Result<(), Fault> {
        self.delivered.chunks += 1;
        self.delivered.bytes += frame.len() as u64;
        proxy.data(self.context, direction, frame, end)
    }

    /// The request has arrived as a whole; the upstream answers if it got all of it.
    fn upstream(&mut self, proxy: &mut Proxy) -> Result<Stage, Fault> {
        let Some(stream) = proxy.stream(self.context) else { return Ok(Stage::Finished) };
        if !stream.request.received.ended {
            // The plugin holds the request, and nothing is left that could make it let go.
            return Ok(Stage::Finished);
        }
        match &self.response {
            Some(response) => {
                self.chunks = response.body.chunks(self.cut);
                Ok(Stage::Headers(Direction::Response))
            }
            None => {
                proxy.reply(self.context, no_answer())?;
                if let Some(stream) = proxy.stream(self.context) {
                    // The proxy's reply stands for the upstream that the trace does not have.
                    stream.replied_locally = false;
                }
                Ok(Stage::Finished)
            }
        }
    }

    /// Whether the stream has ended, or stands still for good.
    fn is_over(&self, proxy: &mut Proxy) -> bool {
        let limit = proxy.buffer_limit(self.context);
        let Some(stream) = proxy.stream(self.context) else { return true };
        if stream.is_over() || stream.replied_locally {
            return true;
        }
        // With the sender slowed down no further frame comes, and no callback that could resume.
        let stuck = |half: &crate::host::Half| {
            half.iteration != Iteration::Running && !half.buffering && half.held.len() > limit
        };
        stuck(&stream.request) || stuck(&stream.response)
    }

    fn message(&mut self, direction: Direction) -> &mut Message {
        match direction {
            Direction::Request => &mut self.request,
            Direction::Response => self.response.get_or_insert_default(),
        }
    }
}

fn after(direction: Direction) -> Stage {
    match direction {
        Direction::Request => Stage::Upstream,
        Direction::Response => Stage::Finished,
    }
}

/// HTTP/1 marks a body without a length, and a proxy leaves the mark on responses for filters to
/// see. Traces often lack it, since recorders write bodies down unframed.
fn say_how_it_is_framed(headers: &mut Headers) {
    let framed = ["content-length", "transfer-encoding"];
    let closes = |value: &Bytes| value.eq_ignore_ascii_case(b"close");
    if framed.iter().all(|name| headers.get(name).is_none())
        && !headers.get("connection").is_some_and(closes)
    {
        headers.push("transfer-encoding", "chunked");
    }
}

fn fields(headers: Headers) -> crate::host::HeaderMap {
    headers.into_iter().collect::<Vec<_>>().into()
}

/// What stands for an answer that the trace does not have. Without a body: the trace has none, and
/// what a body costs is what is being measured.
fn no_answer() -> LocalReply {
    LocalReply {
        status: 503,
        details: "no_answer_in_trace".to_owned(),
        headers: Vec::new(),
        body: Bytes::new(),
    }
}
