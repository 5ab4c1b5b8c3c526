//! Contexts by their ids.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Contexts by id. A stream is looked up several times in every callback and host call.
pub(super) type Contexts<T> = HashMap<u32, T, BuildHasherDefault<IdHasher>>;

/// Spreads ids, which the host itself counts up: nobody can choose them so that they collide.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u32(&mut self, id: u32) {
        // The golden ratio in 64 bits (Knuth's multiplicative hashing).
        self.0 = u64::from(id).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_is_found_again() {
        let ids = (0..1_000).chain([u32::MAX, 1 << 31]);
        let contexts: Contexts<u32> = ids.clone().map(|id| (id, id)).collect();
        assert_eq!(contexts.len(), 1_002);
        assert!(ids.into_iter().all(|id| contexts.get(&id) == Some(&id)));
    }
}
