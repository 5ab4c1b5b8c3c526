//! What the proxy knows of a stream besides its headers and bodies.

use crate::abi::host;
use crate::abi::pairs::Pairs;
use crate::error::{Error, Result};
use crate::memory::{Scope, with_scratch};

/// A value that the proxy answered with.
///
/// The wire does not say of which type a value is, so ask for the one that the proxy's
/// documentation names. Texts and bytes are sent as they are; an integer, a float, a duration or a
/// time (both in nanoseconds) as 8 bytes; a truth value as one byte; a map or a list as pairs; and
/// nothing at all for null (`serializeValue` of Envoy's `source/extensions/common/wasm`).
///
/// # Cost
/// Nothing is copied or allocated: it borrows from the arena until the callback ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Property<'a>(&'a [u8]);

/// A property is not of the type that it was read as. Whoever wrote the plugin is to mend it, or
/// the proxy means something else by that property.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the property has {len} bytes and is not {wanted}")]
pub struct PropertyError {
    wanted: &'static str,
    len: usize,
}

impl<'a> Property<'a> {
    /// As it was sent.
    pub fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// A text.
    ///
    /// # Errors
    /// [`PropertyError`] when it is not UTF-8. What comes from a client, such as a path, need not
    /// be.
    pub fn str(self) -> Result<&'a str, PropertyError> {
        str::from_utf8(self.0).map_err(|_| self.is_not("a text in utf-8"))
    }

    /// A signed integer, a duration or a time; the latter two in nanoseconds.
    ///
    /// # Errors
    /// [`PropertyError`] when it has not 8 bytes.
    pub fn i64(self) -> Result<i64, PropertyError> {
        self.array("an integer of 8 bytes").map(i64::from_le_bytes)
    }

    /// An unsigned integer.
    ///
    /// # Errors
    /// [`PropertyError`] when it has not 8 bytes.
    pub fn u64(self) -> Result<u64, PropertyError> {
        self.array("an integer of 8 bytes").map(u64::from_le_bytes)
    }

    /// A float.
    ///
    /// # Errors
    /// [`PropertyError`] when it has not 8 bytes.
    pub fn f64(self) -> Result<f64, PropertyError> {
        self.array("a float of 8 bytes").map(f64::from_le_bytes)
    }

    /// A truth value.
    ///
    /// # Errors
    /// [`PropertyError`] when it is not one byte, 0 or 1.
    pub fn bool(self) -> Result<bool, PropertyError> {
        match self.array("a truth value of 1 byte, 0 or 1")? {
            [0] => Ok(false),
            [1] => Ok(true),
            [_] => Err(self.is_not("a truth value of 1 byte, 0 or 1")),
        }
    }

    /// A map; or a list, the elements of which are the names, without values.
    ///
    /// # Errors
    /// [`Error::MalformedMap`] when it is neither.
    pub fn pairs(self) -> Result<Pairs<'a>> {
        Pairs::parse(self.0)
    }

    fn array<const N: usize>(self, wanted: &'static str) -> Result<[u8; N], PropertyError> {
        self.0.try_into().map_err(|_| self.is_not(wanted))
    }

    fn is_not(self, wanted: &'static str) -> PropertyError {
        PropertyError { wanted, len: self.0.len() }
    }
}

/// Asks for a property by the segments of its path. One host call, none for a segment with a NUL,
/// which no property has: on the wire it would be two segments.
pub(crate) fn get<'a>(scope: &'a Scope<'_>, path: &[&str]) -> Result<Option<Property<'a>>> {
    if path.iter().any(|segment| segment.contains('\0')) {
        return Ok(None);
    }
    let value = match path {
        [segment] => host::property(scope, segment),
        _ => with_path(path, |path| host::property(scope, path)),
    };
    Ok(value?.map(Property))
}

/// Asks for a property by its path, the segments of which are separated by NUL. One host call.
pub(crate) fn at<'a>(scope: &'a Scope<'_>, path: &str) -> Result<Option<Property<'a>>> {
    Ok(host::property(scope, path)?.map(Property))
}

/// Sets a property by the segments of its path. One host call.
pub(crate) fn set(path: &[&str], value: &[u8]) -> Result<()> {
    if path.iter().any(|segment| segment.contains('\0')) {
        return Err(Error::Plugin("a property's name has a NUL"));
    }
    match path {
        [segment] => host::set_property(segment, value),
        _ => with_path(path, |path| host::set_property(path, value)),
    }
}

/// Puts a path together, separated by NUL, in a buffer that is used again.
fn with_path<R>(path: &[&str], work: impl FnOnce(&str) -> R) -> R {
    with_scratch(|joined| {
        for (n, segment) in path.iter().enumerate() {
            if n > 0 {
                joined.push(0);
            }
            joined.extend_from_slice(segment.as_bytes());
        }
        work(str::from_utf8(joined).expect("texts and NULs in a row are a text"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_what_they_are() {
        assert_eq!(Property(b"HTTP/2").str(), Ok("HTTP/2"));
        assert_eq!(Property(&(-5i64).to_le_bytes()).i64(), Ok(-5));
        assert_eq!(Property(&u64::MAX.to_le_bytes()).u64(), Ok(u64::MAX));
        assert_eq!(Property(&0.5f64.to_le_bytes()).f64(), Ok(0.5));
        assert_eq!(Property(&[1]).bool(), Ok(true));
        assert_eq!(Property(&[0]).bool(), Ok(false));
        let list = b"\x01\0\0\0\x03\0\0\0\0\0\0\0one\0\0";
        let read: Vec<_> = Property(list).pairs().unwrap().collect();
        assert_eq!(read, [(b"one".as_slice(), b"".as_slice())]);
    }

    #[test]
    fn what_is_of_another_type_is_told_with_its_length() {
        for len in [0, 1, 4, 7, 9] {
            let bytes = vec![0; len];
            let error = Property(&bytes).i64().unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("the property has {len} bytes and is not an integer of 8 bytes")
            );
            assert!(Property(&bytes).u64().is_err() && Property(&bytes).f64().is_err());
        }
        for bytes in [b"".as_slice(), b"\x02", b"true"] {
            assert!(Property(bytes).bool().is_err(), "{bytes:?}");
        }
        assert!(Property(b"\xff").str().is_err());
        assert!(Property(b"x").pairs().is_err());
    }

    #[test]
    fn a_path_has_one_nul_between_segments_and_none_behind() {
        assert_eq!(with_path(&["request", "protocol"], str::to_owned), "request\0protocol");
        assert_eq!(with_path(&["a", "", "ä"], str::to_owned), "a\0\0ä");
        assert_eq!(with_path(&[], str::to_owned), "");
    }
}
