//! `request.*` and `response.*`.

use bytes::Bytes;

use super::Attributes;
use super::value::{Group, Value, joined};
use crate::host::headers::HeaderMap;
use crate::host::stream::Stream;

pub(super) fn request<'a>(
    view: &Attributes<'a>,
    stream: &'a Stream,
    name: &[u8],
) -> Option<Value<'a>> {
    // Higress' host lets them be read for the whole stream.
    let there = stream.request.headers_open || view.logging || view.is_higress();
    let headers = (there && stream.request.begun).then_some(&stream.request.headers);
    let header = |name: &[u8]| headers?.get(name).cloned().map(Value::String);
    let bytes = headers.map_or(0, HeaderMap::byte_size);
    Some(match name {
        b"headers" => headers.map_or(Value::Group(Group::Empty), Value::Headers),
        b"headers_bytes" => Value::count(bytes),
        b"path" => return header(b":path"),
        b"url_path" => Value::String(path_and_query(headers?).0),
        b"query" => Value::String(path_and_query(headers?).1),
        b"host" => return header(b":authority"),
        b"scheme" => return header(b":scheme"),
        b"method" => return header(b":method"),
        b"referer" => return header(b"referer"),
        b"useragent" => return header(b"user-agent"),
        b"id" => return header(b"x-request-id"),
        b"protocol" => Value::text(stream.protocol),
        b"time" => Value::Timestamp(i64::try_from(stream.started).unwrap_or(i64::MAX)),
        b"size" => match headers.and_then(|headers| headers.get(b"content-length")) {
            Some(length) => Value::Int(number(length)?),
            None => Value::count(stream.request.arrived),
        },
        b"total_size" => Value::count(stream.request.arrived.saturating_add(bytes as u64)),
        b"duration" => {
            let took = view.now.saturating_sub(stream.started);
            return view.logging.then(|| Value::Duration(i64::try_from(took).unwrap_or(i64::MAX)));
        }
        _ => return None,
    })
}

pub(super) fn response<'a>(
    view: &Attributes<'a>,
    stream: &'a Stream,
    name: &[u8],
) -> Option<Value<'a>> {
    let half = &stream.response;
    let headers = (half.headers_open || (view.logging && half.begun)).then_some(&half.headers);
    let passed = half.received.trailers.as_ref().filter(|_| view.logging);
    let trailers = half.open_trailers().or(passed);
    // The stream keeps its code when the headers have gone on.
    let code = || number(half.headers.get(b":status")?);
    let size = |map: Option<&HeaderMap>| map.map_or(0, HeaderMap::byte_size) as u64;
    let map = |map: Option<&'a HeaderMap>| map.map_or(Value::Group(Group::Empty), Value::Headers);
    Some(match name {
        b"code" => Value::Int(code()?),
        b"code_details" if stream.details.is_empty() && !stream.replied_locally => return None,
        b"code_details" => Value::text(&stream.details),
        // No attribute of a run here sets any of Envoy's flags.
        b"flags" => Value::Int(0),
        b"grpc_status" => Value::Int(grpc_status(trailers, headers, code())?),
        b"headers" => map(headers),
        b"headers_bytes" => Value::count(size(headers)),
        b"trailers" => map(trailers),
        b"size" => Value::count(half.received.bytes),
        b"total_size" => {
            let total = half.received.bytes.saturating_add(size(headers));
            Value::count(total.saturating_add(size(trailers)))
        }
        _ => return None,
    })
}

/// A header of a map, as `request.headers` and the others show it.
pub(super) fn header<'a>(headers: &'a HeaderMap, name: &[u8]) -> Option<Value<'a>> {
    joined(headers, name).map(Value::String)
}

/// The path without its query, and the query without the fragment.
fn path_and_query(headers: &HeaderMap) -> (Bytes, Bytes) {
    let path = headers.get(b":path").cloned().unwrap_or_default();
    let Some(mark) = path.iter().position(|byte| *byte == b'?') else {
        return (path, Bytes::new());
    };
    let query = path.slice(mark + 1..);
    let end = query.iter().position(|byte| *byte == b'#').unwrap_or(query.len());
    (path.slice(..mark), query.slice(..end))
}

/// What gRPC says of a response: trailers, then headers, then what the HTTP code stands for
/// (`Grpc::Common::getGrpcStatus` and `httpToGrpcStatus` in Envoy).
fn grpc_status(
    trailers: Option<&HeaderMap>,
    headers: Option<&HeaderMap>,
    code: Option<i64>,
) -> Option<i64> {
    const INVALID: i64 = -1;
    const MAX: i64 = 16;
    let said = |map: Option<&HeaderMap>| {
        let status = map?.get(b"grpc-status")?;
        Some(number(status).filter(|status| (0..=MAX).contains(status)).unwrap_or(INVALID))
    };
    said(trailers).or_else(|| said(headers)).or_else(|| {
        Some(match code? {
            400 => 13,
            401 => 16,
            403 => 7,
            404 => 12,
            429 | 502..=504 => 14,
            _ => 2,
        })
    })
}

fn number(text: &[u8]) -> Option<i64> {
    str::from_utf8(text).ok()?.trim_ascii().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect()
    }

    #[test]
    fn paths_are_cut_at_the_query() {
        for (path, expected) in [
            ("/a?b=c#d", ("/a", "b=c")),
            ("/a", ("/a", "")),
            ("/a#b", ("/a#b", "")),
            ("?", ("", "")),
            ("/?a?b", ("/", "a?b")),
        ] {
            let (path, query) = path_and_query(&headers(&[(":path", path)]));
            assert_eq!((&path[..], &query[..]), (expected.0.as_bytes(), expected.1.as_bytes()));
        }
    }

    #[test]
    fn a_status_of_grpc_comes_from_the_last_that_says_it() {
        let trailers = headers(&[("grpc-status", "5")]);
        let first = headers(&[("grpc-status", "99")]);
        assert_eq!(grpc_status(Some(&trailers), Some(&first), Some(200)), Some(5));
        assert_eq!(grpc_status(None, Some(&first), Some(200)), Some(-1));
        assert_eq!(grpc_status(None, None, Some(503)), Some(14));
        assert_eq!(grpc_status(None, None, None), None);
    }
}
