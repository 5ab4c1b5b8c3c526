//! Values of a script that may be written in more than one way.

use std::{collections::BTreeMap, fmt, marker::PhantomData};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};

/// A table, or a text that stands for the table with one key.
#[derive(Clone, Debug)]
pub(super) struct OrText<T>(pub(super) T);

impl<'de, T: Deserialize<'de> + From<String>> Deserialize<'de> for OrText<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de> + From<String>> Visitor<'de> for Either<T> {
            type Value = OrText<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a table")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<OrText<T>, E> {
                Ok(OrText(T::from(text.to_owned())))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<OrText<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(OrText)
            }
        }

        deserializer.deserialize_any(Either(PhantomData))
    }
}

/// Bytes: a text, or a table with one of `text`, `base64`, `hex` and `json`.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "RawData")]
pub(super) struct Data(pub(super) Bytes);

/// The keys of [`Data`], before it is known that there is just one.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawData {
    pub(super) text: Option<String>,
    pub(super) base64: Option<String>,
    pub(super) hex: Option<String>,
    pub(super) json: Option<serde_json::Value>,
}

impl From<String> for Data {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl TryFrom<RawData> for Data {
    type Error = String;

    fn try_from(raw: RawData) -> Result<Self, String> {
        match raw {
            RawData { text: Some(text), base64: None, hex: None, json: None } => Ok(text.into()),
            RawData { text: None, base64: Some(text), hex: None, json: None } => STANDARD
                .decode(&text)
                .map(|bytes| Self(bytes.into()))
                .map_err(|error| format!("not base64: {error}")),
            RawData { text: None, base64: None, hex: Some(text), json: None } => {
                decode_hex(&text).map(Self)
            }
            RawData { text: None, base64: None, hex: None, json: Some(value) } => {
                Ok(Self(value.to_string().into()))
            }
            _ => Err("give exactly one of `text`, `base64`, `hex` and `json`".to_owned()),
        }
    }
}

/// Decodes pairs of hexadecimal digits; spaces may stand between them.
fn decode_hex(text: &str) -> Result<Bytes, String> {
    let digits: Option<Vec<_>> =
        text.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_digit(16)).collect();
    let digits = digits.ok_or("not hexadecimal: there is a character that is no digit")?;
    let pairs = digits.chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return Err("not hexadecimal: the number of digits is odd".to_owned());
    }
    // Two digits below 16 make a number below 256.
    Ok(pairs.map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap_or_default()).collect())
}

/// Header fields: a table of texts or lists of texts, or a list of pairs, which keeps its order.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(try_from = "RawFields")]
pub(super) struct Fields(pub(super) Vec<(Bytes, Bytes)>);

/// The ways to write [`Fields`].
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a table of texts, or a list of [name, value]")]
enum RawFields {
    Table(BTreeMap<String, OneOrMany>),
    Pairs(Vec<(String, String)>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl TryFrom<RawFields> for Fields {
    type Error = String;

    fn try_from(raw: RawFields) -> Result<Self, String> {
        let pairs = match raw {
            RawFields::Pairs(pairs) => pairs,
            RawFields::Table(table) => table
                .into_iter()
                .flat_map(|(name, values)| {
                    let values = match values {
                        OneOrMany::One(value) => vec![value],
                        OneOrMany::Many(values) => values,
                    };
                    values.into_iter().map(move |value| (name.clone(), value))
                })
                .collect(),
        };
        let field = |(name, value): (String, String)| {
            if name.is_empty() || name.starts_with(':') {
                return Err(format!("`{name}` is no name that a header can have"));
            }
            Ok((name.to_ascii_lowercase().into(), value.into()))
        };
        pairs.into_iter().map(field).collect::<Result<_, _>>().map(Self)
    }
}

impl Fields {
    /// Whether a field has this lower-case name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct One<T> {
        v: T,
    }

    fn data(toml: &str) -> Result<Bytes, String> {
        let parsed: Result<One<OrText<Data>>, _> = toml::from_str(&format!("v = {toml}"));
        parsed.map(|one| one.v.0.0).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn bytes_have_four_notations() {
        assert_eq!(data("'hi'").unwrap(), "hi");
        assert_eq!(data("{ text = 'hi' }").unwrap(), "hi");
        assert_eq!(data("{ base64 = 'aGk=' }").unwrap(), "hi");
        assert_eq!(data("{ hex = '68 69 FF' }").unwrap(), &b"hi\xff"[..]);
        assert_eq!(data("{ json = { a = [1, true] } }").unwrap(), r#"{"a":[1,true]}"#);
        for (toml, reason) in [
            ("1", "expected a text or a table"),
            ("{}", "give exactly one of"),
            ("{ text = '', hex = '' }", "give exactly one of"),
            ("{ base64 = 'a' }", "not base64"),
            ("{ hex = '0' }", "is odd"),
            ("{ hex = 'zz' }", "is no digit"),
            ("{ txt = '' }", "unknown field `txt`"),
        ] {
            assert!(data(toml).unwrap_err().contains(reason), "{toml}: {:?}", data(toml));
        }
    }

    #[test]
    fn headers_are_a_table_or_pairs() {
        let fields = |toml: &str| toml::from_str::<One<Fields>>(&format!("v = {toml}"));
        let pairs = |toml| fields(toml).unwrap().v.0;
        let field = |name: &'static str, value: &'static str| (name.into(), value.into());
        assert_eq!(
            pairs("{ X-B = '1', a = ['2', '3'] }"),
            [field("x-b", "1"), field("a", "2"), field("a", "3")]
        );
        assert_eq!(pairs("[['b', '1'], ['a', '2']]"), [field("b", "1"), field("a", "2")]);
        assert!(fields("{ ':status' = '200' }").is_err());
        assert!(fields("{ a = 1 }").is_err());
    }
}
