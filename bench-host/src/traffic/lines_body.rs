//! A body as it is written in our JSON lines format.

use std::fmt;

use bytes::Bytes;
use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};

use super::{Body, error::decode_base64};

/// A string, `{"base64": "…"}`, or an array of these for recorded chunks.
#[derive(Clone, Debug, Default)]
pub(crate) struct WrittenBody(pub(crate) Body);

impl<'de> Deserialize<'de> for WrittenBody {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(BodyVisitor)
    }
}

struct BodyVisitor;

impl<'de> Visitor<'de> for BodyVisitor {
    type Value = WrittenBody;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, {\"base64\": \"…\"} or an array of these")
    }

    fn visit_unit<E>(self) -> Result<WrittenBody, E> {
        Ok(WrittenBody(Body::None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<WrittenBody, A::Error> {
        let mut chunks = Vec::new();
        while let Some(Piece(chunk)) = array.next_element()? {
            chunks.push(chunk);
        }
        Ok(WrittenBody(Body::Chunks(chunks)))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<WrittenBody, E> {
        PieceVisitor.visit_str(text).map(WrittenBody::from)
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<WrittenBody, E> {
        PieceVisitor.visit_string(text).map(WrittenBody::from)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<WrittenBody, A::Error> {
        PieceVisitor.visit_map(map).map(WrittenBody::from)
    }
}

impl From<Piece> for WrittenBody {
    fn from(Piece(body): Piece) -> Self {
        Self(Body::Whole(body))
    }
}

/// A string or `{"base64": "…"}`.
struct Piece(Bytes);

impl<'de> Deserialize<'de> for Piece {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PieceVisitor)
    }
}

struct PieceVisitor;

impl<'de> Visitor<'de> for PieceVisitor {
    type Value = Piece;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or {\"base64\": \"…\"}")
    }

    fn visit_str<E>(self, text: &str) -> Result<Piece, E> {
        Ok(Piece(Bytes::copy_from_slice(text.as_bytes())))
    }

    fn visit_string<E>(self, text: String) -> Result<Piece, E> {
        Ok(Piece(text.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Piece, A::Error> {
        let encoded = Encoded::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Piece(encoded.base64.0))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Encoded {
    base64: Base64,
}

struct Base64(Bytes);

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        decode_base64(&text).map(Self).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(json: &str) -> Result<Body, String> {
        let body: Result<WrittenBody, _> = serde_json::from_str(json);
        body.map(|body| body.0).map_err(|error| error.to_string())
    }

    #[test]
    fn the_shape_decides_about_chunks() {
        assert!(matches!(body("null"), Ok(Body::None)));
        assert!(matches!(body(r#""""#), Ok(Body::Whole(text)) if text.is_empty()));
        assert!(matches!(body(r#""a\nb""#), Ok(Body::Whole(text)) if text == "a\nb"));
        let encoded = body(r#"{"base64": "AP8="}"#);
        assert!(matches!(encoded, Ok(Body::Whole(bytes)) if bytes == b"\0\xff"[..]));
        let chunks = body(r#"["a", "", {"base64": "Yg=="}]"#);
        assert!(matches!(chunks, Ok(Body::Chunks(chunks)) if chunks == ["a", "", "b"]));
    }

    #[test]
    fn anything_else_is_refused() {
        for json in ["1", "true", "{}", r#"{"base64": 1}"#, "[[]]", "[null]"] {
            assert!(body(json).is_err(), "{json}");
        }
        let error = body(r#"{"base64": "", "gzip": true}"#).unwrap_err();
        assert!(error.starts_with("unknown field `gzip`"), "{error}");
    }
}
