//! Answers that are remembered for a while.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

/// Longer keys are not remembered, so that strangers cannot fill the memory with cookies.
const LONGEST_KEY: usize = 4096;

/// So many values, each for so long. The oldest one makes room for a new one.
#[derive(Debug)]
pub struct Cache<V> {
    lasts: Duration,
    entries: usize,
    /// Values, and when they are too old.
    known: BTreeMap<Rc<[u8]>, (Duration, V)>,
    /// All keys in the order in which they came, which is that in which they grow too old.
    order: VecDeque<Rc<[u8]>>,
}

/// What the services see of a request: whoever sends the same gets the same answer.
pub fn key(seen: &[(&[u8], &[u8])]) -> Vec<u8> {
    // Neither a name nor a value has a line break.
    let lines = seen.iter().flat_map(|(name, value)| [*name, b":", *value, b"\n"]);
    lines.flatten().copied().collect()
}

impl<V> Cache<V> {
    pub fn new(lasts: Duration, entries: usize) -> Self {
        Self { lasts, entries, known: BTreeMap::new(), order: VecDeque::new() }
    }

    pub fn get(&self, key: &[u8], now: Duration) -> Option<&V> {
        let (until, value) = self.known.get(key)?;
        self.counts(*until, now).then_some(value)
    }

    /// Whether a value counts. One that would last longer than any is from before a clock went back.
    fn counts(&self, until: Duration, now: Duration) -> bool {
        now < until && until.saturating_sub(now) <= self.lasts
    }

    pub fn insert(&mut self, key: Vec<u8>, value: V, now: Duration) {
        if key.len() > LONGEST_KEY {
            return;
        }
        while let Some(oldest) = self.order.front() {
            let is_old = self.known.get(oldest).is_none_or(|(until, _)| !self.counts(*until, now));
            if !is_old && self.known.len() < self.entries {
                break;
            }
            self.known.remove(oldest);
            self.order.pop_front();
        }
        // Of two requests that asked at the same time the first one's answer stays.
        if self.get(&key, now).is_none() {
            let key: Rc<[u8]> = key.into();
            self.order.push_back(Rc::clone(&key));
            self.known.insert(key, (now.saturating_add(self.lasts), value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn values_last_as_long_as_they_should() {
        let mut cache = Cache::new(at(10), 9);
        cache.insert(b"a".to_vec(), 1, at(100));
        cache.insert(b"a".to_vec(), 2, at(105));
        assert_eq!(cache.get(b"a", at(109)), Some(&1));
        assert_eq!(cache.get(b"a", at(110)), None);
        cache.insert(b"a".to_vec(), 3, at(110));
        assert_eq!((cache.get(b"a", at(119)), cache.order.len()), (Some(&3), 1));
    }

    #[test]
    fn a_clock_that_goes_back_makes_nothing_last_longer() {
        let mut cache = Cache::new(at(10), 9);
        cache.insert(b"a".to_vec(), 1, at(5000));
        assert_eq!(cache.get(b"a", at(1000)), None);
        cache.insert(b"a".to_vec(), 2, at(1000));
        assert_eq!((cache.get(b"a", at(1009)), cache.get(b"a", at(1010))), (Some(&2), None));
        assert_eq!((cache.known.len(), cache.order.len()), (1, 1));
    }

    #[test]
    fn the_oldest_makes_room() {
        let mut cache = Cache::new(at(10), 2);
        for (n, key) in [b"a", b"b", b"c"].into_iter().enumerate() {
            cache.insert(key.to_vec(), n, at(n as u64));
        }
        let left = [b"a", b"b", b"c"].map(|key| cache.get(key, at(3)).is_some());
        assert_eq!((left, cache.known.len(), cache.order.len()), ([false, true, true], 2, 2));
    }

    #[test]
    fn long_keys_are_left_out() {
        let mut cache = Cache::new(at(10), 2);
        cache.insert(vec![0; LONGEST_KEY + 1], 1, at(0));
        assert!(cache.known.is_empty() && cache.order.is_empty());
    }

    #[test]
    fn keys_tell_names_from_values() {
        assert_ne!(key(&[(b"a", b"b"), (b"c", b"d")]), key(&[(b"a", b"bc"), (b"", b"d")]));
        assert_eq!(key(&[(b"a", b"b")]), b"a:b\n");
    }
}
