//! Shared queues, and who hears of what comes.

use std::collections::{BTreeMap, VecDeque};

use super::Budget;
use crate::host::abi::Status;

/// Who hears of what comes to a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Listener {
    /// The number of the VM in its proxy.
    pub vm: u64,
    /// The root context that registered the queue.
    pub root: u32,
}

/// Queues by token, tokens by `vm_id` and name. Tokens count from 1.
#[derive(Debug, Default)]
pub(super) struct Queues {
    tokens: BTreeMap<Box<[u8]>, Tokens>,
    all: Vec<Queue>,
    /// Notifications by VM, in the order of the enqueues: root context and token.
    ready: BTreeMap<u64, VecDeque<(u32, u32)>>,
    waiting: usize,
}

type Tokens = BTreeMap<Box<[u8]>, u32>;

#[derive(Debug)]
struct Queue {
    listener: Option<Listener>,
    items: VecDeque<Vec<u8>>,
}

impl Queues {
    /// How many notifications wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    pub(super) fn resolve(&self, vm_id: &[u8], name: &[u8]) -> Option<u32> {
        self.tokens.get(vm_id)?.get(name).copied()
    }

    pub(super) fn register(
        &mut self,
        budget: &mut Budget,
        vm_id: &[u8],
        name: &[u8],
        listener: Listener,
    ) -> Result<u32, Status> {
        if let Some(token) = self.resolve(vm_id, name) {
            self.queue(token)?.listener = Some(listener);
            return Ok(token);
        }
        let token = u32::try_from(self.all.len() + 1).map_err(|_| Status::InternalFailure)?;
        budget.take(1, vm_id.len().saturating_add(name.len()))?;
        self.tokens.entry(vm_id.into()).or_default().insert(name.into(), token);
        self.all.push(Queue { listener: Some(listener), items: VecDeque::new() });
        Ok(token)
    }

    pub(super) fn enqueue(
        &mut self,
        budget: &mut Budget,
        token: u32,
        item: Vec<u8>,
    ) -> Result<(), Status> {
        let queue = self.queue(token)?;
        let listener = queue.listener;
        // A notification is an entry of its own: the item may be taken long before it is.
        budget.take(1 + u64::from(listener.is_some()), item.len())?;
        queue.items.push_back(item);
        if let Some(Listener { vm, root }) = listener {
            self.ready.entry(vm).or_default().push_back((root, token));
            self.waiting += 1;
        }
        Ok(())
    }

    pub(super) fn dequeue(&mut self, budget: &mut Budget, token: u32) -> Result<Vec<u8>, Status> {
        let item = self.queue(token)?.items.pop_front().ok_or(Status::Empty)?;
        budget.give_back(1, item.len());
        Ok(item)
    }

    pub(super) fn take_ready(&mut self, budget: &mut Budget, vm: u64) -> Option<(u32, u32)> {
        let taken = self.ready.get_mut(&vm)?.pop_front()?;
        self.waiting -= 1;
        budget.give_back(1, 0);
        Some(taken)
    }

    pub(super) fn forget(&mut self, budget: &mut Budget, vm: u64) {
        let unheard = self.ready.remove(&vm).map_or(0, |ready| ready.len());
        self.waiting -= unheard;
        budget.give_back(unheard as u64, 0);
        for queue in &mut self.all {
            queue.listener = queue.listener.filter(|listener| listener.vm != vm);
        }
    }

    fn queue(&mut self, token: u32) -> Result<&mut Queue, Status> {
        let at = usize::try_from(token).ok().and_then(|token| token.checked_sub(1));
        at.and_then(|at| self.all.get_mut(at)).ok_or(Status::NotFound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Listener = Listener { vm: 1, root: 7 };
    const SECOND: Listener = Listener { vm: 2, root: 9 };

    #[test]
    fn queues_keep_order_and_know_their_names() {
        let (mut queues, mut budget) = (Queues::default(), Budget::default());
        assert_eq!(queues.resolve(b"vm", b"q"), None);
        let token = queues.register(&mut budget, b"vm", b"q", FIRST).unwrap();
        assert_eq!((token, queues.resolve(b"vm", b"q")), (1, Some(1)));
        queues.enqueue(&mut budget, token, b"1".to_vec()).unwrap();
        queues.enqueue(&mut budget, token, b"2".to_vec()).unwrap();
        assert_eq!(queues.dequeue(&mut budget, token).unwrap(), b"1");
        assert_eq!(queues.dequeue(&mut budget, token).unwrap(), b"2");
        assert_eq!(queues.dequeue(&mut budget, token), Err(Status::Empty));
        for unknown in [0, 2, u32::MAX] {
            assert_eq!(queues.dequeue(&mut budget, unknown), Err(Status::NotFound));
            assert_eq!(queues.enqueue(&mut budget, unknown, vec![]), Err(Status::NotFound));
        }
    }

    #[test]
    fn every_enqueue_is_told_to_who_registered_last() {
        let (mut queues, mut budget) = (Queues::default(), Budget::default());
        let token = queues.register(&mut budget, b"", b"q", FIRST).unwrap();
        queues.enqueue(&mut budget, token, vec![]).unwrap();
        assert_eq!(queues.register(&mut budget, b"", b"q", SECOND), Ok(token));
        queues.enqueue(&mut budget, token, vec![]).unwrap();
        queues.enqueue(&mut budget, token, vec![]).unwrap();
        let mut take = |vm| queues.take_ready(&mut budget, vm);
        assert_eq!((take(1), take(1)), (Some((7, token)), None), "told before the second came");
        assert_eq!((take(2), take(2), take(2)), (Some((9, token)), Some((9, token)), None));
    }

    #[test]
    fn a_vm_that_is_gone_hears_nothing_and_leaves_no_debt() {
        let (mut queues, mut budget) = (Queues::default(), Budget::new(10, 3));
        let token = queues.register(&mut budget, b"", b"q", FIRST).unwrap();
        queues.enqueue(&mut budget, token, vec![]).unwrap();
        assert_eq!(queues.enqueue(&mut budget, token, vec![]), Err(Status::InternalFailure));
        queues.forget(&mut budget, FIRST.vm);
        queues.enqueue(&mut budget, token, vec![]).unwrap();
        assert_eq!((queues.waiting(), queues.dequeue(&mut budget, token)), (0, Ok(vec![])));
    }

    #[test]
    fn taking_items_does_not_make_room_for_endless_notifications() {
        let (mut queues, mut budget) = (Queues::default(), Budget::new(10, 100));
        let token = queues.register(&mut budget, b"", b"q", FIRST).unwrap();
        let refused = (0..1000).find(|_| {
            let answer = queues.enqueue(&mut budget, token, vec![]);
            let _ = queues.dequeue(&mut budget, token);
            answer.is_err()
        });
        assert!(refused.is_some() && queues.waiting() < 100);
    }
}
