//! What Envoy's tap filter writes, whatever the encoding: `envoy.data.tap.v3.TraceWrapper`.

use bytes::Bytes;

use super::{Body, Headers, clock::Instant};

/// Where in a file a message is: its index, and its first byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) trace: u64,
    pub(super) byte: u64,
}

/// One message of the filter.
#[derive(Clone, Debug)]
pub(super) enum Trace {
    /// A whole exchange (`http_buffered_trace`).
    Buffered(Box<Recorded>),
    /// A piece of one (`http_streamed_trace_segment`).
    Segment {
        /// The stream that the piece belongs to.
        id: u64,
        piece: Piece,
    },
    /// Bytes of a connection (`socket_…`), which hold no messages that could be replayed.
    Socket,
}

/// A piece of a request or of a response.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) side: Side,
    pub(super) content: Content,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Request,
    Response,
}

impl Side {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Response => "response",
        }
    }
}

#[derive(Clone, Debug)]
pub(super) enum Content {
    Headers(Headers),
    Chunk(Chunk),
    Trailers(Headers),
}

/// A body or a piece of one.
#[derive(Clone, Debug, Default)]
pub(super) struct Chunk {
    pub(super) bytes: Bytes,
    /// Whether the filter cut off what was beyond its limit.
    pub(super) truncated: bool,
}

/// An exchange as the filter saw it.
#[derive(Clone, Debug, Default)]
pub(super) struct Recorded {
    pub(super) request: Part,
    pub(super) response: Part,
}

impl Recorded {
    pub(super) fn side(&mut self, side: Side) -> &mut Part {
        match side {
            Side::Request => &mut self.request,
            Side::Response => &mut self.response,
        }
    }
}

/// A request or a response as the filter saw it: its names are lower case, their order is the
/// filter's.
#[derive(Clone, Debug, Default)]
pub(super) struct Part {
    pub(super) headers: Option<Headers>,
    pub(super) body: Body,
    pub(super) trailers: Option<Headers>,
    pub(super) truncated: bool,
    /// When the headers came.
    pub(super) received: Option<Instant>,
}

impl Part {
    /// A message that was recorded as a whole; empty lists are those of a message that never came.
    pub(super) fn buffered(
        headers: Headers,
        body: Option<Chunk>,
        trailers: Headers,
        received: Option<Instant>,
    ) -> Self {
        let truncated = body.as_ref().is_some_and(|body| body.truncated);
        Self {
            headers: (!headers.is_empty()).then_some(headers),
            body: body.map_or(Body::None, |body| Body::Whole(body.bytes)),
            trailers: (!trailers.is_empty()).then_some(trailers),
            truncated,
            received,
        }
    }
}

/// A header field as it was written; the error is the reason.
///
/// Envoy writes `raw_value` where a value is not to be taken for text, and then leaves `value` out.
pub(super) fn field(name: &[u8], value: Bytes, raw: Bytes) -> Result<(Bytes, Bytes), &'static str> {
    if name.is_empty() {
        return Err("a header without a name");
    }
    let value = if raw.is_empty() { value } else { raw };
    Ok((name.to_ascii_lowercase().into(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_values_stand_for_values_and_names_become_lower_case() {
        let bytes = Bytes::from_static;
        assert_eq!(field(b"X-A", bytes(b"v"), Bytes::new()), Ok((bytes(b"x-a"), bytes(b"v"))));
        assert_eq!(field(b"a", bytes(b"v"), bytes(b"\xe9")), Ok((bytes(b"a"), bytes(b"\xe9"))));
        assert_eq!(field(b"", bytes(b"v"), Bytes::new()), Err("a header without a name"));
    }

    #[test]
    fn an_empty_list_is_a_message_that_never_came() {
        let part = Part::buffered(Headers::new(), None, Headers::new(), None);
        assert!(part.headers.is_none() && part.trailers.is_none());
        assert!(matches!(part.body, Body::None));
        let chunk = Some(Chunk::default());
        let part = Part::buffered(Headers::new(), chunk, Headers::new(), None);
        assert!(matches!(part.body, Body::Whole(body) if body.is_empty()));
    }
}
