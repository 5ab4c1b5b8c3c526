//! What the filter's JSON is made of: numbers, headers, bodies.

use std::{borrow::Cow, fmt};

use bytes::Bytes;
use serde::{
    Deserialize, Deserializer,
    de::{self, Visitor},
};

use super::{
    Headers,
    error::decode_base64,
    tap_model::{Chunk, field},
};

/// A 64-bit number, which JSON writes as a string.
#[derive(Default)]
pub(super) struct TraceId(pub(super) u64);

impl<'de> Deserialize<'de> for TraceId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Id;

        impl Visitor<'_> for Id {
            type Value = TraceId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of 64 bits, as a string or as it is")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<TraceId, E> {
                let wrong = |_| E::invalid_value(de::Unexpected::Str(text), &self);
                text.parse().map(TraceId).map_err(wrong)
            }

            fn visit_u64<E>(self, number: u64) -> Result<TraceId, E> {
                Ok(TraceId(number))
            }
        }

        deserializer.deserialize_any(Id)
    }
}

#[derive(Deserialize)]
pub(super) struct Map {
    headers: Option<Fields>,
}

impl From<Map> for Headers {
    fn from(map: Map) -> Self {
        map.headers.unwrap_or_default().into()
    }
}

#[derive(Default, Deserialize)]
#[serde(transparent)]
pub(super) struct Fields(Vec<Field>);

impl From<Fields> for Headers {
    fn from(fields: Fields) -> Self {
        fields.0.into_iter().map(|field| field.0).collect()
    }
}

struct Field((Bytes, Bytes));

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Header { key, value, raw_value } = Header::deserialize(deserializer)?;
        let value = Bytes::copy_from_slice(value.unwrap_or_default().as_bytes());
        let raw = raw_value.map_or(Bytes::new(), |raw| raw.0);
        let field = field(key.unwrap_or_default().as_bytes(), value, raw);
        field.map(Self).map_err(de::Error::custom)
    }
}

#[derive(Deserialize)]
struct Header<'a> {
    #[serde(borrow)]
    key: Option<Cow<'a, str>>,
    #[serde(borrow)]
    value: Option<Cow<'a, str>>,
    #[serde(alias = "rawValue")]
    raw_value: Option<Base64>,
}

#[derive(Deserialize)]
pub(super) struct Data<'a> {
    #[serde(alias = "asBytes")]
    as_bytes: Option<Base64>,
    #[serde(borrow, alias = "asString")]
    as_string: Option<Cow<'a, str>>,
    truncated: Option<bool>,
}

impl From<Data<'_>> for Chunk {
    fn from(data: Data<'_>) -> Self {
        let text = |text: Cow<'_, str>| Bytes::from(text.into_owned());
        let bytes = data.as_bytes.map(|bytes| bytes.0).or(data.as_string.map(text));
        Self { bytes: bytes.unwrap_or_default(), truncated: data.truncated.unwrap_or_default() }
    }
}

struct Base64(Bytes);

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Base64;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("base64")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Base64, E> {
                decode_base64(text).map(Base64).map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Text)
    }
}
