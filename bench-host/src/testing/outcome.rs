//! What became of a request.

use std::borrow::Cow;

use crate::host::{HeaderMap, Received, Stream};

/// What became of a request, on both sides of the proxy.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What the upstream received.
    pub upstream: Seen,
    /// What the client received.
    pub downstream: Seen,
    /// Response code details: `via_upstream`, or who answered instead.
    pub details: String,
    /// Whether the plugin answered, or the proxy on its behalf.
    pub replied_locally: bool,
    /// Whether the stream was cut off.
    pub reset: bool,
    /// Why the stream never came to its end, where the plugin held it and nothing was left that
    /// could move it: which callback answered what, how the host read that, and what was missing.
    pub stalled: Option<String>,
}

/// A message as its receiver saw it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Headers; empty when none came.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Vec<u8>,
    /// In how many frames it came.
    pub frames: u64,
    /// Trailers; empty when none came.
    pub trailers: HeaderMap,
    /// Whether it came to its end.
    pub ended: bool,
}

impl Outcome {
    pub(crate) fn of(stream: Stream) -> Self {
        Self {
            upstream: Seen::of(stream.request.received),
            downstream: Seen::of(stream.response.received),
            details: stream.details,
            replied_locally: stream.replied_locally,
            reset: stream.reset,
            stalled: stream.stalled,
        }
    }
}

impl Seen {
    fn of(received: Received) -> Self {
        Self {
            body: received.body().to_vec(),
            frames: received.frames,
            headers: received.headers.unwrap_or_default(),
            trailers: received.trailers.unwrap_or_default(),
            ended: received.ended,
        }
    }

    /// The body as text.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        self.headers.get(name.as_bytes()).map(|value| String::from_utf8_lossy(value))
    }
}
