//! An exchange while it passes.

use std::{
    mem,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use hyper::HeaderMap;

use super::{Event, Listener, headers, sink::Sink};
use crate::traffic::{Body, Exchange, Headers, HttpVersion, Message};

/// What a chunk counts beside its bytes: its entry in the list.
const CHUNK: usize = size_of::<(Duration, usize)>();

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Request,
    Response,
}

/// What has been seen of an exchange so far, shared by those through whose hands it goes.
///
/// When the last of them lets go, it is recorded or, unless both its messages have ended, left out.
pub(super) struct Passing {
    began: Instant,
    max_body: usize,
    sink: Sink,
    listener: Listener,
    seen: Mutex<Seen>,
}

struct Seen {
    label: String,
    start: Duration,
    http: HttpVersion,
    request: Captured,
    response: Captured,
    /// Why the exchange will be left out.
    lost: Option<Lost>,
}

enum Lost {
    /// Somebody let go of a message before its end.
    CutShort(&'static str),
    /// It is known what happened.
    Known(String),
}

/// One message; bytes of a body lie next to each other, so that small chunks take little.
#[derive(Default)]
struct Captured {
    headers: Headers,
    has_body: bool,
    bytes: Vec<u8>,
    ends: Vec<(Duration, usize)>,
    trailers: Headers,
    ended: bool,
}

impl Passing {
    /// A request, with its label and headers, that began just now; `start` is counted from the
    /// beginning of the recording.
    pub(super) fn new(
        (label, request): (String, Headers),
        (http, start): (HttpVersion, Duration),
        max_body: usize,
        (sink, listener): (Sink, Listener),
    ) -> Self {
        let request = Captured { headers: request, ..Captured::default() };
        let seen = Seen { label, start, http, request, response: Captured::default(), lost: None };
        Self { began: Instant::now(), max_body, sink, listener, seen: Mutex::new(seen) }
    }

    /// The answer began.
    pub(super) fn answered(&self, headers: Headers) {
        self.with(|seen| seen.response.headers = headers);
    }

    /// A message has no body, not even an empty one.
    pub(super) fn ended_with_headers(&self, direction: Direction) {
        self.with(|seen| seen.captured(direction).ended = true);
    }

    /// A frame of a body passed.
    pub(super) fn data(&self, direction: Direction, data: &[u8]) {
        let at = self.began.elapsed();
        self.with(|seen| {
            if seen.lost.is_some() {
                return;
            }
            let captured = seen.captured(direction);
            captured.has_body = true;
            let counted = captured.bytes.len() + data.len() + (captured.ends.len() + 1) * CHUNK;
            if counted > self.max_body {
                let which = direction.name();
                let limit = self.max_body;
                seen.lose(format!(
                    "the {which}'s body is longer than the {limit} bytes of --max-body"
                ));
                return;
            }
            captured.bytes.extend_from_slice(data);
            captured.ends.push((at, captured.bytes.len()));
        });
    }

    /// Trailers passed.
    pub(super) fn trailers(&self, direction: Direction, trailers: &HeaderMap) {
        self.with(|seen| headers::extend(&mut seen.captured(direction).trailers, trailers));
    }

    /// A message ended; `apart` from its last frame, if there was one.
    pub(super) fn ended(&self, direction: Direction, apart: bool) {
        let at = self.began.elapsed();
        self.with(|seen| {
            let is_http2 = seen.http == HttpVersion::Http2;
            let captured = seen.captured(direction);
            captured.ended = true;
            // HTTP/1 always ends a body apart, so a trace does not say so.
            let is_seen = captured.ends.is_empty() || (apart && is_http2);
            if captured.trailers.is_empty() && is_seen {
                captured.has_body = true;
                captured.ends.push((at, captured.bytes.len()));
            }
        });
    }

    /// Someone let go of a message before its end.
    pub(super) fn cut_short(&self, reason: &'static str) {
        self.with(|seen| {
            if seen.lost.is_none() {
                seen.lost = Some(Lost::CutShort(reason));
            }
        });
    }

    /// The exchange cannot be recorded.
    pub(super) fn lose(&self, reason: String) {
        self.with(|seen| seen.lose(reason));
    }

    fn with(&self, change: impl FnOnce(&mut Seen)) {
        // Whoever panicked with it left a frame out at worst.
        change(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Direction {
    fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Response => "response",
        }
    }
}

impl Seen {
    fn captured(&mut self, direction: Direction) -> &mut Captured {
        match direction {
            Direction::Request => &mut self.request,
            Direction::Response => &mut self.response,
        }
    }

    /// The first known reason counts; nothing of the bodies is needed any more.
    fn lose(&mut self, reason: String) {
        if !matches!(self.lost, Some(Lost::Known(_))) {
            self.lost = Some(Lost::Known(reason));
        }
        for captured in [&mut self.request, &mut self.response] {
            (captured.bytes, captured.ends) = (Vec::new(), Vec::new());
        }
    }
}

impl Captured {
    fn into_message(self) -> Message {
        let bytes = Bytes::from(self.bytes);
        let body = if self.has_body {
            let mut start = 0;
            let chunks = self.ends.into_iter().map(|(at, end)| {
                let chunk = bytes.slice(start..end);
                start = end;
                (whole_micros(at), chunk)
            });
            Body::Timed(chunks.collect())
        } else {
            Body::None
        };
        Message { headers: self.headers, body, trailers: self.trailers }
    }
}

/// What is finer is noise.
pub(super) fn whole_micros(time: Duration) -> Duration {
    Duration::from_micros(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
}

impl Drop for Passing {
    fn drop(&mut self) {
        let seen = self.seen.get_mut().unwrap_or_else(PoisonError::into_inner);
        let label = mem::take(&mut seen.label);
        let reason = match seen.lost.take() {
            Some(Lost::Known(reason)) => reason,
            Some(Lost::CutShort(reason)) => reason.to_owned(),
            None if seen.request.ended && seen.response.ended => {
                self.sink.put(Exchange {
                    label,
                    start: Some(seen.start),
                    http: seen.http,
                    request: mem::take(&mut seen.request).into_message(),
                    response: Some(mem::take(&mut seen.response).into_message()),
                });
                return;
            }
            None => "the client went away before its answer".to_owned(),
        };
        self.listener.tell(Event::LeftOut { label, reason });
    }
}
