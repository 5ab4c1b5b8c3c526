//! Time and randomness: by default the same in every run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The clock of one worker; clones show the same time.
///
/// By default it is virtual: it moves a little with every look, so that a guest that waits for it
/// gets on, and by whole waits when nothing happens before the next timer or answer.
#[derive(Clone, Debug)]
pub struct Clock {
    // One thread at a time looks and moves; atomic because stores of VMs are to be `Send`.
    now: Arc<AtomicU64>,
    source: Source,
    random: u64,
}

/// Where time comes from.
#[derive(Clone, Copy, Debug)]
enum Source {
    /// Nobody but the host moves it.
    Virtual { step: u64, began: u64 },
    /// The machine's clock.
    Wall { begin: Instant, began: u64 },
}

/// 2026-01-01T00:00:00Z in nanoseconds since the epoch.
const START: u64 = 1_767_225_600_000_000_000;

/// How far the virtual clock moves with every look, in nanoseconds.
const STEP: u64 = 1_000;

const SEED: u64 = 0x2545_F491_4F6C_DD1D;

impl Default for Clock {
    fn default() -> Self {
        let now = Arc::new(AtomicU64::new(START));
        Self { now, source: Source::Virtual { step: STEP, began: START }, random: SEED }
    }
}

impl Clock {
    /// A clock that shows one time until the host moves it, in nanoseconds since the epoch; its
    /// monotonic time is the same.
    pub fn frozen(at: u64) -> Self {
        let now = Arc::new(AtomicU64::new(at));
        Self { now, source: Source::Virtual { step: 0, began: 0 }, random: SEED }
    }

    /// The same clock with other randomness.
    pub(super) fn with_seed(&self, number: u64) -> Self {
        // SplitMix64's constants (Steele, Lea and Flood 2014); never 0, which xorshift keeps.
        let mixed = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        Self { random: (SEED ^ mixed ^ (mixed >> 29)).max(1), ..self.clone() }
    }

    /// The machine's clock.
    pub fn wall_clock() -> Self {
        let began = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let began = u64::try_from(began.as_nanos()).unwrap_or(u64::MAX);
        let source = Source::Wall { begin: Instant::now(), began };
        Self { now: Arc::new(AtomicU64::new(began)), source, random: SEED }
    }

    /// Nanoseconds since the epoch, for a guest that looks.
    pub fn wall(&mut self) -> u64 {
        if let Source::Virtual { step, .. } = self.source {
            self.now.store(self.now.load(Relaxed).saturating_add(step), Relaxed);
        }
        self.now()
    }

    /// Nanoseconds since the host began, for a guest that looks.
    pub fn monotonic(&mut self) -> u64 {
        let (Source::Virtual { began, .. } | Source::Wall { began, .. }) = self.source;
        self.wall().saturating_sub(began)
    }

    /// Nanoseconds since the epoch; looking does not move the clock.
    pub fn now(&self) -> u64 {
        if let Source::Wall { begin, began } = self.source {
            let passed = u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX);
            self.now.store(began.saturating_add(passed), Relaxed);
        }
        self.now.load(Relaxed)
    }

    /// Lets time pass until then: the virtual clock jumps, with the machine's the thread sleeps.
    pub fn wait_until(&self, then: u64) {
        let ahead = then.saturating_sub(self.now());
        match self.source {
            Source::Virtual { .. } => {
                self.now.store(self.now.load(Relaxed).saturating_add(ahead), Relaxed);
            }
            Source::Wall { .. } => std::thread::sleep(Duration::from_nanos(ahead)),
        }
    }

    /// Moves the virtual clock on; the machine's moves by itself, and a frozen one not at all.
    pub fn pass(&self, time: Duration) {
        if let Source::Virtual { step, .. } = self.source
            && step > 0
        {
            let time = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
            self.now.store(self.now.load(Relaxed).saturating_add(time), Relaxed);
        }
    }

    /// Fills a buffer (xorshift64*, Vigna 2016: good enough for hash seeds, not for secrets).
    pub fn random(&mut self, into: &mut [u8]) {
        for chunk in into.chunks_mut(8) {
            self.random ^= self.random >> 12;
            self.random ^= self.random << 25;
            self.random ^= self.random >> 27;
            let word = self.random.wrapping_mul(SEED).to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_show_the_same_time_and_looking_moves_it() {
        let mut clock = Clock::default();
        let mut other = clock.clone();
        let first = clock.wall();
        assert!(other.wall() > first);
        clock.wait_until(first + 1_000_000);
        assert_eq!(other.now(), first + 1_000_000);
        clock.wait_until(first);
        assert_eq!(other.now(), first + 1_000_000, "time does not go back");
        assert_eq!(clock.monotonic(), other.now() - START);
    }

    #[test]
    fn a_frozen_clock_stands_still_until_it_is_moved() {
        let mut clock = Clock::frozen(5);
        assert_eq!((clock.wall(), clock.wall(), clock.monotonic()), (5, 5, 5));
        clock.pass(Duration::from_nanos(2));
        assert_eq!(clock.wall(), 5);
        clock.wait_until(7);
        assert_eq!(clock.wall(), 7);
    }
}
