//! Names and values of headers that come from a configuration.

use std::fmt;

use serde::Deserialize;

use crate::error::{Error, Result as Checked};

/// The name of a header that a configuration gives, in lower case as proxies keep it.
///
/// It is never a pseudo header: those decide where a request goes, and a plugin that lets a
/// configuration change them should say so.
///
/// ```
/// use std::collections::BTreeMap;
/// use chunkwise::http::{HeaderName, HeaderValue};
///
/// #[derive(serde::Deserialize)]
/// struct Settings {
///     headers: BTreeMap<HeaderName, HeaderValue>,
/// }
/// # use chunkwise::rules::Document;
/// # let read = |json: &str| Document::new(json.as_bytes())?.rules::<Settings>();
/// let rules = read(r#"{ "headers": { "X-Team": "search" } }"#)?;
/// # let settings = rules.global().ok_or_else(|| chunkwise::ConfigError::invalid("", ""))?;
/// let team = settings.headers.get("x-team").map(HeaderValue::as_str);
/// assert_eq!(team, Some("search"));
///
/// let error = read(r#"{ "headers": { "x-team": "a\r\nx-admin: 1" } }"#).err();
/// let error = error.map(|error| error.field().to_owned());
/// assert_eq!(error.as_deref(), Some("headers.x-team"));
/// # Ok::<(), chunkwise::ConfigError>(())
/// ```
///
/// # Cost
/// One allocation when it is read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct HeaderName(Box<str>);

/// The value of a header that a configuration gives: text without line breaks, NUL and other
/// control characters but the tab (RFC 9110, 5.5), so that nobody can write further headers in it.
///
/// # Cost
/// One allocation when it is read.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct HeaderValue(Box<str>);

/// Why a name or a value cannot be that of a header. Whoever wrote the configuration is to mend it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// The name is no token (RFC 9110, 5.6.2), or that of a pseudo header.
    #[error("{0:?} is no name of a header: letters, digits and !#$%&'*+-.^_`|~ make one")]
    Name(String),
    /// The value has a character that none may have.
    #[error("the value of a header has no line breaks, NUL or other control characters")]
    Value,
}

impl HeaderName {
    /// The name, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl HeaderValue {
    /// The value as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a text is a token (RFC 9110, 5.6.2), as methods and names of headers are.
pub(crate) fn is_token(text: &[u8]) -> bool {
    let is_tchar = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !text.is_empty() && text.iter().all(is_tchar)
}

/// The value of a header, if neither it nor the name can end the header and begin another one.
///
/// # Cost
/// A few instructions for every eight bytes: a header of usual length takes about as many as it has
/// bytes.
pub(crate) fn checked<'v>(name: &[u8], value: &'v [u8]) -> Checked<&'v [u8]> {
    if may_break(name) || may_break(value) { look_closely(name, value) } else { Ok(value) }
}

#[cold]
fn look_closely<'v>(name: &[u8], value: &'v [u8]) -> Checked<&'v [u8]> {
    let breaks = |byte: &u8| matches!(byte, b'\r' | b'\n' | 0);
    let is_wrong = name.iter().chain(value).any(breaks);
    if is_wrong { Err(Error::HeaderText) } else { Ok(value) }
}

/// Whether there is a byte up to the carriage return: a tab is the one that headers may have.
fn may_break(text: &[u8]) -> bool {
    let (words, rest) = text.as_chunks::<8>();
    if words.iter().any(|word| has_low_byte(u64::from_le_bytes(*word))) {
        return true;
    }
    if let Some(last) = text.last_chunk::<8>() {
        // It overlaps the word before.
        has_low_byte(u64::from_le_bytes(*last))
    } else if let (Some(first), Some(last)) = (rest.first_chunk::<4>(), rest.last_chunk::<4>()) {
        let half = |bytes: &[u8; 4]| u64::from(u32::from_le_bytes(*bytes));
        has_low_byte(half(first) | half(last) << 32)
    } else {
        rest.iter().any(|byte| *byte <= b'\r')
    }
}

/// Whether one of eight bytes is at most a carriage return: a byte from which one more than that is
/// taken borrows, which its highest bit shows unless it was set before. A borrow reaches other bytes
/// only from one that is found itself.
fn has_low_byte(word: u64) -> bool {
    const ONES: u64 = u64::MAX / 0xff;
    const ABOVE: u64 = ONES * (b'\r' as u64 + 1);
    word.wrapping_sub(ABOVE) & !word & (ONES << 7) != 0
}

impl TryFrom<String> for HeaderName {
    type Error = HeaderError;

    fn try_from(mut name: String) -> Result<Self, HeaderError> {
        if !is_token(name.as_bytes()) {
            return Err(HeaderError::Name(name));
        }
        name.make_ascii_lowercase();
        Ok(Self(name.into()))
    }
}

impl TryFrom<String> for HeaderValue {
    type Error = HeaderError;

    fn try_from(value: String) -> Result<Self, HeaderError> {
        let is_wrong = |byte: u8| byte.is_ascii_control() && byte != b'\t';
        if value.bytes().any(is_wrong) { Err(HeaderError::Value) } else { Ok(Self(value.into())) }
    }
}

impl AsRef<[u8]> for HeaderValue {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Maps by names are asked for texts. The text of a name compares and hashes as the name does.
impl std::borrow::Borrow<str> for HeaderName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_tokens_in_lower_case() {
        for (written, name) in [("x-team", "x-team"), ("X-Team", "x-team"), ("a1!~", "a1!~")] {
            assert_eq!(HeaderName::try_from(written.to_owned()).unwrap().as_str(), name);
        }
        for wrong in ["", ":path", "a b", "a:", "a\r\nb", "näme"] {
            let error = HeaderName::try_from(wrong.to_owned()).unwrap_err();
            assert_eq!(error, HeaderError::Name(wrong.to_owned()));
        }
    }

    #[test]
    fn no_place_hides_a_byte_that_ends_a_header() {
        for length in 0..40 {
            let clean = vec![b'\xff'; length];
            assert_eq!(checked(&clean, &clean), Ok(&clean[..]));
            for at in 0..length {
                for byte in 0..=u8::MAX {
                    let mut text = clean.clone();
                    text[at] = byte;
                    let is_wrong = b"\r\n\0".contains(&byte);
                    assert_eq!(checked(&text, b"1").is_err(), is_wrong, "{byte} at {at}");
                    assert_eq!(checked(b"x-a", &text).is_err(), is_wrong, "{byte} at {at}");
                }
            }
        }
    }

    #[test]
    fn values_cannot_begin_another_header() {
        for value in ["", "a b", "a\tb", "größe", "a, b"] {
            assert_eq!(HeaderValue::try_from(value.to_owned()).unwrap().as_str(), value);
        }
        for wrong in ["a\r\nx: 1", "a\nb", "a\rb", "a\0b", "\u{7f}"] {
            assert_eq!(HeaderValue::try_from(wrong.to_owned()), Err(HeaderError::Value));
        }
    }
}
