//! The filter's protobuf, decoded by the numbers of its fields.
//!
//! The numbers are those of `envoy/data/tap/v3/{wrapper,http,common}.proto` and
//! `envoy/config/core/v3/base.proto`. Fields that are not known are skipped, as protobuf asks.

use bytes::Bytes;

use super::{
    Headers,
    clock::Instant,
    tap_model::{self, Chunk, Content, Part, Piece, Recorded, Side, Trace},
};
use crate::host::protobuf::{Field, fields};

/// What is wrong with a message: where, as a path of field names, and what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    path: Vec<&'static str>,
    what: &'static str,
}

impl Wrong {
    fn new(what: &'static str) -> Self {
        Self { path: Vec::new(), what }
    }

    pub(super) fn reason(&self) -> String {
        if self.path.is_empty() {
            return self.what.to_owned();
        }
        let path: Vec<_> = self.path.iter().rev().copied().collect();
        format!("{}: {}", path.join("."), self.what)
    }
}

/// Puts the name of a field in front of what is wrong in it.
fn within<T>(name: &'static str, result: Result<T, Wrong>) -> Result<T, Wrong> {
    result.map_err(|mut wrong| {
        wrong.path.push(name);
        wrong
    })
}

/// Decodes a `TraceWrapper`.
pub(super) fn parse(wrapper: &Bytes) -> Result<Trace, Wrong> {
    let mut found = None;
    // The last one counts where several are given, as in every `oneof` of protobuf.
    each(wrapper, |number, value| {
        match number {
            1 => found = Some(within("http_buffered_trace", buffered(&value.bytes()?))?),
            2 => found = Some(within("http_streamed_trace_segment", segment(&value.bytes()?))?),
            3 | 4 => found = Some(Trace::Socket),
            _ => {}
        }
        Ok(())
    })?;
    found.ok_or(Wrong::new("neither `http_buffered_trace` nor `http_streamed_trace_segment`"))
}

