//! What is kept of a stream between its chunks.

use core::cell::Cell;

use crate::rule::Direction;

/// How many streams can have bytes kept back at a time; a power of two.
const SLOTS: usize = 1024;

/// How many bytes of each stream were cut off and wait for the next chunk.
///
/// Bytes are kept back because they begin the needle, so their number says which they are.
///
/// Streams share the slots by the remainder of their id. Where two meet, the second keeps nothing
/// back until the first has: a match across its chunks is then missed, and no byte is lost.
#[derive(Debug)]
pub struct Carries {
    slots: [Cell<Slot>; SLOTS],
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    context: u32,
    /// For each direction; a needle has up to 64 bytes.
    lengths: [u8; 2],
}

impl Slot {
    const EMPTY: Self = Self { context: 0, lengths: [0; 2] };

    fn is_free_for(self, context: u32) -> bool {
        self.context == context || self.lengths == [0; 2]
    }
}

impl Carries {
    /// Nothing is kept of any stream.
    pub const fn new() -> Self {
        Self { slots: [const { Cell::new(Slot::EMPTY) }; SLOTS] }
    }

    /// How many bytes were kept back.
    pub fn len(&self, context: u32, direction: Direction) -> usize {
        let slot = self.slot(context).get();
        if slot.context == context { slot.lengths[direction as usize].into() } else { 0 }
    }

    /// Whether bytes of this stream can be kept back.
    pub fn has_room(&self, context: u32) -> bool {
        self.slot(context).get().is_free_for(context)
    }

    /// Notes how many bytes are kept back now; up to 255, and 0 where there is no room.
    pub fn keep(&self, context: u32, direction: Direction, len: usize) {
        let place = self.slot(context);
        let mut slot = place.get();
        if slot.is_free_for(context) {
            if slot.context != context {
                slot = Slot { context, ..Slot::EMPTY };
            }
            slot.lengths[direction as usize] = len as u8;
            place.set(slot);
        }
    }

    /// Forgets a stream that is over.
    pub fn forget(&self, context: u32) {
        let place = self.slot(context);
        if place.get().context == context {
            place.set(Slot::EMPTY);
        }
    }

    fn slot(&self, context: u32) -> &Cell<Slot> {
        &self.slots[context as usize % SLOTS]
    }
}

impl Default for Carries {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_and_streams_are_apart() {
        let carries = Carries::new();
        carries.keep(7, Direction::Request, 3);
        carries.keep(7, Direction::Response, 5);
        carries.keep(8, Direction::Request, 9);
        assert_eq!(carries.len(7, Direction::Request), 3);
        assert_eq!(carries.len(7, Direction::Response), 5);
        assert_eq!(carries.len(8, Direction::Request), 9);
        assert_eq!(carries.len(8, Direction::Response), 0);
    }

    #[test]
    fn streams_that_meet_do_not_mix() {
        let carries = Carries::new();
        let (first, second) = (7, 7 + SLOTS as u32);
        carries.keep(first, Direction::Request, 3);
        assert!(carries.has_room(first) && !carries.has_room(second));
        carries.keep(second, Direction::Request, 0);
        carries.forget(second);
        assert_eq!(carries.len(first, Direction::Request), 3);
        assert_eq!(carries.len(second, Direction::Request), 0);

        carries.keep(first, Direction::Request, 0);
        assert!(carries.has_room(second));
        carries.keep(second, Direction::Response, 4);
        carries.forget(first);
        assert_eq!(carries.len(second, Direction::Response), 4);
        carries.forget(second);
        assert!(carries.has_room(first));
    }
}
