//! Values by context id.

use std::mem;

/// A hash table for context ids.
///
/// Hosts number contexts upwards, so an id's low bits are a perfect hash for the streams that are
/// open at one time; where they are not, the next free place does. Every callback looks its context
/// up, which is why this is not the standard map: that one takes several times the instructions.
#[derive(Debug)]
pub(crate) struct Table<T> {
    /// A power of two of places, at most half of them taken; none at first.
    places: Vec<Place<T>>,
    taken: usize,
}

#[derive(Debug, Default)]
struct Place<T> {
    id: u32,
    value: T,
}

/// Hosts give the number 0 to the VM itself; here it marks a free place.
const FREE: u32 = 0;

const FIRST_PLACES: usize = 16;

impl<T: Default> Default for Table<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Default> Table<T> {
    pub const fn new() -> Self {
        Self { places: Vec::new(), taken: 0 }
    }

    pub const fn is_empty(&self) -> bool {
        self.taken == 0
    }

    /// Sets the value of an id, and gives the one that it had. The number 0 cannot have one.
    pub fn insert(&mut self, id: u32, value: T) -> Option<T> {
        if id == FREE {
            return Some(value);
        }
        if let Some(at) = self.find(id) {
            return Some(mem::replace(&mut self.places[at].value, value));
        }
        if (self.taken + 1) * 2 > self.places.len() {
            self.grow();
        }
        self.taken += 1;
        let at = self.free_place(id);
        self.places[at] = Place { id, value };
        None
    }

    /// Where an id is: good for [`at_mut`](Self::at_mut), and to be looked up anew if others have
    /// come or gone meanwhile.
    #[inline]
    pub fn find(&self, id: u32) -> Option<usize> {
        if id == FREE {
            return None;
        }
        let mask = self.places.len().wrapping_sub(1);
        let mut at = id as usize & mask;
        loop {
            let known = self.places.get(at)?.id;
            if known == id {
                return Some(at);
            }
            if known == FREE {
                return None;
            }
            at = (at + 1) & mask;
        }
    }

    /// The value of an id that may be at this place.
    #[inline]
    pub fn at_mut(&mut self, at: usize, id: u32) -> Option<&mut T> {
        let place = self.places.get_mut(at)?;
        (place.id == id).then_some(&mut place.value)
    }

    pub fn get_mut(&mut self, id: u32) -> Option<&mut T> {
        let at = self.find(id)?;
        Some(&mut self.places[at].value)
    }

    pub fn remove(&mut self, id: u32) -> Option<T> {
        let mut hole = self.find(id)?;
        let Place { value, .. } = mem::take(&mut self.places[hole]);
        self.taken -= 1;
        // Whatever was put behind this place because it was taken moves up, so that a search can
        // stop at the first free place.
        let mask = self.places.len() - 1;
        let mut at = (hole + 1) & mask;
        while self.places[at].id != FREE {
            let home = self.places[at].id as usize & mask;
            if (at.wrapping_sub(home) & mask) >= (at.wrapping_sub(hole) & mask) {
                self.places.swap(at, hole);
                hole = at;
            }
            at = (at + 1) & mask;
        }
        Some(value)
    }

    fn free_place(&self, id: u32) -> usize {
        let mask = self.places.len() - 1;
        let mut at = id as usize & mask;
        while self.places[at].id != FREE {
            at = (at + 1) & mask;
        }
        at
    }

    fn grow(&mut self) {
        let more = (self.places.len() * 2).max(FIRST_PLACES);
        let places = (0..more).map(|_| Place::default()).collect();
        for place in mem::replace(&mut self.places, places) {
            if place.id != FREE {
                let at = self.free_place(place.id);
                self.places[at] = place;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_does_what_the_standard_map_does(
            // Ids that collide in every small table, and any ids.
            steps in prop::collection::vec(
                (prop_oneof![0u32..40, (0u32..8).prop_map(|n| n * 1024 + 3), any::<u32>()], 0u8..3),
                0..400,
            ),
        ) {
            let mut table = Table::new();
            let mut model = HashMap::new();
            for (step, (id, what)) in steps.into_iter().enumerate() {
                match what {
                    0 if id == FREE => prop_assert_eq!(table.insert(id, step), Some(step)),
                    0 => prop_assert_eq!(table.insert(id, step), model.insert(id, step)),
                    1 => prop_assert_eq!(table.remove(id), model.remove(&id)),
                    _ => prop_assert_eq!(table.get_mut(id), model.get_mut(&id)),
                }
            }
            for (id, value) in &mut model {
                prop_assert_eq!(table.get_mut(*id), Some(value));
            }
        }
    }
}
