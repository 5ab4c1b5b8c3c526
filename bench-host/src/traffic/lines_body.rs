//! A body as it is written in our JSON lines format.

use std::{fmt, time::Duration};

use bytes::Bytes;
use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};

use super::{Body, error::decode_base64, lines_time::Millis};

/// A string, `{"base64": "…"}`, or an array of these for recorded chunks, of which each may be
/// `{"text": "…", "ms": …}` or `{"base64": "…", "ms": …}` and so say when it came.
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
        let (mut now, mut is_timed) = (Duration::ZERO, false);
        while let Some(Piece { bytes, at }) = array.next_element()? {
            if let Some(at) = at {
                if at < now {
                    return Err(de::Error::custom("`ms` is before that of an earlier chunk"));
                }
                (now, is_timed) = (at, true);
            }
            chunks.push((now, bytes));
        }
        Ok(WrittenBody(if is_timed {
            Body::Timed(chunks)
        } else {
            Body::Chunks(chunks.into_iter().map(|(_, chunk)| chunk).collect())
        }))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<WrittenBody, E> {
        PieceVisitor.visit_str(text).map(WrittenBody::from)
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<WrittenBody, E> {
        PieceVisitor.visit_string(text).map(WrittenBody::from)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<WrittenBody, A::Error> {
        let piece = PieceVisitor.visit_map(map)?;
        if piece.at.is_some() {
            return Err(de::Error::custom("`ms` is for the chunks of an array"));
        }
        Ok(piece.into())
    }
}

impl From<Piece> for WrittenBody {
    fn from(piece: Piece) -> Self {
        Self(Body::Whole(piece.bytes))
    }
}

/// A string, or an object that may say when the chunk came.
pub(super) struct Piece {
    pub(super) bytes: Bytes,
    pub(super) at: Option<Duration>,
}

impl From<Bytes> for Piece {
    fn from(bytes: Bytes) -> Self {
        Self { bytes, at: None }
    }
}

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
        Ok(Bytes::copy_from_slice(text.as_bytes()).into())
    }

    fn visit_string<E>(self, text: String) -> Result<Piece, E> {
        Ok(Bytes::from(text).into())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Piece, A::Error> {
        let written = Written::deserialize(MapAccessDeserializer::new(map))?;
        let at = written.ms.map(|ms| ms.0);
        match (written.text, written.base64) {
            (Some(text), None) => Ok(Piece { bytes: text.into(), at }),
            (None, Some(Base64(bytes))) => Ok(Piece { bytes, at }),
            _ => Err(de::Error::custom("one of `text` and `base64` is needed")),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    text: Option<String>,
    base64: Option<Base64>,
    ms: Option<Millis>,
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
        for (json, reason) in [
            (r#"{"text": "a", "base64": ""}"#, "one of `text` and `base64` is needed"),
            (r#"{"text": "a", "ms": 1}"#, "`ms` is for the chunks of an array"),
            (r#"[{"text": "a", "ms": -1}]"#, "-1 is no time after the first"),
            (
                r#"[{"text": "a", "ms": 2}, "b", {"text": "c", "ms": 1}]"#,
                "`ms` is before that of an earlier chunk",
            ),
        ] {
            let error = body(json).unwrap_err();
            assert!(error.starts_with(reason), "{error}");
        }
    }

    #[test]
    fn chunks_without_a_time_came_with_the_one_before() {
        let json = r#"["a", {"text": "b", "ms": 1.5}, {"base64": "Yw=="}]"#;
        let Ok(Body::Timed(chunks)) = body(json) else {
            panic!("one time is enough");
        };
        let times: Vec<_> = chunks.iter().map(|(at, _)| at.as_micros()).collect();
        assert_eq!(times, [0, 1500, 1500]);
        let chunks: Vec<_> = chunks.into_iter().map(|(_, chunk)| chunk).collect();
        assert_eq!(chunks, ["a", "b", "c"]);
    }
}
