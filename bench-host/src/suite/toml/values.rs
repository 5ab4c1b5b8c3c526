//! Values of a suite, checked while they are read, so that mistakes have a place.

use std::num::NonZeroUsize;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, de};
use toml::Value;

use crate::traffic::{Headers, HttpVersion};
use crate::units::parse_size;

/// A configuration: a text as it is, or a table, which becomes JSON.
#[derive(Clone, Debug)]
pub(in super::super) struct Config(pub Bytes);

impl<'de> Deserialize<'de> for Config {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self(text.into())),
            table @ Value::Table(_) => Ok(Self(json(table).to_string().into())),
            _ => Err(de::Error::custom("a configuration is a string, or a table for JSON")),
        }
    }
}

fn json(value: Value) -> serde_json::Value {
    match value {
        Value::String(text) => text.into(),
        Value::Integer(number) => number.into(),
        // JSON has no infinities; they become null.
        Value::Float(number) => number.into(),
        Value::Boolean(truth) => truth.into(),
        Value::Datetime(time) => time.to_string().into(),
        Value::Array(values) => values.into_iter().map(json).collect(),
        Value::Table(table) => table.into_iter().map(|(key, value)| (key, json(value))).collect(),
    }
}

/// `"1"` or `"2"`
#[derive(Clone, Copy, Debug, Deserialize)]
pub(in super::super) enum Http {
    #[serde(rename = "1", alias = "1.1")]
    One,
    #[serde(rename = "2")]
    Two,
}

impl From<Http> for HttpVersion {
    fn from(http: Http) -> Self {
        match http {
            Http::One => Self::Http1,
            Http::Two => Self::Http2,
        }
    }
}

/// A number of bytes, or a text such as `16KiB`; not zero.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Size(pub NonZeroUsize);

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let size = match Value::deserialize(deserializer)? {
            Value::Integer(number) => u64::try_from(number).unwrap_or(0),
            Value::String(text) => parse_size(&text).map_err(de::Error::custom)?,
            _ => return Err(de::Error::custom("a size is a number of bytes, or as \"16KiB\"")),
        };
        let size = usize::try_from(size).ok().and_then(NonZeroUsize::new);
        size.map(Self).ok_or_else(|| de::Error::custom("a size must be above zero"))
    }
}

/// A status code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Status(pub u16);

impl Default for Status {
    fn default() -> Self {
        Self(200)
    }
}

impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u16::deserialize(deserializer)? {
            status @ 100..=999 => Ok(Self(status)),
            other => Err(de::Error::custom(format_args!("{other} is no status code"))),
        }
    }
}

/// Headers or trailers: `[["name", "value"], …]`, or a table of values or lists of them.
#[derive(Debug, Default)]
pub(in super::super) struct Fields(pub Headers);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Written::deserialize(deserializer)?;
        let pairs = match written {
            Written::Pairs(pairs) => pairs,
            Written::Table(table) => {
                let each = table.into_iter().flat_map(|(name, values)| {
                    let values = match values {
                        OneOrMore::One(value) => vec![value],
                        OneOrMore::More(values) => values,
                    };
                    values.into_iter().map(move |value| (name.clone(), value))
                });
                each.collect()
            }
        };
        let mut headers = Headers::new();
        for (name, value) in pairs {
            if name.is_empty() || name.starts_with(':') || name.eq_ignore_ascii_case("host") {
                return Err(de::Error::custom(format_args!(
                    "`{name}` is not a header here; use the keys method, scheme, authority, path \
                     and status"
                )));
            }
            headers.push(name.to_ascii_lowercase(), value);
        }
        Ok(Self(headers))
    }
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "headers are [[\"name\", \"value\"], …] or a table")]
enum Written {
    Pairs(Vec<(String, String)>),
    Table(std::collections::BTreeMap<String, OneOrMore>),
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a value is a string or a list of strings")]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct One<T> {
        it: T,
    }

    fn read<T: de::DeserializeOwned>(text: &str) -> T {
        toml::from_str::<One<T>>(&format!("it = {text}")).unwrap().it
    }

    #[test]
    fn a_table_becomes_json() {
        let config: Config = read("{ a = [1, 2.5, true], b = { c = 'x' }, d = 2026-01-01 }");
        let json = r#"{"a":[1,2.5,true],"b":{"c":"x"},"d":"2026-01-01"}"#;
        assert_eq!(config.0, json);
        assert_eq!(read::<Config>("'as it is'").0, "as it is");
    }

    #[test]
    fn headers_are_pairs_or_a_table() {
        let pairs: Fields = read("[['A', '1'], ['b', '2'], ['a', '3']]");
        let shown: Vec<_> = pairs.0.iter().map(|(name, value)| (&name[..], &value[..])).collect();
        assert_eq!(shown, [(&b"a"[..], &b"1"[..]), (b"b", b"2"), (b"a", b"3")]);
        let table: Fields = read("{ b = '2', A = ['1', '3'] }");
        assert_eq!(table.0.len(), 3);
        assert_eq!(read::<Size>("'2KiB'").0.get(), 2_048);
        assert_eq!(read::<Size>("7").0.get(), 7);
    }
}
