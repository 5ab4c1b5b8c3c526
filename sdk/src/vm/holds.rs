//! Messages that wait for tasks, so that a handle which outlives its task changes nothing.
//!
//! Hosts are no help with that: Envoy's filter takes edits of a response's headers that were sent
//! on after they had been held, and does nothing with them.

use std::cell::RefCell;

use crate::abi::Direction;
use crate::table::Table;

/// All directions of streams that wait for a task.
///
/// # Cost
/// A search among the streams that wait; the table keeps its memory.
#[derive(Debug, Default)]
pub(crate) struct Holds(RefCell<Table<[bool; 2]>>);

impl Holds {
    /// A task begins that this message waits for.
    pub fn begin(&self, context: u32, direction: Direction) {
        let mut holds = self.0.borrow_mut();
        match holds.get_mut(context) {
            Some(known) => known[direction as usize] = true,
            None => {
                let mut new = [false; 2];
                new[direction as usize] = true;
                holds.insert(context, new);
            }
        }
    }

    /// It has ended.
    pub fn end(&self, context: u32, direction: Direction) {
        let mut holds = self.0.borrow_mut();
        let Some(known) = holds.get_mut(context) else { return };
        known[direction as usize] = false;
        if *known == [false; 2] {
            holds.remove(context);
        }
    }

    /// Whether this message waits.
    pub fn has(&self, context: u32, direction: Direction) -> bool {
        self.0.borrow_mut().get_mut(context).is_some_and(|known| known[direction as usize])
    }

    /// The stream has ended.
    pub fn close(&self, context: u32) {
        self.0.borrow_mut().remove(context);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_wait_each_for_itself() {
        let holds = Holds::default();
        let waiting = |context| {
            [Direction::Request, Direction::Response].map(|direction| holds.has(context, direction))
        };
        holds.begin(2, Direction::Request);
        holds.begin(2, Direction::Response);
        holds.begin(3, Direction::Response);
        assert_eq!((waiting(2), waiting(3), waiting(4)), ([true; 2], [false, true], [false; 2]));
        holds.end(2, Direction::Request);
        holds.end(4, Direction::Request);
        assert_eq!(waiting(2), [false, true]);
        holds.close(3);
        holds.end(2, Direction::Response);
        assert_eq!((waiting(2), waiting(3)), ([false; 2], [false; 2]));
    }
}
