//! Body bytes on their way, shared with the trace and not copied.

use std::collections::VecDeque;

use bytes::{Buf as _, Bytes};

use super::abi::Status;

/// Body bytes that a stream holds.
///
/// # Cost
/// Adding a frame moves a reference; the only copies are those to and from the guest.
#[derive(Clone, Debug, Default)]
pub struct Buffer {
    parts: VecDeque<Bytes>,
    len: usize,
}

impl Buffer {
    /// Adds bytes at the end.
    pub fn push(&mut self, part: Bytes) {
        if !part.is_empty() {
            self.len += part.len();
            self.parts.push_back(part);
        }
    }

    /// Moves everything of `other` to the end.
    pub fn append(&mut self, other: &mut Self) {
        self.len += std::mem::take(&mut other.len);
        self.parts.append(&mut other.parts);
    }

    /// Takes the first part out.
    pub fn pop(&mut self) -> Option<Bytes> {
        let part = self.parts.pop_front()?;
        self.len -= part.len();
        Some(part)
    }

    /// Changes the buffer as a guest can: at the front, as a whole, or at the end.
    ///
    /// `start` 0 replaces the first `length` bytes (0 prepends, more than there are replaces all);
    /// `start` at or behind the end appends, whatever `length` is; anything in between is refused.
    pub fn set(&mut self, start: usize, length: usize, data: Bytes) -> Result<(), Status> {
        if start == 0 {
            self.drain(length);
            if !data.is_empty() {
                self.len += data.len();
                self.parts.push_front(data);
            }
            Ok(())
        } else if start >= self.len {
            self.push(data);
            Ok(())
        } else {
            Err(Status::BadArgument)
        }
    }

    /// Copies `into.len()` bytes from `start` on; the range must lie inside.
    pub fn copy_to(&self, mut start: usize, mut into: &mut [u8]) {
        for part in &self.parts {
            if into.is_empty() {
                return;
            }
            let Some(from) = part.get(start..).filter(|from| !from.is_empty()) else {
                start -= part.len();
                continue;
            };
            start = 0;
            let (now, later) = into.split_at_mut(from.len().min(into.len()));
            now.copy_from_slice(&from[..now.len()]);
            into = later;
        }
    }

    /// How many bytes there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// How many parts there are.
    pub fn parts(&self) -> usize {
        self.parts.len()
    }

    /// Bytes of memory that the buffer takes, about: many small writes take more than their bytes.
    pub fn memory(&self) -> usize {
        self.len + self.parts.capacity() * size_of::<Bytes>()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn drain(&mut self, length: usize) {
        let mut left = length.min(self.len);
        self.len -= left;
        while let Some(part) = self.parts.front_mut()
            && left > 0
        {
            let here = left.min(part.len());
            part.advance(here);
            left -= here;
            if part.is_empty() {
                self.parts.pop_front();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(buffer: &Buffer) -> Vec<u8> {
        let mut bytes = vec![0; buffer.len()];
        buffer.copy_to(0, &mut bytes);
        bytes
    }

    #[test]
    fn a_splice_in_the_middle_is_refused() {
        let mut buffer = Buffer::default();
        buffer.push(Bytes::from_static(b"hello"));
        assert_eq!(buffer.set(2, 1, "x".into()), Err(Status::BadArgument));
        assert_eq!(buffer.set(5, 1, " world".into()), Ok(()));
        assert_eq!(all(&buffer), b"hello world");
    }

    proptest! {
        #[test]
        fn edits_do_what_they_do_to_a_vector(
            parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..9), 0..6),
            edits in prop::collection::vec((0usize..3, 0usize..20, "[a-z]{0,6}"), 0..8),
        ) {
            let mut buffer = Buffer::default();
            let mut model = parts.concat();
            for part in parts {
                buffer.push(part.into());
            }
            for (place, length, data) in edits {
                let (given, data) = (Bytes::copy_from_slice(data.as_bytes()), data.as_bytes());
                match place {
                    0 => {
                        buffer.set(0, length, given).unwrap();
                        model.splice(..length.min(model.len()), data.iter().copied());
                    }
                    1 => {
                        buffer.set(0, usize::MAX, given).unwrap();
                        model = data.to_vec();
                    }
                    _ => {
                        buffer.set(model.len().max(1), length, given).unwrap();
                        model.extend(data);
                    }
                }
                prop_assert_eq!(all(&buffer), model.clone());
                for start in 0..=model.len() {
                    let mut tail = vec![0; model.len() - start];
                    buffer.copy_to(start, &mut tail);
                    prop_assert_eq!(&tail, &model[start..]);
                }
            }
        }
    }
}
