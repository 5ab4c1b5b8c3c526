//! What is replaced by what.

/// The longest text that can be found, in bytes.
pub const LONGEST_NEEDLE: usize = 64;
/// The longest text that can be put in its place, in bytes.
pub const LONGEST_REPLACEMENT: usize = 1024;

/// The one rule that this plugin has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What is looked for; never empty.
    pub find: Text<LONGEST_NEEDLE>,
    /// What it becomes.
    pub replace: Text<LONGEST_REPLACEMENT>,
    /// Whether request bodies are looked at.
    pub request: bool,
    /// Whether response bodies are looked at.
    pub response: bool,
}

impl Rule {
    /// Whether a body with a match gets another length.
    pub fn changes_length(&self) -> bool {
        self.find.as_bytes().len() != self.replace.as_bytes().len()
    }

    /// Whether bodies that go this way are looked at.
    pub fn covers(&self, direction: Direction) -> bool {
        match direction {
            Direction::Request => self.request,
            Direction::Response => self.response,
        }
    }
}

/// Which way a body travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the upstream.
    Request,
    /// From the upstream to the client.
    Response,
}

/// Up to `N` bytes in memory of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Text<N> {
    /// No bytes.
    pub const EMPTY: Self = Self { bytes: [0; N], len: 0 };

    /// Adds a byte; false when there is no room.
    pub fn push(&mut self, byte: u8) -> bool {
        match self.bytes.get_mut(self.len) {
            Some(free) => {
                *free = byte;
                self.len += 1;
                true
            }
            None => false,
        }
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_ends_where_its_memory_does() {
        let mut text = Text::<2>::EMPTY;
        assert!(text.push(b'a') && text.push(b'b'));
        assert!(!text.push(b'c'));
        assert_eq!(text.as_bytes(), b"ab");
    }
}
