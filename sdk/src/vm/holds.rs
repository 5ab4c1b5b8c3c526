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
pub(crate) struct Holds(RefCell<Table<[Held; 2]>>);

/// The length of the body, where a message waits; 0 if only its headers are there.
type Held = Option<usize>;

impl Holds {
    /// A task begins that this message waits for, of whose body so much is there.
    pub fn begin(&self, context: u32, direction: Direction, length: usize) {
        let mut holds = self.0.borrow_mut();
        match holds.get_mut(context) {
            Some(known) => known[direction as usize] = Some(length),
            None => {
                let mut new = [None; 2];
                new[direction as usize] = Some(length);
                holds.insert(context, new);
            }
        }
    }

    /// It has ended.
    pub fn end(&self, context: u32, direction: Direction) {
        let mut holds = self.0.borrow_mut();
        let Some(known) = holds.get_mut(context) else { return };
        known[direction as usize] = None;
        if *known == [None; 2] {
            holds.remove(context);
        }
    }

    /// Whether this message waits.
    pub fn has(&self, context: u32, direction: Direction) -> bool {
        self.held(context, direction).is_some()
    }

    /// How long the body of a message is that waits.
    pub fn length(&self, context: u32, direction: Direction) -> usize {
        self.held(context, direction).unwrap_or(0)
    }

    /// Its task has replaced the body.
    pub fn set_length(&self, context: u32, direction: Direction, length: usize) {
        if self.has(context, direction) {
            self.begin(context, direction, length);
        }
    }

    fn held(&self, context: u32, direction: Direction) -> Held {
        self.0.borrow_mut().get_mut(context).and_then(|known| known[direction as usize])
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
        holds.begin(2, Direction::Request, 7);
        holds.begin(2, Direction::Response, 0);
        holds.begin(3, Direction::Response, 0);
        assert_eq!((waiting(2), waiting(3), waiting(4)), ([true; 2], [false, true], [false; 2]));
        holds.set_length(2, Direction::Response, 5);
        holds.set_length(3, Direction::Request, 5);
        assert_eq!(holds.length(2, Direction::Request), 7);
        assert_eq!(holds.length(2, Direction::Response), 5);
        assert!(!holds.has(3, Direction::Request), "what does not wait gets no length");
        holds.end(2, Direction::Request);
        holds.end(4, Direction::Request);
        assert_eq!(waiting(2), [false, true]);
        holds.close(3);
        holds.end(2, Direction::Response);
        assert_eq!((waiting(2), waiting(3)), ([false; 2], [false; 2]));
    }
}
