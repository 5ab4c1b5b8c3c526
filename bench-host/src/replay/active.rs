//! One exchange on its way through the proxy, an event at a time.

use std::num::NonZeroUsize;
use std::time::Instant;

use bytes::Bytes;

use crate::host::{Direction, GivenUp, Half, Iteration, LocalReply, Slot, StreamId};
use crate::traffic::{Body, BodyChunks, Exchange, Headers, HttpVersion, Message};

/// An exchange that is open.
#[derive(Debug)]
pub(crate) struct Active {
    /// The stream.
    pub stream: StreamId,
    /// Its place in the run.
    pub number: u64,
    /// When it was due, or when it began.
    pub due: Instant,
    /// How often in a row it has been waited for.
    pub waits: u32,
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
    /// The request is on its way; the upstream answers when it has all of it.
    Upstream,
    /// Everything was delivered, and the plugin may still hold some of it.
    Settling,
    Finished,
}

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Something was delivered, or the exchange has finished.
    Moved,
    /// The plugin holds the exchange up: something else has to happen first.
    Waits,
}

impl Active {
    pub fn new(
        stream: StreamId,
        number: u64,
        due: Instant,
        exchange: Exchange,
        cut: NonZeroUsize,
    ) -> Self {
        let Exchange { http, request, response, .. } = exchange;
        let stage = Stage::Headers(Direction::Request);
        let chunks = request.body.chunks(cut);
        let delivered = Delivered::default();
        Self {
            stream,
            number,
            due,
            waits: 0,
            http,
            cut,
            stage,
            request,
            response,
            chunks,
            delivered,
        }
    }

    /// Whether nothing comes any more.
    pub fn is_finished(&self) -> bool {
        self.stage == Stage::Finished
    }

    /// Gives the exchange up: nothing will ever move it.
    pub fn give_up(&mut self, slot: &mut Slot<'_>, given_up: GivenUp) {
        if let Some(proxy) = slot.proxy(self.stream) {
            proxy.give_up(self.stream.context, given_up);
        }
        self.stage = Stage::Finished;
    }

    /// Delivers the next event, if it can be.
    pub fn step(&mut self, slot: &mut Slot<'_>) -> Step {
        let Some(stream) = slot.stream(self.stream) else {
            self.stage = Stage::Finished;
            return Step::Moved;
        };
        if stream.is_over() {
            self.stage = Stage::Finished;
            return Step::Moved;
        }
        if stream.replied_locally {
            // The plugin holds the answer that was given instead.
            self.stage = Stage::Settling;
        }
        let before = self.stage;
        match self.stage {
            Stage::Headers(direction) => self.headers(slot, direction),
            Stage::Body(direction) => self.body(slot, direction),
            Stage::EmptyFrame(direction) => {
                self.deliver(slot, direction, Bytes::new(), true);
                self.stage = after(direction);
            }
            Stage::Trailers(direction) => {
                let trailers = fields(std::mem::take(&mut self.message(direction).trailers));
                let (stream, context) = (self.stream, self.stream.context);
                if let Some(proxy) = slot.proxy(stream) {
                    proxy.trailers(context, direction, trailers);
                }
                self.stage = after(direction);
            }
            Stage::Upstream => self.upstream(slot),
            Stage::Settling | Stage::Finished => {}
        }
        if slot.stream(self.stream).is_none_or(|stream| stream.is_over()) {
            self.stage = Stage::Finished;
        }
        // Frames follow frames without a change of stage.
        let delivers = matches!(before, Stage::Body(_)) && !self.is_slowed(slot);
        if self.stage != before || delivers { Step::Moved } else { Step::Waits }
    }

    fn headers(&mut self, slot: &mut Slot<'_>, direction: Direction) {
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
        if direction == Direction::Request {
            match self.http {
                HttpVersion::Http1 => order_as_http1(&mut headers),
                HttpVersion::Http2 => join_cookies(&mut headers),
            }
        }
        if let Some(proxy) = slot.proxy(self.stream) {
            proxy.headers(self.stream.context, direction, fields(headers), end);
        }
        self.stage = next;
    }

    fn body(&mut self, slot: &mut Slot<'_>, direction: Direction) {
        if self.is_slowed(slot) {
            return;
        }
        let Some(frame) = self.chunks.next() else {
            self.stage = after(direction);
            return;
        };
        let more = !self.chunks.is_finished();
        let trailers = !self.message(direction).trailers.is_empty();
        self.stage = match self.http {
            _ if more => Stage::Body(direction),
            _ if trailers => Stage::Trailers(direction),
            HttpVersion::Http1 if !frame.is_empty() => Stage::EmptyFrame(direction),
            HttpVersion::Http1 | HttpVersion::Http2 => after(direction),
        };
        let more = [Stage::Body(direction), Stage::Trailers(direction)];
        let end = !more.contains(&self.stage) && self.stage != Stage::EmptyFrame(direction);
        self.deliver(slot, direction, frame, end);
    }

