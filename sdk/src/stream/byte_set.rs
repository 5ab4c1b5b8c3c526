//! A set of bytes.

/// Which of the 256 bytes are in it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ByteSet([u64; 4]);

impl ByteSet {
    pub(super) fn insert(&mut self, byte: u8) {
        let (word, bit) = place(byte);
        self.0[word] |= bit;
    }

    #[inline]
    pub(super) fn contains(&self, byte: u8) -> bool {
        let (word, bit) = place(byte);
        self.0[word] & bit != 0
    }
}

fn place(byte: u8) -> (usize, u64) {
    (usize::from(byte >> 6), 1 << (byte & 63))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_a_place_of_its_own() {
        for byte in 0..=255 {
            let mut set = ByteSet::default();
            set.insert(byte);
            assert!((0..=255).all(|other| set.contains(other) == (other == byte)));
        }
    }
}