fn buffered(message: &Bytes) -> Result<Trace, Wrong> {
    let mut recorded = Recorded::default();
    each(message, |number, value| {
        match number {
            1 => recorded.request = within("request", part(&value.bytes()?))?,
            2 => recorded.response = within("response", part(&value.bytes()?))?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(Trace::Buffered(Box::new(recorded)))
}

/// `HttpBufferedTrace.Message`.
fn part(message: &Bytes) -> Result<Part, Wrong> {
    let (mut headers, mut trailers) = (Headers::new(), Headers::new());
    let (mut body, mut received) = (None, None);
    each(message, |number, value| {
        match number {
            1 => headers.extend([within("headers", header(&value.bytes()?))?]),
            2 => body = Some(within("body", chunk(&value.bytes()?))?),
            3 => trailers.extend([within("trailers", header(&value.bytes()?))?]),
            4 => received = within("headers_received_time", timestamp(&value.bytes()?))?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(Part::buffered(headers, body, trailers, received))
}

fn segment(message: &Bytes) -> Result<Trace, Wrong> {
    let (mut id, mut piece) = (0, None);
    each(message, |number, value| {
        let side = if number <= 4 { Side::Request } else { Side::Response };
        let content = match number {
            1 => {
                id = value.varint()?;
                return Ok(());
            }
            2 => Content::Headers(within("request_headers", map(&value.bytes()?))?),
            3 => Content::Chunk(within("request_body_chunk", chunk(&value.bytes()?))?),
            4 => Content::Trailers(within("request_trailers", map(&value.bytes()?))?),
            5 => Content::Headers(within("response_headers", map(&value.bytes()?))?),
            6 => Content::Chunk(within("response_body_chunk", chunk(&value.bytes()?))?),
            7 => Content::Trailers(within("response_trailers", map(&value.bytes()?))?),
            _ => return Ok(()),
        };
        match piece.replace(Piece { side, content }) {
            Some(_) => Err(Wrong::new("a segment with more than one piece")),
            None => Ok(()),
        }
    })?;
    let piece = piece.ok_or(Wrong::new("a segment without headers, body chunk or trailers"))?;
    Ok(Trace::Segment { id, piece })
}

/// `HeaderMap`.
fn map(message: &Bytes) -> Result<Headers, Wrong> {
    let mut headers = Headers::new();
    each(message, |number, value| {
        if number == 1 {
            headers.extend([within("headers", header(&value.bytes()?))?]);
        }
        Ok(())
    })?;
    Ok(headers)
}

/// `HeaderValue`.
fn header(message: &Bytes) -> Result<(Bytes, Bytes), Wrong> {
    let (mut key, mut text, mut raw) = (Bytes::new(), Bytes::new(), Bytes::new());
    each(message, |number, value| {
        match number {
            1 => key = value.bytes()?,
            2 => text = value.bytes()?,
            3 => raw = value.bytes()?,
            _ => {}
        }
        Ok(())
    })?;
    tap_model::field(&key, text, raw).map_err(Wrong::new)
}

/// `Body`.
fn chunk(message: &Bytes) -> Result<Chunk, Wrong> {
    let mut chunk = Chunk::default();
    each(message, |number, value| {
        match number {
            1 | 2 => chunk.bytes = value.bytes()?,
            3 => chunk.truncated = value.varint()? != 0,
            _ => {}
        }
        Ok(())
    })?;
    Ok(chunk)
}

/// `google.protobuf.Timestamp`; one that is no moment is as good as none.
fn timestamp(message: &Bytes) -> Result<Option<Instant>, Wrong> {
    let (mut seconds, mut nanos) = (0, 0);
    each(message, |number, value| {
        match number {
            1 => seconds = value.varint()?,
            2 => nanos = value.varint()?,
            _ => {}
        }
        Ok(())
    })?;
    let nanos = u32::try_from(nanos).unwrap_or(u32::MAX);
    Ok(Instant::from_unix(seconds.cast_signed(), nanos))
}

/// A field of a message whose memory can be shared.
struct Value<'a> {
    field: Field<'a>,
    message: &'a Bytes,
}

impl Value<'_> {
    fn bytes(&self) -> Result<Bytes, Wrong> {
        match self.field {
            Field::Bytes(bytes) => Ok(self.message.slice_ref(bytes)),
            _ => Err(Wrong::new("a number where bytes belong")),
        }
    }

    fn varint(&self) -> Result<u64, Wrong> {
        match self.field {
            Field::Varint(number) => Ok(number),
            _ => Err(Wrong::new("not a varint where one belongs")),
        }
    }
}

/// Calls `take` with every field of a message.
fn each(
    message: &Bytes,
    mut take: impl FnMut(u64, Value<'_>) -> Result<(), Wrong>,
) -> Result<(), Wrong> {
    for field in fields(message) {
        let (number, field) = field.map_err(|_| Wrong::new("malformed protobuf"))?;
        take(number, Value { field, message })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::protobuf::{put_bytes, put_varint};

    fn message(fields: &[(u64, &[u8])]) -> Vec<u8> {
        let mut message = Vec::new();
        for (number, bytes) in fields {
            put_bytes(&mut message, *number, bytes);
        }
        message
    }

    #[test]
    fn a_message_is_decoded_by_its_numbers() {
        let header = message(&[(1, b"X-A"), (2, b"v"), (3, b"\xe9")]);
        let mut time = Vec::new();
        put_varint(&mut time, 1, 1_498_640_948);
        put_varint(&mut time, 2, 406_000_000);
        let mut body = message(&[(1, b"\0\xff")]);
        put_varint(&mut body, 3, 1);
        let part = message(&[(1, &header), (2, &body), (3, &header), (4, &time), (99, b"new")]);
        let wrapper = message(&[(1, &message(&[(1, &part), (3, b"")]))]);
        let Ok(Trace::Buffered(recorded)) = parse(&wrapper.into()) else {
            panic!("no buffered trace");
        };
        let request = recorded.request;
        assert_eq!(request.headers.unwrap().get("x-a").unwrap(), &b"\xe9"[..]);
        assert_eq!(request.trailers.unwrap().len(), 1);
        assert_eq!(request.body.len(), 2);
        assert!(request.truncated);
        assert_eq!(request.received, Instant::parse("2017-06-28T09:09:08.406Z"));
        assert!(recorded.response.headers.is_none());
    }

    #[test]
    fn the_path_says_where_it_is_wrong() {
        let reason = |wrapper: Vec<u8>| parse(&wrapper.into()).unwrap_err().reason();
        let nameless = message(&[(1, &message(&[(2, b"v")]))]);
        assert_eq!(
            reason(message(&[(1, &message(&[(2, &nameless)]))])),
            "http_buffered_trace.response.headers: a header without a name"
        );
        let mut number = Vec::new();
        put_varint(&mut number, 1, 7);
        assert_eq!(reason(number), "a number where bytes belong");
        assert_eq!(
            reason(message(&[(2, &message(&[(1, b"7")]))])),
            "http_streamed_trace_segment: not a varint where one belongs"
        );
        assert_eq!(
            reason(message(&[(2, &message(&[(3, b""), (4, b"")]))])),
            "http_streamed_trace_segment: a segment with more than one piece"
        );
        assert_eq!(reason(vec![0x0a, 5]), "malformed protobuf");
    }
}
