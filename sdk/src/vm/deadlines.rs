//! Times in order, any of which can be given up.

/// Values by the time at which they are due; of those due at once, what was put in first is first.
///
/// A binary heap over places: an entry knows where in the heap it stands, so one that is given up
/// leaves at once, and a limit that is set and cancelled for every request leaves nothing behind.
///
/// # Cost
/// Looking up takes constant time, putting in and taking out that of the heap's height. The memory
/// is used again, so nothing is allocated in steady state.
#[derive(Debug)]
pub(super) struct Deadlines<T> {
    places: Vec<Option<Entry<T>>>,
    free: Vec<usize>,
    /// Places, the children of the one at `n` at `2n + 1` and `2n + 2`.
    heap: Vec<usize>,
    made: u64,
}

/// An entry; another one may be at the same place later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimerId {
    place: usize,
    number: u64,
}

#[derive(Debug)]
struct Entry<T> {
    number: u64,
    due: u64,
    /// Where in the heap it stands.
    at: usize,
    value: T,
}

impl<T> Default for Deadlines<T> {
    fn default() -> Self {
        Self { places: Vec::new(), free: Vec::new(), heap: Vec::new(), made: 0 }
    }
}

impl<T> Deadlines<T> {
    /// Puts in what is due at a time.
    pub fn insert(&mut self, due: u64, value: T) -> TimerId {
        self.made += 1;
        let (number, at) = (self.made, self.heap.len());
        let entry = Some(Entry { number, due, at, value });
        let place = match self.free.pop() {
            Some(place) => {
                self.places[place] = entry;
                place
            }
            None => {
                self.places.push(entry);
                self.places.len() - 1
            }
        };
        self.heap.push(place);
        self.rise(at);
        TimerId { place, number }
    }

    /// What was put in, unless it has been taken out.
    pub fn get_mut(&mut self, id: TimerId) -> Option<&mut T> {
        let entry = self.places.get_mut(id.place)?.as_mut()?;
        (entry.number == id.number).then_some(&mut entry.value)
    }

    /// Takes out what was put in, unless that was done before.
    pub fn remove(&mut self, id: TimerId) -> Option<T> {
        let entry = self.places.get_mut(id.place)?.take_if(|entry| entry.number == id.number)?;
        self.free.push(id.place);
        self.heap.swap_remove(entry.at);
        if entry.at < self.heap.len() {
            self.settle(entry.at);
            self.rise(entry.at);
            self.sink(entry.at);
        }
        Some(entry.value)
    }

    /// What is due first, and when.
    pub fn first(&self) -> Option<(u64, &T)> {
        let entry = self.places.get(*self.heap.first()?)?.as_ref()?;
        Some((entry.due, &entry.value))
    }

    /// Takes out what is due first, if its time has come.
    pub fn pop_due(&mut self, now: u64) -> Option<T> {
        let place = *self.heap.first()?;
        let entry = self.places.get(place)?.as_ref()?;
        let id = TimerId { place, number: entry.number };
        if entry.due <= now { self.remove(id) } else { None }
    }

    /// Everything, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (TimerId, u64, &T)> {
        self.places.iter().enumerate().filter_map(|(place, entry)| {
            let Entry { number, due, value, .. } = entry.as_ref()?;
            Some((TimerId { place, number: *number }, *due, value))
        })
    }

    /// What the order goes by. Nothing in the heap is without an entry.
    fn key(&self, at: usize) -> Option<(u64, u64)> {
        let entry = self.places.get(*self.heap.get(at)?)?.as_ref()?;
        Some((entry.due, entry.number))
    }

    /// Tells an entry where it stands.
    fn settle(&mut self, at: usize) {
        if let Some(entry) = &mut self.places[self.heap[at]] {
            entry.at = at;
        }
    }

    fn swap(&mut self, one: usize, other: usize) {
        self.heap.swap(one, other);
        self.settle(one);
        self.settle(other);
    }

    fn rise(&mut self, mut at: usize) {
        while at > 0 {
            let parent = (at - 1) / 2;
            if self.key(parent) <= self.key(at) {
                return;
            }
            self.swap(parent, at);
            at = parent;
        }
    }

    fn sink(&mut self, mut at: usize) {
        loop {
            let children = (2 * at + 1..self.heap.len()).take(2);
            let Some(first) = children.min_by_key(|child| self.key(*child)) else { return };
            if self.key(at) <= self.key(first) {
                return;
            }
            self.swap(at, first);
            at = first;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Insert(u64),
        Remove(usize),
        Pop(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            3 => (0_u64..20).prop_map(Step::Insert),
            2 => any::<usize>().prop_map(Step::Remove),
            2 => (0_u64..20).prop_map(Step::Pop),
        ];
        prop::collection::vec(step, 0..200)
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// The naive form: a list that is searched.
        #[test]
        fn the_order_is_that_of_a_list(steps in steps()) {
            let mut deadlines = Deadlines::default();
            let mut list: Vec<(u64, usize)> = Vec::new();
            let mut ids = Vec::new();
            for step in steps {
                match step {
                    Step::Insert(due) => {
                        let number = ids.len();
                        ids.push(deadlines.insert(due, number));
                        list.push((due, number));
                    }
                    // Most have been taken out before.
                    Step::Remove(any) if !ids.is_empty() => {
                        let number = any % ids.len();
                        let known = list.iter().position(|(_, known)| *known == number);
                        let removed = known.map(|at| list.remove(at).1);
                        prop_assert_eq!(deadlines.get_mut(ids[number]).copied(), removed);
                        prop_assert_eq!(deadlines.remove(ids[number]), removed);
                    }
                    Step::Remove(_) => (),
                    Step::Pop(now) => {
                        let first = list.iter().copied().min().filter(|(due, _)| *due <= now);
                        list.retain(|entry| Some(*entry) != first);
                        prop_assert_eq!(deadlines.pop_due(now), first.map(|(_, number)| number));
                    }
                }
                let first = deadlines.first().map(|(due, number)| (due, *number));
                prop_assert_eq!(first, list.iter().copied().min());
                prop_assert_eq!(deadlines.iter().count(), list.len());
            }
        }
    }

    #[test]
    fn memory_is_used_again() {
        let mut deadlines = Deadlines::default();
        for due in 0..1000 {
            let id = deadlines.insert(1_000_000 - due, ());
            assert_eq!(deadlines.remove(id), Some(()));
        }
        assert_eq!((deadlines.places.len(), deadlines.heap.len()), (1, 0));
    }
}