    fn deliver(&mut self, slot: &mut Slot<'_>, direction: Direction, frame: Bytes, end: bool) {
        self.delivered.chunks += 1;
        self.delivered.bytes += frame.len() as u64;
        if let Some(proxy) = slot.proxy(self.stream) {
            proxy.data(self.stream.context, direction, frame, end);
        }
    }

    /// The request has arrived as a whole; the upstream answers if it got all of it.
    fn upstream(&mut self, slot: &mut Slot<'_>) {
        let Some(stream) = slot.stream(self.stream) else { return };
        if !stream.request.received.ended {
            return;
        }
        match &self.response {
            Some(response) => {
                self.chunks = response.body.chunks(self.cut);
                self.stage = Stage::Headers(Direction::Response);
            }
            None => {
                if let Some(proxy) = slot.proxy(self.stream) {
                    proxy.reply(self.stream.context, no_answer());
                }
                if let Some(stream) = slot.stream(self.stream) {
                    // The proxy's reply stands for the upstream that the trace does not have.
                    stream.replied_locally = false;
                }
                self.stage = Stage::Settling;
            }
        }
    }

    /// Whether the sender is slowed down: more is held than the limit, and no frame comes before
    /// some of it goes on.
    fn is_slowed(&self, slot: &mut Slot<'_>) -> bool {
        let Some(proxy) = slot.proxy(self.stream) else { return false };
        let limit = proxy.buffer_limit(self.stream.context);
        let Some(stream) = proxy.stream(self.stream.context) else { return false };
        let slowed = |half: &Half| {
            half.iteration != Iteration::Running && !half.buffering && half.held.len() > limit
        };
        slowed(&stream.request) || slowed(&stream.response)
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
        Direction::Response => Stage::Settling,
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

/// HTTP/1 has no pseudo headers: Envoy makes the first of the host, which stands among the fields,
/// and the others of the request line when it has read all of them.
fn order_as_http1(headers: &mut Headers) {
    let mut ordered = Headers::new();
    for name in [":authority", ":path", ":method", ":scheme"] {
        if let Some(value) = headers.get(name) {
            ordered.push(name, value.clone());
        }
    }
    headers.retain(|name, _| !ordered.iter().any(|(known, _)| known == name));
    for (name, value) in headers.iter() {
        ordered.push(name.clone(), value.clone());
    }
    *headers = ordered;
}

/// HTTP/2 lets clients send each cookie in a field of its own (RFC 9113, 8.2.3). Envoy makes one of
/// them, behind all others, before its filters see it.
fn join_cookies(headers: &mut Headers) {
    let cookies = headers.iter().filter(|(name, _)| name == "cookie");
    let cookies: Vec<_> = cookies.map(|(_, value)| value.clone()).collect();
    if let [_, _, ..] = &cookies[..] {
        headers.retain(|name, _| name != "cookie");
        headers.push("cookie", cookies.join(&b"; "[..]));
    }
}

fn fields(headers: Headers) -> crate::host::HeaderMap {
    headers.into_iter().collect::<Vec<_>>().into()
}

/// What stands for an answer that the trace does not have. Without a body: the trace has none, and
/// what a body costs is what is being measured.
fn no_answer() -> LocalReply {
    LocalReply::new(503, "no_answer_in_trace", Bytes::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_comes_first_over_http1() {
        let mut headers = Headers::new();
        for (name, value) in [(":method", "GET"), ("x", "y"), (":authority", "h"), (":path", "/")] {
            headers.push(name, value);
        }
        order_as_http1(&mut headers);
        let names: Vec<_> = headers.iter().map(|(name, _)| &name[..]).collect();
        assert_eq!(names, [&b":authority"[..], b":path", b":method", b"x"]);
    }

    #[test]
    fn cookies_of_http2_become_one() {
        let mut headers = Headers::new();
        for (name, value) in [("cookie", "a=1"), ("x", "y"), ("cookie", "b=2; c=3")] {
            headers.push(name, value);
        }
        join_cookies(&mut headers);
        let fields: Vec<_> = headers.iter().map(|(name, value)| (&name[..], &value[..])).collect();
        assert_eq!(fields, [(&b"x"[..], &b"y"[..]), (b"cookie", b"a=1; b=2; c=3")]);
    }
}
