//! Attributes laid over those that the stream has already.

use std::collections::BTreeMap;
use std::io;

use serde::{Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

/// What a stream has is not what attributes are written as. Another plugin of the stream wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MergeError {
    /// It is not the inside of a JSON string, such as `{\"a\":1}` with its backslashes.
    #[error("another plugin wrote a value that is not the inside of a JSON string")]
    NotEscaped,
    /// What the string says is not a JSON object.
    #[error("another plugin wrote a value that is not a JSON object")]
    NotAnObject,
}

/// Writes what is `existing`, and `ours` in place of or besides it, sorted by name.
pub(super) fn merge<'a>(
    existing: &[u8],
    ours: impl Iterator<Item = (&'a str, &'a Value)>,
    out: &mut Vec<u8>,
) -> Result<(), MergeError> {
    out.clear();
    let existing = unescape(existing)?;
    let theirs: BTreeMap<String, &RawValue> = match existing.as_str() {
        "" => BTreeMap::new(),
        text => serde_json::from_str(text).map_err(|_| MergeError::NotAnObject)?,
    };
    let mut all: BTreeMap<&str, Field<'_>> =
        theirs.iter().map(|(name, value)| (name.as_str(), Field::Theirs(value))).collect();
    all.extend(ours.map(|(name, value)| (name, Field::Ours(value))));
    serde_json::to_writer(Escaped(out), &all)
        .expect("memory takes all that is written, and all names are strings");
    Ok(())
}

/// Theirs stay as they are written, to the last digit of a number.
enum Field<'a> {
    Ours(&'a Value),
    Theirs(&'a RawValue),
}

impl Serialize for Field<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Ours(value) => value.serialize(serializer),
            Self::Theirs(value) => value.serialize(serializer),
        }
    }
}

fn unescape(body: &[u8]) -> Result<String, MergeError> {
    let quoted = [b"\"", body, b"\""].concat();
    serde_json::from_slice(&quoted).map_err(|_| MergeError::NotEscaped)
}

/// Writes text as the inside of a JSON string. What is not ASCII stays UTF-8, as JSON allows.
struct Escaped<'a>(&'a mut Vec<u8>);

impl io::Write for Escaped<'_> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        for &byte in text {
            match byte {
                b'"' | b'\\' => self.0.extend_from_slice(&[b'\\', byte]),
                // JSON of others may be laid out in lines.
                0..0x20 => {
                    let digit = |nibble: u8| b"0123456789abcdef"[usize::from(nibble)];
                    self.0.extend_from_slice(br"\u00");
                    self.0.extend_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
                }
                _ => self.0.push(byte),
            }
        }
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn merged(existing: &str, ours: &[(&str, Value)]) -> Result<String, MergeError> {
        let mut out = b"left over".to_vec();
        let ours = ours.iter().map(|(name, value)| (*name, value));
        merge(existing.as_bytes(), ours, &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn names_are_sorted_and_ours_win() {
        let ours = [("b", json!("x\"y")), ("d", json!(1))];
        assert_eq!(merged("", &ours).unwrap(), r#"{\"b\":\"x\\\"y\",\"d\":1}"#);
        let theirs = r#"{\"c\":[1,{}],\"b\":null,\"a\":true}"#;
        let all = r#"{\"a\":true,\"b\":\"x\\\"y\",\"c\":[1,{}],\"d\":1}"#;
        assert_eq!(merged(theirs, &ours).unwrap(), all);
        assert_eq!(merged(all, &ours).unwrap(), all);
        assert_eq!(merged("", &[]).unwrap(), "{}");
    }

    #[test]
    fn what_others_wrote_stays_to_the_letter() {
        let theirs = r#"{\"n\":12345678901234567890.10,\"s\":\"\\u003c\\ud83e\",\"t\":[ 1\u000a]}"#;
        assert_eq!(merged(theirs, &[]).unwrap(), theirs);
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for existing in ["\"", "{\"a\":1}", r"\", r"\x", "a\nb", "\u{7f}\""] {
            assert_eq!(merged(existing, &[]), Err(MergeError::NotEscaped), "{existing}");
        }
        for existing in ["x", "null", "[]", "1", r"{\", r#"{\"a\":}"#, "{}{}", r#"\"a\""#, " "] {
            assert_eq!(
                merged(existing, &[]).unwrap_err(),
                match existing {
                    r"{\" => MergeError::NotEscaped,
                    _ => MergeError::NotAnObject,
                },
                "{existing}"
            );
        }
        let mut out = b"left over".to_vec();
        assert_eq!(merge(b"\xff", [].into_iter(), &mut out), Err(MergeError::NotEscaped));
        assert_eq!(out, b"", "nothing half-written");
    }
}
