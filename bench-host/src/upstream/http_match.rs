//! Which HTTP calls a rule answers.

use std::{collections::BTreeMap, fmt};

use bytes::Bytes;
use memchr::memmem;
use regex::bytes::Regex;
use serde::{
    Deserialize, Deserializer,
    de::{Error, Visitor},
};

use super::HttpCall;

/// The key `match` of an HTTP rule; what is absent matches everything.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HttpMatch {
    method: Option<String>,
    path: Option<String>,
    path_prefix: Option<String>,
    path_regex: Option<Pattern>,
    #[serde(default)]
    header: BTreeMap<String, HeaderMatch>,
    body_contains: Option<String>,
}

/// What a header must be: `"value"`, `true` for present, `false` for absent.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "expected a text, or true for present and false for absent")]
enum HeaderMatch {
    Present(bool),
    Value(String),
}

/// A regular expression that is known to be one.
#[derive(Clone, Debug)]
struct Pattern(Regex);

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Pattern;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a regular expression")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Pattern, E> {
                Regex::new(text).map(Pattern).map_err(|error| match error {
                    regex::Error::CompiledTooBig(limit) => {
                        E::custom(format_args!("`{text}` takes more than {limit} bytes compiled"))
                    }
                    // The other messages draw the expression over several lines.
                    _ => E::custom(format_args!("`{text}` is not a regular expression")),
                })
            }
        }

        deserializer.deserialize_str(Text)
    }
}

impl HttpMatch {
    /// Whether the rule answers this call.
    pub(super) fn matches(&self, call: &HttpCall<'_>) -> bool {
        let path = first(call.headers, ":path").unwrap_or_default();
        let is = |name, expected: &Option<String>| {
            expected
                .as_ref()
                .is_none_or(|value| first(call.headers, name) == Some(value.as_bytes()))
        };
        is(":method", &self.method)
            && self.path.as_ref().is_none_or(|expected| is_path(path, expected.as_bytes()))
            && self.path_prefix.as_ref().is_none_or(|start| path.starts_with(start.as_bytes()))
            && self.path_regex.as_ref().is_none_or(|pattern| pattern.0.is_match(path))
            && self.header.iter().all(|(name, expected)| expected.holds(call.headers, name))
            && self
                .body_contains
                .as_ref()
                .is_none_or(|part| memmem::find(call.body, part.as_bytes()).is_some())
    }
}

impl HeaderMatch {
    fn holds(&self, headers: &[(Bytes, Bytes)], name: &str) -> bool {
        match self {
            Self::Present(expected) => first(headers, name).is_some() == *expected,
            // A name may repeat, and any of its values will do.
            Self::Value(expected) => headers
                .iter()
                .any(|(known, value)| is_name(known, name) && value == expected.as_bytes()),
        }
    }
}

/// Compares a path; the query of the call counts only if the expected path has one.
fn is_path(path: &[u8], expected: &[u8]) -> bool {
    if expected.contains(&b'?') {
        return path == expected;
    }
    path.split(|byte| *byte == b'?').next() == Some(expected)
}

/// The first value of a name.
pub(super) fn first<'a>(headers: &'a [(Bytes, Bytes)], name: &str) -> Option<&'a [u8]> {
    headers.iter().find(|(known, _)| is_name(known, name)).map(|(_, value)| &value[..])
}

fn is_name(known: &[u8], name: &str) -> bool {
    known.eq_ignore_ascii_case(name.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(toml: &str) -> bool {
        let headers = [
            (":method", "POST"),
            (":path", "/v1/check?user=7"),
            ("X-Tenant", "a"),
            ("x-tenant", "b"),
        ]
        .map(|(name, value)| (Bytes::from(name), Bytes::from(value)));
        let call = HttpCall { headers: &headers, body: b"say \xff hello", ..HttpCall::default() };
        toml::from_str::<HttpMatch>(toml).unwrap().matches(&call)
    }

    #[test]
    fn every_condition_must_hold() {
        for toml in [
            "",
            "method = 'POST'",
            "path = '/v1/check'",
            "path = '/v1/check?user=7'",
            "path_prefix = '/v1/'",
            "path_regex = 'user=[0-9]+$'",
            "header.x-tenant = 'b'",
            "header.X-TENANT = true",
            "header.absent = false",
            "body_contains = 'hello'",
            "method = 'POST'\npath = '/v1/check'\nheader.x-tenant = 'a'",
        ] {
            assert!(matches(toml), "{toml}");
        }
        for toml in [
            "method = 'GET'",
            "method = 'post'",
            "path = '/v1'",
            "path = '/v1/check?'",
            "path_prefix = '/v2/'",
            "path_regex = '^user'",
            "header.x-tenant = 'c'",
            "header.x-tenant = false",
            "header.absent = true",
            "body_contains = 'HELLO'",
            "method = 'POST'\npath = '/'",
        ] {
            assert!(!matches(toml), "{toml}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (toml, reason) in [
            ("path_regex = '('", "`(` is not a regular expression"),
            ("path_regex = '\\w{1000}{1000}'", "bytes compiled"),
            ("header.a = 1", "expected a text, or true"),
            ("paht = '/'", "unknown field `paht`"),
        ] {
            let error = toml::from_str::<HttpMatch>(toml).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}
