//! What became of a request.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::host::{HeaderMap, Received, Stream};

/// What became of a request, on both sides of the proxy.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What the upstream received.
    pub upstream: Seen,
    /// What the client received.
    pub downstream: Seen,
    /// Response code details: `via_upstream`, or what the reply of a plugin or of the proxy says. In
    /// front of a plugin's own Higress puts `via_wasm::NAME::`, and the name is `plugin` unless the
    /// set-up gives it another.
    pub details: String,
    /// Whether the plugin answered, or the proxy on its behalf.
    pub replied_locally: bool,
    /// Whether the stream was cut off.
    pub reset: bool,
    /// Why the stream never came to its end, where the plugin held it and nothing was left that
    /// could move it: which callback answered what, how the host read that, and what was missing.
    pub stalled: Option<String>,
    /// Filter state that plugins set as properties, by its path, without the prefix `wasm.`; an
    /// access log shows it (`%FILTER_STATE(wasm.ai_log:PLAIN)%`).
    pub filter_state: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Tags that the plugin gave the trace span (Higress).
    pub span_tags: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Bytes that each direction could hold in the end: the plugin's own limit (Higress), the
    /// operator's or the profile's; `usize::MAX` where the plugin asked for none.
    pub buffer_limit: usize,
    /// Whether the plugin has told the proxy to keep the route (`clear_route_cache` is `off`,
    /// Higress).
    pub keeps_route: bool,
    /// How often the plugin has made the proxy look for the route anew: with every change of the
    /// request headers, unless it keeps the route.
    pub route_clears: u32,
    /// The upstream host that the plugin chose (Higress).
    pub upstream_override: Option<String>,
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
            upstream: Seen::so_far(&stream.request.received),
            downstream: Seen::so_far(&stream.response.received),
            details: stream.details,
            replied_locally: stream.replied_locally,
            reset: stream.reset,
            stalled: stream.stalled,
            filter_state: stream.filter_state,
            span_tags: stream.span_tags,
            buffer_limit: stream.limit,
            keeps_route: stream.keeps_route,
            route_clears: stream.route_clears,
            upstream_override: stream
                .upstream_override
                .map(|host| String::from_utf8_lossy(&host).into_owned()),
        }
    }

    /// Filter state as text: `state("ai_log")`, for example.
    pub fn state(&self, path: &str) -> Option<Cow<'_, str>> {
        self.filter_state.get(path.as_bytes()).map(|value| String::from_utf8_lossy(value))
    }

    /// A tag of the trace span as text.
    pub fn span_tag(&self, name: &str) -> Option<Cow<'_, str>> {
        self.span_tags.get(name.as_bytes()).map(|value| String::from_utf8_lossy(value))
    }
}

impl Seen {
    pub(super) fn so_far(received: &Received) -> Self {
        Self {
            body: received.body().to_vec(),
            frames: received.frames,
            headers: received.headers.clone().unwrap_or_default(),
            trailers: received.trailers.clone().unwrap_or_default(),
            ended: received.ended,
        }
    }

    /// The status code; `None` for a request, and where no response came.
    pub fn status(&self) -> Option<u16> {
        self.header(":status")?.parse().ok()
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
