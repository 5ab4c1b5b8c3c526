//! Headers of a call in the wire format of header maps, written as they are added.
//!
//! The format begins with all lengths, and the texts follow; so there are two buffers, and the
//! second goes behind the first when all is known.

use std::cell::Cell;
use std::mem;

use super::error::CallError;
use crate::abi::pairs::{MOST_BYTES, MOST_PAIRS};

/// Bytes of the count, and of each length.
const WORD: usize = 4;

/// Pairs of buffers that are kept for later calls: as many as a stream has under way at once.
const KEPT: usize = 8;

/// The largest buffer that is kept, so that one call of a rare size does not stay for ever.
const KEPT_CAPACITY: usize = 16 * 1024;

thread_local! {
    static POOL: Cell<Vec<Headers>> = const { Cell::new(Vec::new()) };
}

/// A header map that is being written.
///
/// # Cost
/// Its two buffers come from a pool and go back there when it is dropped.
#[derive(Debug, Default)]
pub(super) struct Headers {
    /// The count, then the lengths; behind them the texts once it is finished.
    lengths: Vec<u8>,
    texts: Vec<u8>,
    count: usize,
}

impl Headers {
    /// No headers.
    pub(super) fn new() -> Self {
        // A thread that is ending natively has no pool any more.
        let mut pool = POOL.try_with(Cell::take).unwrap_or_default();
        let mut headers = pool.pop().unwrap_or_default();
        let _ = POOL.try_with(|place| place.set(pool));
        headers.lengths.extend_from_slice(&[0; WORD]);
        headers
    }

    /// Adds a header; pieces of its value are put together.
    pub(super) fn add(&mut self, name: &[u8], value: &[&[u8]]) -> Result<(), CallError> {
        let size = value.iter().fold(0usize, |size, piece| size.saturating_add(piece.len()));
        let total = [self.lengths.len(), 2 * WORD, self.texts.len(), name.len(), 2, size]
            .iter()
            .fold(0usize, |total, part| total.saturating_add(*part));
        let lengths = u32::try_from(name.len()).ok().zip(u32::try_from(size).ok());
        let Some((name_size, value_size)) = lengths else {
            return Err(CallError::TooManyHeaders);
        };
        if total > MOST_BYTES || self.count == MOST_PAIRS {
            return Err(CallError::TooManyHeaders);
        }
        self.lengths.extend_from_slice(&name_size.to_le_bytes());
        self.lengths.extend_from_slice(&value_size.to_le_bytes());
        self.texts.extend(name.iter().map(u8::to_ascii_lowercase));
        self.texts.push(0);
        for piece in value {
            self.texts.extend_from_slice(piece);
        }
        self.texts.push(0);
        self.count += 1;
        Ok(())
    }

    /// Puts the texts behind the lengths; nothing can be added after that.
    pub(super) fn finish(&mut self) {
        let count = u32::try_from(self.count).expect("`add` takes no more than `MOST_PAIRS`");
        for (place, byte) in self.lengths.iter_mut().zip(count.to_le_bytes()) {
            *place = byte;
        }
        self.lengths.extend_from_slice(&self.texts);
    }

    /// The map in the wire format; whole once it is finished.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.lengths
    }
}

impl Clone for Headers {
    fn clone(&self) -> Self {
        let mut copy = Self::new();
        copy.lengths.clone_from(&self.lengths);
        copy.texts.clone_from(&self.texts);
        copy.count = self.count;
        copy
    }
}

impl Drop for Headers {
    fn drop(&mut self) {
        let _ = POOL.try_with(|place| {
            let mut pool = place.take();
            let fits = |buffer: &Vec<u8>| (1..=KEPT_CAPACITY).contains(&buffer.capacity());
            if pool.len() < KEPT && fits(&self.lengths) && fits(&self.texts) {
                let (mut lengths, mut texts) =
                    (mem::take(&mut self.lengths), mem::take(&mut self.texts));
                lengths.clear();
                texts.clear();
                pool.push(Self { lengths, texts, count: 0 });
            }
            place.set(pool);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::pairs::Pairs;

    #[test]
    fn headers_are_read_as_they_were_written_in_order() {
        let mut headers = Headers::new();
        headers.add(b"X-A", &[b"1"]).unwrap();
        headers.add(b"x-a", &[b"\xff", b"", b"2"]).unwrap();
        headers.add(b"empty", &[]).unwrap();
        headers.finish();
        let read: Vec<_> = Pairs::parse(headers.bytes()).unwrap().collect();
        let expected: [(&[u8], &[u8]); 3] = [(b"x-a", b"1"), (b"x-a", b"\xff2"), (b"empty", b"")];
        assert_eq!(read, expected);
    }

    #[test]
    fn no_headers_are_a_map_of_none() {
        let mut headers = Headers::new();
        headers.finish();
        assert_eq!(headers.bytes(), [0; 4]);
    }

    #[test]
    fn buffers_are_used_again_and_come_back_empty() {
        let mut first = Headers::new();
        first.add(b"name", &[b"value"]).unwrap();
        let (lengths, texts) = (first.lengths.as_ptr(), first.texts.as_ptr());
        drop(first);
        let mut second = Headers::new();
        second.add(b"a", &[b"b"]).unwrap();
        second.finish();
        assert_eq!((second.lengths.as_ptr(), second.texts.as_ptr()), (lengths, texts));
        let read: Vec<_> = Pairs::parse(second.bytes()).unwrap().collect();
        assert_eq!(read, [(b"a".as_slice(), b"b".as_slice())]);
    }

    #[test]
    fn a_map_like_one_before_grows_no_buffer() {
        let sizes = || {
            let mut headers = Headers::new();
            for _ in 0..20 {
                headers.add(b"name", &[b"a value of some length"]).unwrap();
            }
            headers.finish();
            [&headers.lengths, &headers.texts].map(|buffer| (buffer.as_ptr(), buffer.capacity()))
        };
        let first = sizes();
        assert_eq!(sizes(), first);
        assert_eq!(sizes(), first);
    }

    #[test]
    fn what_a_host_would_read_as_nothing_is_refused() {
        let mut headers = Headers::new();
        // 4 for the count, 8 for the lengths, 1 for the name, 2 for the NULs.
        let most = vec![b'x'; MOST_BYTES - 15];
        assert_eq!(headers.add(b"a", &[&most, b"x"]), Err(CallError::TooManyHeaders));
        headers.add(b"a", &[&most]).unwrap();
        headers.finish();
        assert_eq!(headers.bytes().len(), MOST_BYTES);
        let mut headers = Headers::new();
        for _ in 0..MOST_PAIRS {
            headers.add(b"a", &[b"b"]).unwrap();
        }
        assert_eq!(headers.add(b"a", &[b"b"]), Err(CallError::TooManyHeaders));
    }

    #[test]
    fn a_copy_can_be_sent_after_the_first() {
        let mut headers = Headers::new();
        headers.add(b"a", &[b"b"]).unwrap();
        let mut copy = headers.clone();
        copy.add(b"c", &[b"d"]).unwrap();
        copy.finish();
        headers.finish();
        assert_eq!(Pairs::parse(headers.bytes()).unwrap().len(), 1);
        assert_eq!(Pairs::parse(copy.bytes()).unwrap().len(), 2);
    }
}
