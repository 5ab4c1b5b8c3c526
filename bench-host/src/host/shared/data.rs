//! Shared data.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::Budget;
use crate::host::abi::Status;

/// Values by `vm_id` and key, each with the number that it was set under.
#[derive(Debug, Default)]
pub(super) struct Data {
    stores: BTreeMap<Box<[u8]>, Store>,
    last_cas: u32,
}

type Store = BTreeMap<Box<[u8]>, (Bytes, u32)>;

impl Data {
    pub(super) fn get(&self, vm_id: &[u8], key: &[u8]) -> Option<(Bytes, u32)> {
        self.stores.get(vm_id)?.get(key).cloned()
    }

    pub(super) fn set(
        &mut self,
        budget: &mut Budget,
        vm_id: &[u8],
        key: &[u8],
        value: &[u8],
        cas: u32,
    ) -> Result<(), Status> {
        let store = match self.stores.get_mut(vm_id) {
            Some(store) => store,
            None => {
                budget.take(1, vm_id.len())?;
                self.stores.entry(vm_id.into()).or_default()
            }
        };
        let known = store.get_mut(key);
        if cas != 0 && known.as_ref().is_some_and(|(_, newest)| *newest != cas) {
            return Err(Status::CasMismatch);
        }
        // Zero means "do not compare", so it is never given out.
        let next = self.last_cas.checked_add(1).unwrap_or(1);
        match known {
            Some((old, number)) => {
                budget.take(0, value.len().saturating_sub(old.len()))?;
                budget.give_back(0, old.len().saturating_sub(value.len()));
                *old = Bytes::copy_from_slice(value);
                *number = next;
            }
            None => {
                budget.take(1, key.len().saturating_add(value.len()))?;
                store.insert(key.into(), (Bytes::copy_from_slice(value), next));
            }
        }
        self.last_cas = next;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_swap_needs_the_newest_number() {
        let (mut data, mut budget) = (Data::default(), Budget::default());
        let mut set = |value, cas| {
            let answer = data.set(&mut budget, b"vm", b"k", value, cas);
            answer.map(|()| data.get(b"vm", b"k").unwrap().1)
        };
        let first = set(b"1", 99).expect("an absent key is stored whatever is given");
        let second = set(b"2", first).unwrap();
        assert_eq!(set(b"3", first), Err(Status::CasMismatch));
        assert_eq!(data.get(b"vm", b"k"), Some(("2".into(), second)));
    }

    #[test]
    fn numbers_start_again_behind_zero() {
        let (mut data, mut budget) = (Data::default(), Budget::default());
        data.last_cas = u32::MAX;
        data.set(&mut budget, b"", b"k", b"", 0).unwrap();
        assert_eq!(data.get(b"", b"k").unwrap().1, 1);
    }

    #[test]
    fn room_is_counted_by_what_is_there() {
        let mut budget = Budget::new(6, 3);
        let mut data = Data::default();
        for _ in 0..10 {
            assert_eq!(data.set(&mut budget, b"v", b"k", b"1234", 0), Ok(()));
            assert_eq!(
                data.set(&mut budget, b"v", b"k", b"12345", 0),
                Err(Status::InternalFailure)
            );
            assert_eq!(data.set(&mut budget, b"v", b"k", b"1", 0), Ok(()));
        }
        assert_eq!(data.set(&mut budget, b"v", b"l", b"", 0), Ok(()));
        assert_eq!(data.set(&mut budget, b"v", b"m", b"", 0), Err(Status::InternalFailure));
    }
}
