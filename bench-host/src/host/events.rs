//! What will happen at a given time: timers, and answers to calls.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use super::callouts::Arrival;

/// Something that happens at a given time.
#[derive(Debug)]
pub(super) enum Event {
    /// The timer of a root context; stale when its period was set again.
    Tick { root: u32, setting: u64 },
    /// Something arrives for a call that the plugin made; stale when the call is over.
    Arrival { token: u32, arrival: Arrival },
}

/// Events in the order in which they are due; those that are due together, in the order in which
/// they were added.
#[derive(Debug, Default)]
pub(super) struct Events {
    queue: BinaryHeap<Reverse<Due>>,
    added: u64,
}

#[derive(Debug)]
struct Due {
    at: u64,
    order: u64,
    event: Event,
}

impl Events {
    /// Adds an event at a time in nanoseconds.
    pub fn add(&mut self, at: u64, event: Event) {
        self.added += 1;
        self.queue.push(Reverse(Due { at, order: self.added, event }));
    }

    /// When the next event is due.
    pub fn next_due(&self) -> Option<u64> {
        self.queue.peek().map(|Reverse(due)| due.at)
    }

    /// Takes the next event out if it is due by then, with its time.
    pub fn take_due(&mut self, by: u64) -> Option<(u64, Event)> {
        self.next_due().filter(|at| *at <= by)?;
        self.queue.pop().map(|Reverse(due)| (due.at, due.event))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Due {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_in_the_order_of_their_times_and_then_of_their_adding() {
        let mut events = Events::default();
        for (at, root) in [(5, 1), (3, 2), (5, 3)] {
            events.add(at, Event::Tick { root, setting: 0 });
        }
        assert!(events.take_due(2).is_none());
        let order: Vec<_> = std::iter::from_fn(|| events.take_due(9))
            .map(|(at, event)| match event {
                Event::Tick { root, .. } => (at, root),
                Event::Arrival { .. } => unreachable!("only ticks were added"),
            })
            .collect();
        assert_eq!(order, [(3, 2), (5, 1), (5, 3)]);
        assert_eq!(events.next_due(), None);
    }
}
