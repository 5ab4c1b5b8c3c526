//! What VMs share: data with compare-and-swap, and queues.
//!
//! Both belong to a `vm_id`, as in the C++ host (`shared_data.cc`, `shared_queue.cc`): VMs of the
//! same id see each other's, others do not. Two VMs that give no id share one as well.

mod budget;
mod data;
mod queues;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

pub use budget::Budget;

use super::abi::Status;

/// Shared data and queues of one proxy, as VMs of one `vm_id` see them; cloning shares them.
#[derive(Clone, Debug, Default)]
pub struct Shared {
    vm_id: Arc<[u8]>,
    proxy: Arc<Proxy>,
}

#[derive(Debug, Default)]
struct Proxy {
    vms: AtomicU64,
    /// How many notifications wait; read without the lock.
    ready: AtomicUsize,
    tables: Mutex<Tables>,
}

#[derive(Debug, Default)]
struct Tables {
    budget: Budget,
    data: data::Data,
    queues: queues::Queues,
}

impl Shared {
    /// An empty store of this size.
    pub fn with_budget(budget: Budget) -> Self {
        let tables = Tables { budget, ..Tables::default() };
        let proxy = Proxy { tables: Mutex::new(tables), ..Proxy::default() };
        Self { vm_id: Arc::default(), proxy: Arc::new(proxy) }
    }

    /// The same store for VMs of this id.
    pub fn with_id(mut self, vm_id: &[u8]) -> Self {
        self.vm_id = scope(vm_id).into();
        self
    }

    /// A number for a VM that no other VM of the proxy has.
    pub fn new_vm(&self) -> u64 {
        self.proxy.vms.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// A membership of a new VM: queues forget it when it ends.
    pub(super) fn join(&self) -> Member {
        Member { vm: self.new_vm(), shared: self.clone() }
    }

    /// A value and the number to compare and swap with.
    pub fn get(&self, key: &[u8]) -> Option<(Bytes, u32)> {
        self.tables().data.get(&self.vm_id, key)
    }

    /// Sets a value. `cas` 0 does not compare, and neither does a key that does not exist.
    ///
    /// # Errors
    /// [`Status::CasMismatch`] when another number is the newest, and
    /// [`Status::InternalFailure`] when the [`Budget`] is used up.
    pub fn set(&self, key: &[u8], value: &[u8], cas: u32) -> Result<(), Status> {
        let Tables { budget, data, .. } = &mut *self.tables();
        data.set(budget, &self.vm_id, key, value, cas)
    }

    /// The token of the queue of this name, which is made if need be. From now on, the root
    /// context of this VM hears of what comes; whoever was registered before does not. What lies
    /// in the queue stays.
    ///
    /// # Errors
    /// [`Status::InternalFailure`] when the [`Budget`] is used up.
    pub fn register(&self, vm: u64, root: u32, name: &[u8]) -> Result<u32, Status> {
        let Tables { budget, queues, .. } = &mut *self.tables();
        queues.register(budget, &self.vm_id, name, queues::Listener { vm, root })
    }

    /// The token of a queue. An empty `vm_id` is this VM's own.
    ///
    /// # Errors
    /// [`Status::NotFound`] when nobody has registered it.
    pub fn resolve(&self, vm_id: &[u8], name: &[u8]) -> Result<u32, Status> {
        let tables = self.tables();
        let found = match vm_id {
            b"" => tables.queues.resolve(&self.vm_id, name),
            other => tables.queues.resolve(&scope(other), name),
        };
        found.ok_or(Status::NotFound)
    }

    /// Adds to a queue, and notes that its listener is to hear of it: once for every call, even
    /// when what was added is taken before the listener runs.
    ///
    /// # Errors
    /// [`Status::NotFound`] for an unknown token, and [`Status::InternalFailure`] when the
    /// [`Budget`] is used up.
    pub fn enqueue(&self, token: u32, item: Vec<u8>) -> Result<(), Status> {
        let Tables { budget, queues, .. } = &mut *self.tables();
        queues.enqueue(budget, token, item)?;
        self.proxy.ready.store(queues.waiting(), Ordering::Release);
        Ok(())
    }

    /// Takes from a queue.
    ///
    /// # Errors
    /// [`Status::NotFound`] for an unknown token, [`Status::Empty`] when there is nothing.
    pub fn dequeue(&self, token: u32) -> Result<Vec<u8>, Status> {
        let Tables { budget, queues, .. } = &mut *self.tables();
        queues.dequeue(budget, token)
    }

    /// The next notification for this VM: the root context to call, and the queue's token. In the
    /// order of the enqueues. Costs one read of a number when there is none for any VM.
    pub fn take_ready(&self, vm: u64) -> Option<(u32, u32)> {
        if self.proxy.ready.load(Ordering::Acquire) == 0 {
            return None;
        }
        let Tables { budget, queues, .. } = &mut *self.tables();
        let taken = queues.take_ready(budget, vm);
        self.proxy.ready.store(queues.waiting(), Ordering::Release);
        taken
    }

    /// Forgets a VM that is gone: nobody hears of what comes to its queues until another VM
    /// registers them. Data and queues stay.
    pub fn forget(&self, vm: u64) {
        let Tables { budget, queues, .. } = &mut *self.tables();
        queues.forget(budget, vm);
        self.proxy.ready.store(queues.waiting(), Ordering::Release);
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        // No code of ours panics while it holds the lock, and the tables are valid at every step.
        self.proxy.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What entries of a VM id are kept under. Never empty: comparing nothing at the address of nothing
/// takes some processors a hundred nanoseconds.
fn scope(vm_id: &[u8]) -> Vec<u8> {
    [b"=", vm_id].concat()
}

/// A VM among those that share data and queues.
#[derive(Debug)]
pub(super) struct Member {
    /// Its number.
    pub vm: u64,
    shared: Shared,
}

impl Drop for Member {
    fn drop(&mut self) {
        self.shared.forget(self.vm);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_keep_data_and_queues_apart() {
        let ours = Shared::default().with_id(b"ours");
        let theirs = ours.clone().with_id(b"theirs");
        ours.set(b"k", b"1", 0).unwrap();
        assert_eq!(theirs.get(b"k"), None);
        assert_eq!(theirs.clone().with_id(b"ours").get(b"k").unwrap().0, &b"1"[..]);

        let token = ours.register(ours.new_vm(), 1, b"q").unwrap();
        assert_eq!(ours.resolve(b"", b"q"), Ok(token));
        assert_eq!(theirs.resolve(b"", b"q"), Err(Status::NotFound));
        assert_eq!(theirs.resolve(b"ours", b"q"), Ok(token), "named, it is for everybody");
    }

    #[test]
    fn a_full_store_refuses_and_stays_as_it_was() {
        let shared = Shared::with_budget(Budget::new(200, 10));
        shared.set(b"k", b"1", 0).unwrap();
        assert_eq!(shared.set(b"k", &[0; 200], 0), Err(Status::InternalFailure));
        assert_eq!(shared.get(b"k").unwrap().0, &b"1"[..]);
        let token = shared.register(1, 1, b"q").unwrap();
        assert_eq!(shared.enqueue(token, vec![0; 200]), Err(Status::InternalFailure));
        assert_eq!(shared.dequeue(token), Err(Status::Empty));
        assert_eq!(shared.take_ready(1), None);
    }
}
