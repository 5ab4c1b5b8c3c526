//! Values of attributes, and how they cross the boundary.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::Value as Json;

use super::message::Message;
use crate::host::abi::Status;
use crate::host::headers::{HeaderMap, encode_pairs};

/// Most bytes of a value as a guest gets it. Header maps repeat the joined value of a name for each
/// of its lines, so that one map could otherwise be as large as the square of its headers.
pub(in crate::host) const MAX_VALUE: usize = 64 * 1024 * 1024;

/// The value of an attribute: the types of CEL.
#[derive(Clone, Debug)]
pub(in crate::host) enum Value<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    String(Bytes),
    Bytes(Bytes),
    /// Nanoseconds.
    Duration(i64),
    /// Nanoseconds since the epoch.
    Timestamp(i64),
    Headers(&'a HeaderMap),
    Object(&'a serde_json::Map<String, Json>),
    List(&'a [Json]),
    Message(Message<'a>),
    /// Attributes under one name.
    Group(Group),
}

/// A name with attributes under it, which no host can list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::host) enum Group {
    Request,
    Response,
    Connection,
    Upstream,
    Source,
    Destination,
    Xds,
    FilterState,
    /// That of the upstream connection: nothing is in it.
    UpstreamFilterState,
    /// A map without entries, such as headers that are not there.
    Empty,
}

impl<'a> Value<'a> {
    pub(super) fn text(text: &str) -> Self {
        Self::String(Bytes::copy_from_slice(text.as_bytes()))
    }

    /// A number of bytes or a port. CEL's integers have a sign.
    pub(super) fn count(number: impl TryInto<i64>) -> Self {
        Self::Int(number.try_into().unwrap_or(i64::MAX))
    }

    /// What a field of a `google.protobuf.Struct` is in CEL.
    pub(super) fn json(value: &'a Json) -> Self {
        match value {
            Json::Null => Self::Null,
            Json::Bool(truth) => Self::Bool(*truth),
            Json::Number(number) => Self::Double(number.as_f64().unwrap_or(f64::NAN)),
            Json::String(text) => Self::text(text),
            Json::Array(items) => Self::List(items),
            Json::Object(fields) => Self::Object(fields),
        }
    }

    /// The value as a guest gets it, as Envoy's `serializeValue` writes it: numbers in eight bytes,
    /// little end first; durations and times in nanoseconds; maps as pairs; the items of a list as
    /// pairs without a value; messages as protobuf.
    ///
    /// # Errors
    /// [`Status::SerializationFailure`] for a value of more than [`MAX_VALUE`] bytes, for null, for
    /// a group that cannot be listed, and for what has one of these in it.
    pub(in crate::host) fn encoded(self) -> Result<Bytes, Status> {
        match self {
            Self::String(bytes) | Self::Bytes(bytes) => Ok(bytes),
            other => other.encode().map(Bytes::from),
        }
    }

    /// The same as bytes of its own.
    ///
    /// # Errors
    /// As [`encoded`](Self::encoded).
    pub(in crate::host) fn encode(&self) -> Result<Vec<u8>, Status> {
        match self {
            Self::Null => Err(Status::SerializationFailure),
            Self::Bool(truth) => Ok(vec![u8::from(*truth)]),
            Self::Int(number) | Self::Duration(number) | Self::Timestamp(number) => {
                Ok(number.to_le_bytes().to_vec())
            }
            Self::Uint(number) => Ok(number.to_le_bytes().to_vec()),
            Self::Double(number) => Ok(number.to_le_bytes().to_vec()),
            Self::String(bytes) | Self::Bytes(bytes) => Ok(bytes.to_vec()),
            Self::Headers(headers) => encode_headers(headers),
            Self::Object(fields) => {
                let pairs = fields.iter().map(|(name, value)| {
                    Ok((name.as_bytes().to_vec(), Value::json(value).encode()?))
                });
                encode_owned(&pairs.collect::<Result<Vec<_>, Status>>()?)
            }
            Self::List(items) => {
                let pairs = items.iter().map(|item| Ok((Value::json(item).encode()?, Vec::new())));
                encode_owned(&pairs.collect::<Result<Vec<_>, Status>>()?)
            }
            Self::Message(message) => Ok(message.encode()),
            Self::Group(Group::Empty) => encode_owned(&[]),
            Self::Group(_) => Err(Status::SerializationFailure),
        }
    }
}

/// All values of a name, joined by commas.
pub(super) fn joined(headers: &HeaderMap, name: &[u8]) -> Option<Bytes> {
    let mut values = headers
        .iter()
        .filter(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, value)| value);
    let first = values.next()?;
    let Some(second) = values.next() else { return Some(first.clone()) };
    let mut all = first.to_vec();
    for value in std::iter::once(second).chain(values) {
        all.push(b',');
        all.extend_from_slice(value);
    }
    Some(all.into())
}

/// Every line has the joined value of its name, as in Envoy's map over headers.
fn encode_headers(headers: &HeaderMap) -> Result<Vec<u8>, Status> {
    let mut by_name = BTreeMap::<&Bytes, Vec<u8>>::new();
    for (name, value) in headers.iter() {
        let all = by_name.entry(name).or_default();
        if !all.is_empty() {
            all.push(b',');
        }
        all.extend_from_slice(value);
    }
    let size = |name: &Bytes| name.len() + by_name.get(name).map_or(0, Vec::len);
    if headers.iter().map(|(name, _)| size(name)).sum::<usize>() > MAX_VALUE {
        return Err(Status::SerializationFailure);
    }
    let lines = headers.iter().map(|(name, _)| {
        let value = by_name.get(name).map_or(&[][..], |value| &value[..]);
        (&name[..], value)
    });
    Ok(encode_pairs(lines.collect::<Vec<_>>().into_iter()))
}

fn encode_owned(pairs: &[(Vec<u8>, Vec<u8>)]) -> Result<Vec<u8>, Status> {
    if pairs.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>() > MAX_VALUE {
        return Err(Status::SerializationFailure);
    }
    let pairs: Vec<_> = pairs.iter().map(|(key, value)| (&key[..], &value[..])).collect();
    Ok(encode_pairs(pairs.into_iter()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::decode_pairs;

    #[test]
    fn scalars_have_the_width_of_their_type() {
        let cases: [(Value<'_>, &[u8]); 7] = [
            (Value::Bool(true), &[1]),
            (Value::Int(-2), &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
            (Value::Uint(1), &[1, 0, 0, 0, 0, 0, 0, 0]),
            (Value::Double(1.0), &[0, 0, 0, 0, 0, 0, 0xf0, 0x3f]),
            (Value::Duration(256), &[0, 1, 0, 0, 0, 0, 0, 0]),
            (Value::text("a"), b"a"),
            (Value::Group(Group::Empty), &[0; 4]),
        ];
        for (value, bytes) in cases {
            assert_eq!(value.encode().unwrap(), bytes, "{value:?}");
        }
    }

    #[test]
    fn structures_are_pairs() {
        let json: Json = serde_json::json!({"a": "x", "b": [true, 2, {"c": ""}]});
        let wire = Value::json(&json).encode().unwrap();
        let fields = decode_pairs(&wire);
        assert_eq!(fields[0], (&b"a"[..], &b"x"[..]));
        let items = decode_pairs(fields[1].1);
        assert_eq!(items[..2], [(&[1][..], &b""[..]), (&2_f64.to_le_bytes()[..], &b""[..])]);
        assert_eq!(decode_pairs(items[2].0), [(&b"c"[..], &b""[..])]);
    }

    #[test]
    fn null_and_groups_have_no_form_wherever_they_are() {
        let fails = Err(Status::SerializationFailure);
        assert_eq!(Value::Group(Group::Request).encode(), fails);
        for json in [Json::Null, serde_json::json!([null]), serde_json::json!({"a": [1, null]})] {
            assert_eq!(Value::json(&json).encode(), fails, "{json}");
        }
    }

    #[test]
    fn lines_of_one_name_are_joined() {
        let mut headers = HeaderMap::default();
        for (name, value) in [("a", "1"), ("b", "2"), ("a", "3")] {
            headers.add(name.as_bytes(), value.as_bytes());
        }
        assert_eq!(joined(&headers, b"A").unwrap(), "1,3");
        let wire = Value::Headers(&headers).encode().unwrap();
        let expected: [(&[u8], &[u8]); 3] = [(b"a", b"1,3"), (b"b", b"2"), (b"a", b"1,3")];
        assert_eq!(decode_pairs(&wire), expected);
    }

    #[test]
    fn a_map_that_would_be_far_larger_than_its_headers_is_refused() {
        let mut headers = HeaderMap::default();
        for _ in 0..10_000 {
            headers.add(b"a", &[b'v'; 100]);
        }
        assert_eq!(Value::Headers(&headers).encode(), Err(Status::SerializationFailure));
    }
}
