//! Time and randomness, the same in every run.

/// A clock that moves a little with every look, so that a guest that waits for it gets on.
#[derive(Clone, Debug)]
pub struct Clock {
    now: u64,
    random: u64,
    frozen: bool,
}

/// 2026-01-01T00:00:00Z in nanoseconds since the epoch.
const START: u64 = 1_767_225_600_000_000_000;

/// How far the clock moves with every look, in nanoseconds.
const STEP: u64 = 1_000;

impl Default for Clock {
    fn default() -> Self {
        Self { now: START, random: 0x2545_F491_4F6C_DD1D, frozen: false }
    }
}

impl Clock {
    /// A clock that stands still, at these nanoseconds since the epoch; so does its monotonic time.
    pub fn frozen(now: u64) -> Self {
        Self { now, frozen: true, ..Self::default() }
    }

    /// Nanoseconds since the epoch.
    pub fn wall(&mut self) -> u64 {
        if !self.frozen {
            self.now += STEP;
        }
        self.now
    }

    /// Nanoseconds since the host began.
    pub fn monotonic(&mut self) -> u64 {
        if self.frozen {
            return self.now;
        }
        self.wall() - START
    }

    /// Fills a buffer (xorshift64*, Vigna 2016: good enough for hash seeds, not for secrets).
    pub fn random(&mut self, into: &mut [u8]) {
        for chunk in into.chunks_mut(8) {
            self.random ^= self.random >> 12;
            self.random ^= self.random << 25;
            self.random ^= self.random >> 27;
            let word = self.random.wrapping_mul(0x2545_F491_4F6C_DD1D).to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
    }
}
