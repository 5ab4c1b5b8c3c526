//! The unfinished end of a text, kept for the next piece.

/// Bytes that wait for more, never more than a limit.
///
/// # Cost
/// Grows by doubling up to the limit and keeps what it has, so that it stops allocating.
#[derive(Debug)]
pub(super) struct Carry {
    bytes: Vec<u8>,
    limit: usize,
}

impl Carry {
    pub(super) fn new(limit: usize) -> Self {
        Self { bytes: Vec::new(), limit }
    }

    /// Adds bytes; refuses, and stays as it is, where that would pass the limit.
    #[must_use]
    pub(super) fn push(&mut self, more: &[u8]) -> bool {
        if more.len() > self.limit - self.bytes.len() {
            return false;
        }
        let needed = self.bytes.len() + more.len();
        if needed > self.bytes.capacity() {
            // A vector left to itself would double beyond the limit.
            let wanted = self.bytes.capacity().saturating_mul(2).clamp(needed, self.limit);
            self.bytes.reserve_exact(wanted - self.bytes.len());
        }
        self.bytes.extend_from_slice(more);
        true
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_never_passed_and_its_capacity_stays() {
        let mut carry = Carry::new(10);
        assert!(carry.push(b"1234567"));
        assert!(carry.push(b"8"));
        assert_eq!(carry.bytes.capacity(), 10);
        assert!(!carry.push(b"90a"));
        assert_eq!(carry.bytes(), b"12345678");
        assert!(carry.push(b"90"));
        assert!(!carry.push(b"a"));
        assert!(carry.push(b""));
        carry.clear();
        assert!(carry.is_empty());
        assert_eq!((carry.bytes.capacity(), carry.limit()), (10, 10));
    }
}
