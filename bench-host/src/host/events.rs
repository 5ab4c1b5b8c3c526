//! What will happen at a given time: timers, and answers to calls.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BinaryHeap};

use super::callouts::Arrival;

/// Something that happens at a given time.
#[derive(Debug)]
pub(super) enum Event {
    /// The timer of a root context.
    Tick { root: u32 },
    /// Something arrives for a call that the plugin made; stale when the call is over.
    Arrival { token: u32, arrival: Arrival },
}

/// Events in the order in which they are due; those that are due together, in the order in which
/// they were added.
#[derive(Debug, Default)]
pub(super) struct Events {
    arrivals: BinaryHeap<Reverse<Due>>,
    /// The next tick of each root context: when, and its order.
    ticks: BTreeMap<u32, (u64, u64)>,
    added: u64,
}

#[derive(Debug)]
struct Due {
    at: u64,
    order: u64,
    token: u32,
    arrival: Arrival,
}

/// Arrivals that may be under way in a VM; only a gRPC stream can cause more than it has calls.
const MOST: usize = 65_536;

impl Events {
    /// Adds an arrival at a time in nanoseconds; `false` when there are too many.
    #[must_use]
    pub fn add(&mut self, at: u64, token: u32, arrival: Arrival) -> bool {
        let room = self.arrivals.len() < MOST;
        if room {
            self.added += 1;
            self.arrivals.push(Reverse(Due { at, order: self.added, token, arrival }));
        }
        room
    }

    /// Whether no arrival has room any more.
    pub fn is_full(&self) -> bool {
        self.arrivals.len() >= MOST
    }

    /// Drops arrivals of calls that are over.
    pub fn keep(&mut self, is_under_way: impl Fn(u32) -> bool) {
        self.arrivals.retain(|Reverse(due)| is_under_way(due.token));
    }

    /// Sets when a root context is told next, instead of any time before.
    pub fn set_tick(&mut self, root: u32, at: u64) {
        self.added += 1;
        self.ticks.insert(root, (at, self.added));
    }

    /// Ends the timer of a root context.
    pub fn clear_tick(&mut self, root: u32) {
        self.ticks.remove(&root);
    }

    /// Whether a root context is going to be told.
    pub fn has_tick(&self, root: u32) -> bool {
        self.ticks.contains_key(&root)
    }

    /// When the next event is due.
    pub fn next_due(&self) -> Option<u64> {
        let arrival = self.arrivals.peek().map(|Reverse(due)| due.at);
        let tick = self.ticks.values().map(|(at, _)| *at).min();
        arrival.into_iter().chain(tick).min()
    }

    /// Takes the next event out if it is due by then, with its time.
    pub fn take_due(&mut self, by: u64) -> Option<(u64, Event)> {
        let arrival = self.arrivals.peek().map(|Reverse(due)| (due.at, due.order));
        let tick = self.ticks.iter().map(|(root, due)| (*due, *root)).min();
        match (arrival, tick) {
            (arrival, Some((due, root))) if arrival.is_none_or(|arrival| due < arrival) => {
                (due.0 <= by).then(|| {
                    self.ticks.remove(&root);
                    (due.0, Event::Tick { root })
                })
            }
            (Some((at, _)), _) if at <= by => {
                let Reverse(Due { at, token, arrival, .. }) = self.arrivals.pop()?;
                Some((at, Event::Arrival { token, arrival }))
            }
            _ => None,
        }
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
    use crate::upstream::HttpAnswer;

    #[test]
    fn events_come_in_the_order_of_their_times_and_then_of_their_adding() {
        let mut events = Events::default();
        let reset = || Arrival::Http(HttpAnswer::Reset);
        assert!(events.add(5, 4, reset()));
        events.set_tick(1, 3);
        events.set_tick(2, 5);
        assert!(events.add(5, 8, reset()));
        // Set again: it comes after what was added before.
        events.set_tick(1, 5);
        assert!(events.take_due(2).is_none());
        assert_eq!(events.next_due(), Some(5));
        let order: Vec<_> = std::iter::from_fn(|| events.take_due(9))
            .map(|(at, event)| match event {
                Event::Tick { root } => (at, root),
                Event::Arrival { token, .. } => (at, token),
            })
            .collect();
        assert_eq!(order, [(5, 4), (5, 2), (5, 8), (5, 1)]);
        assert_eq!(events.next_due(), None);
    }

    #[test]
    fn there_is_an_end_to_what_is_under_way() {
        let mut events = Events::default();
        let added = (0..2 * MOST).filter(|_| events.add(1, 4, Arrival::Http(HttpAnswer::Reset)));
        assert_eq!(added.count(), MOST);
    }
}
