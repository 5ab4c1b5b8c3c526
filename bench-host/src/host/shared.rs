//! What VMs share: data with compare-and-swap, and queues.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::abi::Status;

/// Shared data and queues of one proxy; cloning shares them.
#[derive(Clone, Debug, Default)]
pub struct Shared(Arc<Mutex<Tables>>);

#[derive(Debug, Default)]
struct Tables {
    data: BTreeMap<Vec<u8>, (Vec<u8>, u32)>,
    last_cas: u32,
    queues: Vec<(Vec<u8>, VecDeque<Vec<u8>>)>,
}

impl Shared {
    /// A value and the number to compare and swap with.
    pub fn get(&self, key: &[u8]) -> Option<(Vec<u8>, u32)> {
        self.tables().data.get(key).cloned()
    }

    /// Sets a value. `cas` 0 does not compare, and neither does a key that does not exist.
    pub fn set(&self, key: &[u8], value: &[u8], cas: u32) -> Result<(), Status> {
        let mut tables = self.tables();
        if cas != 0 && tables.data.get(key).is_some_and(|(_, known)| *known != cas) {
            return Err(Status::CasMismatch);
        }
        // Zero means "do not compare", so it is never given out.
        tables.last_cas = tables.last_cas.checked_add(1).unwrap_or(1);
        let cas = tables.last_cas;
        tables.data.insert(key.to_vec(), (value.to_vec(), cas));
        Ok(())
    }

    /// The token of a queue, which is made if `create` says so.
    pub fn queue(&self, name: &[u8], create: bool) -> Result<u32, Status> {
        let mut tables = self.tables();
        let at = match tables.queues.iter().position(|(known, _)| known == name) {
            Some(at) => at,
            None if create => {
                tables.queues.push((name.to_vec(), VecDeque::new()));
                tables.queues.len() - 1
            }
            None => return Err(Status::NotFound),
        };
        u32::try_from(at + 1).map_err(|_| Status::InternalFailure)
    }

    /// Adds to a queue.
    pub fn enqueue(&self, token: u32, data: Vec<u8>) -> Result<(), Status> {
        self.tables().queue_mut(token)?.push_back(data);
        Ok(())
    }

    /// Takes from a queue.
    pub fn dequeue(&self, token: u32) -> Result<Vec<u8>, Status> {
        self.tables().queue_mut(token)?.pop_front().ok_or(Status::Empty)
    }

    /// The next queue that something was put into, and the root context to tell of it.
    pub fn take_ready(&self) -> Option<(u32, u32)> {
        None
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        // No code of ours panics while it holds the lock, and the tables are valid at every step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    fn queue_mut(&mut self, token: u32) -> Result<&mut VecDeque<Vec<u8>>, Status> {
        let at = usize::try_from(token).ok().and_then(|token| token.checked_sub(1));
        let queue = at.and_then(|at| self.queues.get_mut(at));
        queue.map(|(_, queue)| queue).ok_or(Status::NotFound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_swap_needs_the_newest_number() {
        let shared = Shared::default();
        assert_eq!(shared.set(b"k", b"1", 99), Ok(()), "an absent key is stored whatever is given");
        let (_, first) = shared.get(b"k").unwrap();
        assert_eq!(shared.set(b"k", b"2", first), Ok(()));
        assert_eq!(shared.set(b"k", b"3", first), Err(Status::CasMismatch));
        assert_eq!(shared.get(b"k").unwrap().0, b"2");
    }

    #[test]
    fn queues_keep_order_and_know_their_names() {
        let shared = Shared::default();
        assert_eq!(shared.queue(b"q", false), Err(Status::NotFound));
        let token = shared.queue(b"q", true).unwrap();
        assert_eq!(shared.queue(b"q", false), Ok(token));
        shared.enqueue(token, b"1".to_vec()).unwrap();
        assert_eq!(shared.dequeue(token).unwrap(), b"1");
        assert_eq!(shared.dequeue(token), Err(Status::Empty));
        assert_eq!(shared.dequeue(0), Err(Status::NotFound));
        assert_eq!(shared.dequeue(u32::MAX), Err(Status::NotFound));
    }
}
