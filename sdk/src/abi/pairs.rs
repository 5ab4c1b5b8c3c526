//! The wire format of header maps.
//!
//! `u32` count, then for each pair `u32` name length and `u32` value length, then for each pair
//! the name, a NUL, the value, a NUL; all integers little-endian (proxy-wasm ABI 0.2.1, as the C++
//! host writes and reads it).

use crate::error::{Error, Result};

/// What the C++ host reads at most (`include/proxy-wasm/limits.h`); a longer map is an empty one to
/// it.
pub(crate) const MOST_PAIRS: usize = 1024;
pub(crate) const MOST_BYTES: usize = 1024 * 1024;

/// Bytes of the count, and of each length.
const WORD: usize = 4;

/// The pairs of a header map, borrowed from the bytes that the host sent.
///
/// # Cost
/// Nothing is copied or allocated; each step reads two lengths.
#[derive(Clone, Debug, Default)]
pub struct Pairs<'a> {
    lengths: &'a [u8],
    data: &'a [u8],
}

impl<'a> Pairs<'a> {
    /// Reads a whole map, and checks all of it first.
    ///
    /// # Errors
    /// [`Error::MalformedMap`] when a length reaches outside, a NUL is missing, or bytes are left.
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        if bytes.is_empty() {
            return Ok(Self { lengths: &[], data: &[] });
        }
        let (count, rest) = split_word(bytes).ok_or(Error::MalformedMap)?;
        let lengths = count.checked_mul(2 * WORD).ok_or(Error::MalformedMap)?;
        let (lengths, data) = rest.split_at_checked(lengths).ok_or(Error::MalformedMap)?;
        let pairs = Self { lengths, data };
        let mut rest = pairs.clone();
        while !rest.lengths.is_empty() {
            rest.step().ok_or(Error::MalformedMap)?;
        }
        if rest.data.is_empty() { Ok(pairs) } else { Err(Error::MalformedMap) }
    }

    fn step(&mut self) -> Option<(&'a [u8], &'a [u8])> {
        let (name, lengths) = split_word(self.lengths)?;
        let (value, lengths) = split_word(lengths)?;
        let (name, data) = split_text(self.data, name)?;
        let (value, data) = split_text(data, value)?;
        *self = Self { lengths, data };
        Some((name, value))
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        self.step()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let pairs = self.lengths.len() / (2 * WORD);
        (pairs, Some(pairs))
    }
}

impl ExactSizeIterator for Pairs<'_> {}

/// Writes `pairs` behind what `out` holds; allocates only when its capacity does not do.
///
/// # Errors
/// [`Error::TooManyHeaders`] for what a host would read as nothing.
pub(crate) fn write<N: AsRef<[u8]>, V: AsRef<[u8]>>(
    pairs: &[(N, V)],
    out: &mut Vec<u8>,
) -> Result<()> {
    write_all(pairs.iter().map(|(name, value)| (name.as_ref(), value.as_ref())), out)
}

fn write_all<'p>(
    pairs: impl ExactSizeIterator<Item = (&'p [u8], &'p [u8])> + Clone,
    out: &mut Vec<u8>,
) -> Result<()> {
    // Two lengths and two NULs for each pair.
    let texts = pairs.clone().map(|(name, value)| name.len() + value.len() + 2 * WORD + 2);
    let bytes = texts.fold(WORD, usize::saturating_add);
    if pairs.len() > MOST_PAIRS || bytes > MOST_BYTES {
        return Err(Error::TooManyHeaders);
    }
    push_word(out, pairs.len());
    for (name, value) in pairs.clone() {
        push_word(out, name.len());
        push_word(out, value.len());
    }
    for text in pairs.flat_map(|(name, value)| [name, value]) {
        out.extend_from_slice(text);
        out.push(0);
    }
    Ok(())
}

fn push_word(out: &mut Vec<u8>, word: usize) {
    // A plugin's memory ends at 4 GiB, so nothing in it is longer than this.
    out.extend_from_slice(&u32::try_from(word).unwrap_or(u32::MAX).to_le_bytes());
}

fn split_word(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (word, rest) = bytes.split_first_chunk::<WORD>()?;
    Some((usize::try_from(u32::from_le_bytes(*word)).ok()?, rest))
}

fn split_text(bytes: &[u8], length: usize) -> Option<(&[u8], &[u8])> {
    let (text, rest) = bytes.split_at_checked(length)?;
    let (nul, rest) = rest.split_first()?;
    (*nul == 0).then_some((text, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(pairs: &[(&str, &str)]) -> Vec<u8> {
        let mut out = Vec::new();
        write(pairs, &mut out).unwrap();
        out
    }

    #[test]
    fn what_a_host_would_read_as_nothing_is_not_written() {
        let write = |pairs: &[(&[u8], &[u8])]| {
            let mut out = Vec::new();
            write(pairs, &mut out).map(|()| out.len())
        };
        let many = vec![(b"a".as_slice(), b"b".as_slice()); MOST_PAIRS + 1];
        assert!(write(&many[1..]).is_ok());
        assert_eq!(write(&many), Err(Error::TooManyHeaders));
        // 4 for the count, 8 for the lengths, 1 for the name, 2 for the NULs.
        let long = vec![b'x'; MOST_BYTES - 14];
        assert_eq!(write(&[(b"a", &long[1..])]), Ok(MOST_BYTES));
        assert_eq!(write(&[(b"a", &long)]), Err(Error::TooManyHeaders));
    }

    #[test]
    fn what_is_written_is_read() {
        let pairs = [(":path", "/a"), ("empty", ""), ("x", "1"), ("x", "2")];
        let bytes = written(&pairs);
        let read: Vec<_> = Pairs::parse(&bytes).unwrap().collect();
        let expected: Vec<_> = pairs.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes())).collect();
        assert_eq!(read, expected);
        assert_eq!(Pairs::parse(b"").unwrap().len(), 0, "an empty map may have no bytes at all");
    }

    #[test]
    fn every_cut_and_every_wrong_byte_count_is_malformed() {
        let bytes = written(&[("name", "value"), ("other", "one")]);
        for cut in 1..bytes.len() {
            assert_eq!(Pairs::parse(&bytes[..cut]).unwrap_err(), Error::MalformedMap, "{cut}");
        }
        let longer = [&bytes[..], b"x"].concat();
        assert_eq!(Pairs::parse(&longer).unwrap_err(), Error::MalformedMap);
        let mut absurd = bytes.clone();
        absurd[..4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(Pairs::parse(&absurd).unwrap_err(), Error::MalformedMap);
    }
}
