//! What was allocated, by call stack.

use std::collections::HashMap;

/// What one call stack allocated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Point {
    /// Numbers of its frames, innermost first.
    pub stack: Box<[u32]>,
    /// Bytes of all blocks.
    pub total_bytes: u64,
    /// All blocks; one that was given another size counts again.
    pub total_blocks: u64,
    /// How long blocks lived, added up.
    pub lifetimes: u64,
    /// Bytes of blocks that live now; at the end of a profile, then.
    pub live_bytes: u64,
    /// These blocks.
    pub live_blocks: u64,
    /// The most bytes that lived at one time.
    pub max_bytes: u64,
    /// Blocks at that time.
    pub max_blocks: u64,
    /// Bytes when all call stacks together had the most.
    pub peak_bytes: u64,
    /// Blocks then.
    pub peak_blocks: u64,
}

impl Point {
    pub(super) fn allocate(&mut self, bytes: u64) {
        self.total_bytes += bytes;
        self.total_blocks += 1;
        self.live_bytes += bytes;
        self.live_blocks += 1;
        if self.live_bytes > self.max_bytes {
            self.max_bytes = self.live_bytes;
            self.max_blocks = self.live_blocks;
        }
    }

    pub(super) fn free(&mut self, bytes: u64, lifetime: u64) {
        self.lifetimes += lifetime;
        self.live_bytes -= bytes;
        self.live_blocks -= 1;
    }
}

/// Call stacks in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Points {
    numbers: HashMap<Box<[u32]>, usize>,
    pub all: Vec<Point>,
}

/// Call stacks that are told apart: more than anybody reads. A plugin that never makes the same
/// call twice must not fill the memory.
const MOST: usize = 100_000;

impl Points {
    /// The number of a stack; once there are too many, that of its outermost frame.
    pub fn number(&mut self, stack: &[u32]) -> usize {
        if let Some(number) = self.numbers.get(stack) {
            return *number;
        }
        let stack = match stack.len().checked_sub(1) {
            Some(outermost) if self.all.len() >= MOST => &stack[outermost..],
            _ => stack,
        };
        let number = *self.numbers.entry(stack.into()).or_insert(self.all.len());
        if number == self.all.len() {
            self.all.push(Point { stack: stack.into(), ..Point::default() });
        }
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_has_one_number() {
        let mut points = Points::default();
        assert_eq!([&[1, 2][..], &[1], &[1, 2]].map(|stack| points.number(stack)), [0, 1, 0]);
        assert_eq!(points.all[1].stack, [1].into());
    }

    #[test]
    fn stacks_beyond_the_most_are_those_of_their_callbacks() {
        let mut points = Points::default();
        for inner in 0..MOST as u32 {
            points.number(&[inner, 7]);
        }
        assert_eq!(points.number(&[1_000_000, 7]), MOST);
        assert_eq!(points.number(&[1_000_001, 7]), MOST);
        assert_eq!(points.number(&[5, 7]), 5);
        assert_eq!(points.all.len(), MOST + 1);
    }

    #[test]
    fn the_most_is_kept_when_blocks_go() {
        let mut point = Point::default();
        point.allocate(10);
        point.allocate(20);
        point.free(10, 5);
        point.allocate(1);
        assert_eq!((point.max_bytes, point.max_blocks), (30, 2));
        assert_eq!((point.live_bytes, point.live_blocks), (21, 2));
        assert_eq!((point.total_bytes, point.total_blocks, point.lifetimes), (31, 3, 5));
    }
}
