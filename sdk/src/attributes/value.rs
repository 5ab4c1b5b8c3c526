//! What an attribute can be.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use serde_json::{Number, Value};

use super::AttributeError;

/// The value of an attribute: anything that JSON can say.
///
/// Strings, integers, booleans, bytes and [`serde_json::Value`] convert into it. A float may be
/// none of JSON's numbers: [`Attributes::set_f64`](super::Attributes::set_f64).
///
/// JSON has no bytes. A value that is given as bytes, such as a header's, becomes text from which
/// they can be had again: UTF-8 stays as it is, but a backslash is doubled and a byte that is no
/// UTF-8 is `\x` and two digits (`caf\xe9`).
#[derive(Clone, Debug, PartialEq)]
pub struct AttributeValue(Value);

impl AttributeValue {
    /// The value as JSON; free.
    pub fn as_json(&self) -> &Value {
        &self.0
    }

    pub(super) fn from_f64(number: f64) -> Result<Self, AttributeError> {
        let number = Number::from_f64(number).ok_or(AttributeError::NotFinite)?;
        Ok(Self(Value::Number(number)))
    }
}

/// A string without quotes, everything else as JSON: the form of a span's tags.
impl fmt::Display for AttributeValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Value::String(text) => f.write_str(text),
            other => write!(f, "{other}"),
        }
    }
}

macro_rules! from_what_json_has {
    ($($type:ty),+) => {
        $(impl From<$type> for AttributeValue {
            fn from(value: $type) -> Self {
                Self(value.into())
            }
        })+
    };
}

from_what_json_has!(bool, u8, u16, u32, u64, usize, i8, i16, i32, i64, isize);
from_what_json_has!(&str, String, Cow<'_, str>, Value);

impl From<&[u8]> for AttributeValue {
    fn from(bytes: &[u8]) -> Self {
        Self(Value::String(text(bytes)))
    }
}

impl<const N: usize> From<&[u8; N]> for AttributeValue {
    fn from(bytes: &[u8; N]) -> Self {
        Self::from(bytes.as_slice())
    }
}

fn text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for part in chunk.valid().split_inclusive('\\') {
            text.push_str(part);
            if part.ends_with('\\') {
                text.push('\\');
            }
        }
        for byte in chunk.invalid() {
            // Writing to a string cannot fail.
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes that a text was made of.
    fn bytes(text: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once('\\') {
            bytes.extend_from_slice(before.as_bytes());
            rest = match behind.strip_prefix('x') {
                Some(digits) => {
                    bytes.push(u8::from_str_radix(&digits[..2], 16).unwrap());
                    &digits[2..]
                }
                None => {
                    bytes.push(b'\\');
                    behind.strip_prefix('\\').unwrap()
                }
            };
        }
        bytes.extend_from_slice(rest.as_bytes());
        bytes
    }

    #[test]
    fn bytes_can_be_had_again() {
        assert_eq!(text(b"caf\xe9 \xf0\x9f\xa6"), r"caf\xe9 \xf0\x9f\xa6");
        assert_eq!(text("caf\u{e9} \\xe9 \u{1f980}".as_bytes()), "caf\u{e9} \\\\xe9 \u{1f980}");
        let letters = [b'\\', b'x', b'e', b'9', 0xe9, 0xc3, 0xa9, 0];
        for number in 0..letters.len().pow(5) {
            let given: Vec<u8> =
                (0..5).map(|at| letters[number / letters.len().pow(at) % letters.len()]).collect();
            assert_eq!(bytes(&text(&given)), given);
        }
    }

    #[test]
    fn a_tag_is_a_string_or_json() {
        let shown = |value: AttributeValue| value.to_string();
        assert_eq!(shown("a \"b\"".into()), "a \"b\"");
        assert_eq!(shown(17_u64.into()), "17");
        assert_eq!(shown(true.into()), "true");
        assert_eq!(shown(serde_json::json!({"a": ["b", null]}).into()), r#"{"a":["b",null]}"#);
        assert_eq!(shown(AttributeValue::from_f64(0.25).unwrap()), "0.25");
        assert_eq!(shown(b"\xff".into()), r"\xff");
    }
}
